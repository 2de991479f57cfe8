"""The audit log of everything except articles, whose revisions are their audit."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ingest.auth.actors import Actor
from services.ingest.queries import SQL
from shared.postgres import Connection


async def record(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    kind: str,
    id: str,  # noqa: A002 - the object's
    site: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry to the audit log, in the transaction of the change that it reports.

    Args:
        connection: In the transaction of the change.
        actor: Who makes the change.
        action: What is done, as a verb: create, rename, lock.
        kind: The kind of the object: person, file, section, webhook.
        id: The object's id.
        site: The object's site; None if it belongs to the whole installation.
        details: What changed, without secrets, as JSON.
    """
    content = msgspec.json.encode(dict(details or {})).decode()
    await connection.execute(SQL["insert_audit_entry"], actor.name, actor.id, action, kind, id, site, content)

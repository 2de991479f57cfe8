"""Withdraws what an import has published when its source says that it must not be public: private, deleted, expired.

Only the work of imports is undone. What editors have edited or published since stays, with a warning.
"""

from dataclasses import replace
from datetime import datetime

import msgspec

from services.ingest.articles import removal, workflow
from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.store import read_article, save_change
from services.ingest.auth.actors import Actor
from services.ingest.imports.upsert import UpsertResult
from services.ingest.imports.warnings import make_warning
from services.ingest.queries import SQL
from shared.postgres import Connection

WITHDRAWN_BY_SOURCE = bytes(32)
"""Stored instead of a checksum for an article whose item is not read any more: each content is a change of it."""


async def withdraw(
    connection: Connection,
    article: str,
    reason: str,
    *,
    publish: bool,
    now: datetime,
    actor: Actor,
    dry_run: bool = False,
    checksum: bytes = WITHDRAWN_BY_SOURCE,
) -> UpsertResult | None:
    """Withdraw an article that is public or scheduled, in the transaction of the caller.

    Args:
        connection: In a transaction.
        article: Its ID.
        reason: Why its source says that it must not be public.
        publish: Whether the import may change what is public.
        now: The time of the import.
        actor: Who imports.
        dry_run: Whether to return the expected result without writing anything.
        checksum: What the last import of the article is from now on.

    Returns:
        None if it is neither public nor scheduled; `unchanged` with a warning if it stays public.
    """
    stored = await read_article(connection, article, for_update=True, also_discarded=True)
    assert stored is not None, "articles are never deleted"
    is_live = stored.live is not None and stored.live.state == "published"
    if not is_live and stored.scheduled is None:
        return None
    is_of_import = not await connection.fetchval(SQL["was_edited"], article)
    if not (publish and is_of_import):
        why = "editors have changed it since" if publish else "an import without --publish withdraws nothing"
        message = f"it is {'public' if is_live else 'scheduled'} here, but at its source {reason}; {why}: withdraw it"
        return UpsertResult(stored.head, "unchanged", (make_warning("state", message),))
    change = _withdrawal(stored, reason, now, is_live=is_live)
    if not dry_run:
        change = await save_change(connection, stored, change, actor, reason[:500])
        await connection.execute(SQL["save_import"], article, checksum, now)
    message = f"it was public here and was withdrawn: at its source {reason}"
    return UpsertResult(change.head, "withdrawn", (make_warning("state", message),))


def _withdrawal(stored: StoredArticle, reason: str, now: datetime, *, is_live: bool) -> ArticleChange:
    if not is_live:
        return workflow.cancel_schedule(stored, f"the import has found that at its source {reason}"[:500], now)
    change = removal.withdraw("unpublish", stored, now)
    if stored.scheduled is None:
        return change
    if not stored.has_successor:  # its next version would be public again
        change = replace(change, head=msgspec.structs.replace(change.head, state="draft"))
    return replace(change, scheduled=None, live_changes={}, copies=(*change.copies, "scheduled"))

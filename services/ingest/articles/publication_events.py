"""Events about the portal: what webhooks report. They are queued in the transaction that stores the status.

An event is queued when the portal says that it serves or no longer serves a version (`pages-live`), not when an editor
publishes it: a receiver that fetches the page then gets it.
"""

from datetime import datetime
from typing import Any, Literal, get_args
from uuid import uuid4

import asyncpg
import msgspec

from services.ingest.queries import SQL
from shared.articles import Article
from shared.events import PageLive
from shared.postgres import Connection

Event = Literal["article.published", "article.updated", "article.corrected", "article.withdrawn", "article.failed"]
EVENTS: tuple[str, ...] = get_args(Event)
PING = "webhook.ping"


class WebhookPayload(msgspec.Struct):
    """The body of a webhook's request."""

    type: str
    timestamp: datetime
    data: dict[str, Any]


def event_of(live: PageLive, before: asyncpg.Record, corrections: int) -> Event:
    """Return the event that a new status of an article is.

    Args:
        live: The new status.
        before: `status_before` (None: it had none), and `corrections_before` of the version that was served until now
            (None: there was none, or nobody has counted them).
        corrections: How many corrections the new version has.
    """
    if live.status == "failed":
        return "article.failed"
    if live.status == "withdrawn":
        return "article.withdrawn"
    counted: int | None = before["corrections_before"]
    if before["status_before"] in (None, "withdrawn") or (before["status_before"] == "failed" and counted is None):
        return "article.published"
    return "article.corrected" if counted is not None and corrections > counted else "article.updated"


async def queue_event(connection: Connection, live: PageLive, before: asyncpg.Record, at: datetime) -> None:
    """Queue the event of a new status for each webhook that wants it.

    Args:
        connection: In the transaction that stores the status.
        live: The new status.
        before: As for `event_of`.
        at: When the portal reported it.
    """
    row = await connection.fetchrow(SQL["reported_version"], live.article, live.version)
    if row is None or row["content"] is None:
        return
    article = msgspec.json.decode(row["content"], type=Article)
    if live.status != "failed":  # then the former version stays
        served = len(article.corrections) if live.status == "live" else None
        await connection.execute(SQL["save_corrections"], live.article, live.version, served)
    event = event_of(live, before, len(article.corrections))
    data: dict[str, Any] = {"id": article.id, "number": article.number, "site": article.site, "version": live.version}
    if event not in ("article.withdrawn", "article.failed"):  # what was withdrawn is not repeated
        data |= {
            "url": live.url,
            "title": article.title,
            "lead": article.lead,
            "section": article.section,
            "tags": article.tags,
            "published_at": article.published_at,
            "modified_at": article.modified_at,
            "corrections": article.corrections,
        }
    payload = msgspec.json.encode(WebhookPayload(event, at, data))
    await connection.execute(SQL["queue_event"], f"msg_{uuid4().hex}", event, article.site, article.id, payload)

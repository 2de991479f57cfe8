"""Publication status: Kafka `pages-live` → `ingest.publications` → whether the portal serves a version."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord

from services.ingest.articles.publication_events import queue_event
from services.ingest.metrics import PUBLISH_TO_LIVE
from services.ingest.queries import SQL
from shared.events import PageLive
from shared.http.fair_limit import FairLimit
from shared.kafka.database_consumer import Transaction
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import Outage
from shared.tracing import trace_exemplar

CONSUMER_GROUP = "ingest-publications"
POLL_SECONDS = 0.1
READS_RUNNING_MAX = 2
"""Of requests: those that wait have no connection, and the others leave enough to editors. The callers take turns."""
Status = Literal["not_published", "queued", "rendering", "live", "failed", "withdrawn"]
FINAL: frozenset[Status] = frozenset({"not_published", "live", "failed", "withdrawn"})


class PublicationStatus(msgspec.Struct):
    """Whether the portal serves an article, and which version.

    `queued`: committed, not in Kafka yet. `rendering`: in Kafka. `live`: the public URL serves the requested version or
    a newer one. `withdrawn`: it serves none. `not_published`: the requested version was never published.
    """

    article: str
    version: int | None
    """The requested version; by default the last that was published or withdrawn."""
    head_version: int
    """The working version; without a token, the last published version."""
    live_version: int | None
    """The version that the portal last reported."""
    status: Status
    url: str | None
    reason: str | None


async def save_publication(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Store the status in a record of `pages-live`; a version older than the stored one has no effect."""

    async def save(live: PageLive) -> None:
        at = datetime.fromtimestamp(live.at / 1000, UTC)
        async with transaction() as connection:
            row = await connection.fetchrow(
                SQL["save_publication"], live.article, live.version, live.status, live.url, live.reason, at
            )
            if row is not None and (row["is_new"] or row["status_before"] != live.status):
                await queue_event(connection, live, row, at)
        if row is not None and row["is_new"] and row["committed_at"] is not None:
            PUBLISH_TO_LIVE.observe(max(0.0, (at - row["committed_at"]).total_seconds()), trace_exemplar())

    await handle_record(producer, record, PageLive, save)


def publication_status(row: asyncpg.Record, wanted: int | None) -> PublicationStatus:
    """Return the status of a version (None: the last published one) from a row of the query `publication_status`."""
    published = row["published_version"]
    status = PublicationStatus(
        row["id"], wanted or published, row["head_version"], row["version"], "queued", None, None
    )
    if published is None or (wanted is not None and wanted > published):
        status.status = "not_published"
        last = "no version is published" if published is None else f"version {published} is the last published one"
        status.reason = row["schedule_error"] or f"the article is {row['state']}; {last}"
    elif row["version"] is not None and row["version"] >= (wanted or published):
        status.status, status.url, status.reason = row["status"], row["url"], row["reason"]
    else:
        status.status = "queued" if row["is_queued"] else "rendering"
    return status


class PublicationTracker:
    """Answers whether a version is live, immediately or once it is; one query polls for all waiters."""

    def __init__(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        self._pool = pool
        self._stop = stop
        self._reads = FairLimit("reads of publications", running_max=READS_RUNNING_MAX)
        self._waiters: dict[str, int] = defaultdict(int)
        self._seen: dict[str, asyncpg.Record] = {}
        self._round = asyncio.Condition()
        self._has_waiters = asyncio.Event()

    async def read(self, article_id: str) -> asyncpg.Record | None:
        """Return the row of an article, or None."""
        async with self._reads.admit():
            return await self._pool.fetchrow(SQL["publication_status"], [article_id])

    async def wait(self, article_id: str, wanted: int | None, timeout_seconds: float) -> PublicationStatus | None:
        """Wait until the status is final, the timeout passes or the process stops; None if there is no such article."""
        row = await self.read(article_id)
        if row is None:
            return None
        status = publication_status(row, wanted)
        target = status.version  # fixed: a newer version may be published meanwhile
        self._waiters[article_id] += 1
        self._has_waiters.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                while status.status not in FINAL and not self._stop.is_set():
                    async with self._round:
                        await self._round.wait()
                    row = self._seen.get(article_id, row)
                    status = publication_status(row, target)
        except TimeoutError:
            pass
        finally:
            self._waiters[article_id] -= 1
            if not self._waiters[article_id]:
                del self._waiters[article_id]
        return status

    async def poll_waiters(self) -> None:
        """Poll the status for all waiters until cancelled."""
        outage = Outage("read publication status")
        while True:
            if not self._waiters:
                self._has_waiters.clear()
                await self._has_waiters.wait()
            await asyncio.sleep(POLL_SECONDS)
            try:
                rows = await self._pool.fetch(SQL["publication_status"], list(self._waiters))
                self._seen = {row["id"]: row for row in rows}
                outage.ended()
            except POSTGRES_UNAVAILABLE as error:
                outage.failed(error)
            async with self._round:
                self._round.notify_all()

"""What the portal serves: Kafka `pages-live` → `ingest.publications` → a true answer to "is it live?"."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord

from services.ingest.metrics import PUBLISH_TO_LIVE
from services.ingest.queries import SQL
from shared.events import PageLive
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import Outage

GROUP = "ingest-publications"
POLL_SECONDS = 0.1
Status = Literal["not_published", "queued", "rendering", "live", "failed", "withdrawn"]
FINAL: frozenset[Status] = frozenset({"not_published", "live", "failed", "withdrawn"})


class Publication(msgspec.Struct):
    """Whether readers can open an article, and which version they get.

    `queued`: committed, not in Kafka yet. `rendering`: in Kafka. `live`: the public URL serves the version asked for or
    a newer one. `withdrawn`: it serves none. `not_published`: this version was never given to readers.
    """

    article: str
    version: int | None
    """The version asked for; without one, the last that was published or withdrawn."""
    head_version: int
    """What editors work on; for who has no token, the last version that was given to readers."""
    live_version: int | None
    """The version that the portal last told of."""
    status: Status
    url: str | None
    reason: str | None


async def save_publication(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Save what one record of `pages-live` tells; an older version than the known one changes nothing."""

    async def save(live: PageLive) -> None:
        at = datetime.fromtimestamp(live.at / 1000, UTC)
        row = await pool.fetchrow(
            SQL["save_publication"], live.article, live.version, live.status, live.url, live.reason, at
        )
        if row is not None and row["is_new"] and row["told_at"] is not None:
            PUBLISH_TO_LIVE.observe(max(0.0, (at - row["told_at"]).total_seconds()))

    await handle_record(producer, record, PageLive, save)


def publication_of(row: asyncpg.Record, wanted: int | None) -> Publication:
    """Say what is known of a version (None: the last one told to readers) from a row of the query `publications`."""
    told = row["told_version"]
    answer = Publication(row["id"], wanted or told, row["head_version"], row["version"], "queued", None, None)
    if told is None or (wanted is not None and wanted > told):
        answer.status = "not_published"
        last = "no version is published" if told is None else f"version {told} is the last that was"
        answer.reason = row["problem"] or f"the article is {row['state']}; {last}"
    elif row["version"] is not None and row["version"] >= (wanted or told):
        answer.status, answer.url, answer.reason = row["status"], row["url"], row["reason"]
    else:
        answer.status = "queued" if row["is_queued"] else "rendering"
    return answer


class Publications:
    """Answers "is it live?", at once or when it is; one query at a time asks for all who wait."""

    def __init__(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        self._pool = pool
        self._stop = stop
        self._waiting: dict[str, int] = defaultdict(int)
        self._seen: dict[str, asyncpg.Record] = {}
        self._round = asyncio.Condition()

    async def read(self, article_id: str) -> asyncpg.Record | None:
        """Return the row of an article, or None."""
        return await self._pool.fetchrow(SQL["publications"], [article_id])

    async def wait(self, article_id: str, wanted: int | None, seconds: float) -> Publication | None:
        """Wait until the answer is final, for `seconds` at most, or until the process stops; None: no such article."""
        row = await self.read(article_id)
        if row is None:
            return None
        answer = publication_of(row, wanted)
        target = answer.version  # what was asked for stays the same if a newer version comes meanwhile
        self._waiting[article_id] += 1
        try:
            async with asyncio.timeout(seconds):
                while answer.status not in FINAL and not self._stop.is_set():
                    async with self._round:
                        await self._round.wait()
                    row = self._seen.get(article_id, row)
                    answer = publication_of(row, target)
        except TimeoutError:
            pass
        finally:
            self._waiting[article_id] -= 1
            if not self._waiting[article_id]:
                del self._waiting[article_id]
        return answer

    async def watch(self) -> None:
        """Look for all who wait, for ever."""
        outage = Outage("read what is live")
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._waiting:
                continue
            try:
                rows = await self._pool.fetch(SQL["publications"], list(self._waiting))
                self._seen = {row["id"]: row for row in rows}
                outage.ended()
            except POSTGRES_UNAVAILABLE as error:
                outage.failed(error)
            async with self._round:
                self._round.notify_all()

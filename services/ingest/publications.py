"""What the portal serves: Kafka `pages-live` → `ingest.publications`, so that editors get a true answer."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import msgspec
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.events import PageLive
from shared.logs import log
from shared.postgres import POSTGRES_ERRORS, read_queries
from shared.topics import PAGES_LIVE

SQL = read_queries(__package__)
GROUP = "ingest-publications"
RETRY_SECONDS = 0.5


def subscribe(broker: KafkaBroker, pool: asyncpg.Pool) -> None:
    """Save each message, and only then let Kafka know that it was read."""

    @broker.subscriber(PAGES_LIVE.name, group_id=GROUP, auto_offset_reset="earliest", ack_policy=AckPolicy.MANUAL)
    async def on_page_live(body: bytes, message: KafkaMessage) -> None:
        try:
            live = msgspec.json.decode(body, type=PageLive) if body else None
        except msgspec.DecodeError as error:
            log.error("A message of pages-live cannot be read; passing over it", reason=str(error))
            live = None
        while live is not None:
            try:
                await _save(pool, live)
                break
            except POSTGRES_ERRORS as error:
                log.warning("A publication cannot be saved; trying again", reason=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
        await message.ack()


async def _save(pool: asyncpg.Pool, live: PageLive) -> None:
    at = datetime.fromtimestamp(live.at / 1000, UTC)
    await pool.execute(SQL["save_publication"], live.article, live.version, live.status, live.url, live.reason, at)

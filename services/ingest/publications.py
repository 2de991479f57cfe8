"""What the portal serves: Kafka `pages-live` → `ingest.publications`, so that editors get a true answer."""

from datetime import UTC, datetime

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord

from shared.events import PageLive
from shared.kafka import Producer, bury
from shared.postgres import POSTGRES_UNFIT, read_queries
from shared.waiting import until_done

SQL = read_queries(__package__)
GROUP = "ingest-publications"


async def save_publication(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Save what one record of `pages-live` tells. Waits for Postgres; what cannot be read goes to the dead letters."""
    if record.value is None:
        return  # a tombstone: compaction may forget, editors need not
    try:
        live = msgspec.json.decode(record.value, type=PageLive)
        await until_done(lambda: _save(pool, live))
    except (msgspec.DecodeError, *POSTGRES_UNFIT) as error:
        reason = f"{type(error).__name__}: {error}"
        await until_done(lambda: bury(producer, record, reason))


async def _save(pool: asyncpg.Pool, live: PageLive) -> None:
    at = datetime.fromtimestamp(live.at / 1000, UTC)
    await pool.execute(SQL["save_publication"], live.article, live.version, live.status, live.url, live.reason, at)

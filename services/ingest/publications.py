"""What the portal serves: Kafka `pages-live` → `ingest.publications`, so that editors get a true answer."""

from datetime import UTC, datetime

import asyncpg
from aiokafka.structs import ConsumerRecord

from shared.events import PageLive
from shared.kafka import Producer
from shared.postgres import read_queries
from shared.waiting import deal_with

SQL = read_queries(__package__)
GROUP = "ingest-publications"


async def save_publication(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Save what one record of `pages-live` tells; an older version than the known one changes nothing."""

    async def save(live: PageLive) -> None:
        at = datetime.fromtimestamp(live.at / 1000, UTC)
        await pool.execute(SQL["save_publication"], live.article, live.version, live.status, live.url, live.reason, at)

    await deal_with(producer, record, PageLive, save)

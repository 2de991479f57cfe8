"""Kafka `refused-origins` → Postgres: views that collectors refused, by site, day and origin, for the statistics page.

No count depends on it. The names are what senders claim, so a site's day has a bounded number of them.
"""

from functools import partial

import asyncpg
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.queries import STATISTICS_SQL as SQL
from shared.consumer_offsets import ConsumerOffsets
from shared.events import RefusedOrigin
from shared.kafka.database_consumer import DatabaseConsumer, Transaction
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.role import Process
from shared.topics import REFUSED_ORIGINS

GROUP = "stats-refused-origins"
ORIGINS_MAX = 40
"""Named origins of a site's day; those of further reports have no name."""
KEPT_DAYS = 7
DAY_MS = 86_400_000


def follow_refused_origins(
    broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process
) -> DatabaseConsumer:
    """Follow the reports."""
    offsets = ConsumerOffsets("stats", GROUP, REFUSED_ORIGINS.name)
    return DatabaseConsumer(broker, pool, offsets, GROUP, partial(save_refused_origin, producer), process=process)


async def save_refused_origin(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Add one report to its site's day; those older than KEPT_DAYS are deleted."""

    async def save(report: RefusedOrigin) -> None:
        day = report.at // DAY_MS
        async with transaction() as connection:
            await connection.execute(SQL["delete_old_refused_origins"], report.site, day - KEPT_DAYS)
            await connection.execute(
                SQL["add_refused_origin"], report.site, day, report.origin or "", report.views, ORIGINS_MAX
            )

    await handle_record(producer, record, RefusedOrigin, save)

"""Kafka `counter-adjustments` → Postgres: amounts that were not measured, stored apart from measured counts."""

from datetime import UTC, datetime
from functools import partial

import asyncpg
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.counting.rules import WHOLE_SITE
from services.stats.queries import SQL
from shared.consumer_offsets import ConsumerOffsets
from shared.events import Adjustment
from shared.kafka.database_consumer import DatabaseConsumer, Transaction
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.role import Process
from shared.topics import COUNTER_ADJUSTMENTS

GROUP = "stats-adjustments"


def follow_adjustments(
    broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process
) -> DatabaseConsumer:
    """Follow the adjustments."""
    offsets = ConsumerOffsets("stats", GROUP, COUNTER_ADJUSTMENTS.name)
    return DatabaseConsumer(broker, pool, offsets, GROUP, partial(apply_adjustment, producer), process=process)


async def apply_adjustment(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Insert one adjustment, once: its id is the key. A tombstone does not remove it, as it was audited."""

    async def insert(adjustment: Adjustment) -> None:
        async with transaction() as connection:
            await connection.execute(
                SQL["insert_adjustment"],
                adjustment.id,
                adjustment.site,
                adjustment.article or WHOLE_SITE,
                adjustment.measure,
                adjustment.amount,
                adjustment.who,
                adjustment.why,
                datetime.fromtimestamp(adjustment.at / 1000, UTC),
                *((group.agent, group.begin, group.end) if (group := adjustment.excluded) else (None, None, None)),
            )

    await handle_record(producer, record, Adjustment, insert)

"""Kafka `counter-adjustments` → Postgres: amounts that were not measured, stored apart from measured counts."""

from datetime import UTC, datetime
from functools import partial

import asyncpg
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.counting.rules import WHOLE_SITE
from services.stats.queries import SQL
from shared.events import Adjustment
from shared.kafka.consumer import subscribe
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.role import Process
from shared.topics import COUNTER_ADJUSTMENTS

GROUP = "stats-adjustments"


def subscribe_adjustments(broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process) -> None:
    """Subscribe to adjustments."""
    subscribe(broker, COUNTER_ADJUSTMENTS.name, GROUP, partial(apply_adjustment, pool, producer), process)


async def apply_adjustment(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Insert one adjustment, once: its id is the key. A tombstone does not remove it, as it was audited."""

    async def insert(adjustment: Adjustment) -> None:
        await pool.execute(
            SQL["insert_adjustment"],
            adjustment.id,
            adjustment.site,
            adjustment.article or WHOLE_SITE,
            adjustment.measure,
            adjustment.amount,
            adjustment.who,
            adjustment.why,
            datetime.fromtimestamp(adjustment.at / 1000, UTC),
        )

    await handle_record(producer, record, Adjustment, insert)

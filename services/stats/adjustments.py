"""Kafka `counter-adjustments` → Postgres: amounts that nobody measured, apart from those that were."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import msgspec
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from services.stats.counting import WHOLE_SITE
from services.stats.store import SQL
from shared.events import Adjustment
from shared.logs import log
from shared.postgres import POSTGRES_ERRORS
from shared.topics import COUNTER_ADJUSTMENTS

GROUP = "stats-adjustments"
RETRY_SECONDS = 0.5


def subscribe(broker: KafkaBroker, pool: asyncpg.Pool) -> None:
    """Enter each adjustment once, and only then let Kafka know that it was read."""

    @broker.subscriber(
        COUNTER_ADJUSTMENTS.name, group_id=GROUP, auto_offset_reset="earliest", ack_policy=AckPolicy.MANUAL
    )
    async def on_adjustment(body: bytes, message: KafkaMessage) -> None:
        try:
            adjustment = msgspec.json.decode(body, type=Adjustment) if body else None
        except msgspec.DecodeError as error:
            log.error("An adjustment cannot be read", reason=str(error), message=message.message_id)
            await broker.publish(
                body, COUNTER_ADJUSTMENTS.dead_letters, headers={"reason": "schema", "topic": COUNTER_ADJUSTMENTS.name}
            )
            adjustment = None
        while adjustment is not None:
            try:
                await _enter(pool, adjustment)
                break
            except POSTGRES_ERRORS as error:
                log.warning("An adjustment cannot be entered; trying again", reason=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
        await message.ack()


async def _enter(pool: asyncpg.Pool, adjustment: Adjustment) -> None:
    await pool.execute(
        SQL["enter_adjustment"],
        adjustment.id,
        adjustment.site,
        adjustment.article or WHOLE_SITE,
        adjustment.measure,
        adjustment.amount,
        adjustment.who,
        adjustment.why,
        datetime.fromtimestamp(adjustment.at / 1000, UTC),
    )

"""Kafka `counter-adjustments` → Postgres: amounts that nobody measured, apart from those that were."""

from datetime import UTC, datetime

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord

from services.stats.counting import WHOLE_SITE
from services.stats.store import SQL
from shared.events import Adjustment
from shared.kafka import Producer, bury
from shared.postgres import POSTGRES_UNFIT
from shared.waiting import until_done

GROUP = "stats-adjustments"


async def enter_adjustment(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Enter one adjustment, once. Waits for Postgres; what cannot be read goes to the dead letters."""
    if record.value is None:
        return  # a tombstone: what was audited stays audited
    try:
        adjustment = msgspec.json.decode(record.value, type=Adjustment)
        await until_done(lambda: _enter(pool, adjustment))
    except (msgspec.DecodeError, *POSTGRES_UNFIT) as error:
        reason = f"{type(error).__name__}: {error}"
        await until_done(lambda: bury(producer, record, reason))


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

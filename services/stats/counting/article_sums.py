"""Sums over spans of days, made in the background: lists of long ranges read them instead of each day of each article.

They are derived: only of days that no record can change any more, of one generation, and in the transaction that says
how far they go. So a kill leaves nothing half, and what is not summed yet is read by day. A rebuild sums its own
generation before the swap, and `verify` compares each sum with its days.
"""

import asyncio

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.article_spans import Step, SummedUntil, first_bounds, next_step
from services.stats.counting.settled import settled_before
from services.stats.queries import SQL
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader
from shared.kafka.producer import KAFKA_ERRORS
from shared.kafka.topic_identity import read_topic
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import run_periodically
from shared.topics import PAGE_VIEWS

EVERY_SECONDS = 3_600.0
START_SECONDS = 30.0
"""A counter that starts has more urgent things to do."""
STEP_SECONDS = 600
"""Of one statement; nobody waits for it."""
LOCK = 0x73756D73  # "sums"


async def run_article_sums(pool: asyncpg.Pool, kafka: KafkaConfig) -> None:
    """Sum what is settled, once an hour."""

    async def sum_settled() -> None:
        async with log_reader(kafka) as reader:
            _, numbers = await read_topic(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
            ends = await reader.end_offsets([TopicPartition(PAGE_VIEWS.name, number) for number in numbers])
        generation = await pool.fetchval(SQL["current_generation"])
        log_ends = {one.partition: end for one, end in ends.items()}
        await sum_settled_days(pool, generation, await settled_before(pool, generation, log_ends))

    await asyncio.sleep(START_SECONDS)
    await run_periodically(
        sum_settled, every_seconds=EVERY_SECONDS, on=(*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS), what="sum settled days"
    )


async def sum_settled_days(pool: asyncpg.Pool, generation: int, settled: int) -> None:
    """Make all sums of a generation that can be made, one span in a transaction.

    Args:
        pool: Postgres.
        generation: Its days are counted as far as they are settled.
        settled: No record can change a day that starts before it (seconds).

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    sites = [row["site"] for row in await pool.fetch(SQL["counted_sites"], generation)]
    async with pool.acquire() as connection:
        while await _sum_next(connection, generation, settled, sites):
            pass


async def _sum_next(connection: Connection, generation: int, settled: int, sites: list[str]) -> bool:
    """Make the next sum; return whether there may be another one."""
    async with connection.transaction():
        if not await connection.fetchval(SQL["summing_turn"], LOCK, generation):
            return False
        row = await connection.fetchrow(SQL["read_summed_until"], generation)
        if row is None:
            return await _begin(connection, generation, settled, sites)
        until = SummedUntil(*row)
        step = next_step(until, settled)
        if step is None:
            return False
        await connection.execute("SELECT set_config('statement_timeout', $1, true)", f"{STEP_SECONDS}s")
        await _sum(connection, generation, step, sites)
        moved: str = await connection.execute(SQL["move_summed_until"], generation, *until, *step.after)
        if moved != "UPDATE 1":
            raise asyncpg.SerializationError("the sums were moved meanwhile")
        return True


async def _begin(connection: Connection, generation: int, settled: int, sites: list[str]) -> bool:
    first = await connection.fetchval(SQL["first_article_day"], generation, sites)
    if first is None or first >= settled:
        return False
    await connection.execute(SQL["begin_sums"], generation, *first_bounds(first))
    return True


async def _sum(connection: Connection, generation: int, step: Step, sites: list[str]) -> None:
    query = SQL["sum_spans" if step.name == "64 days" else "sum_days"]
    start = 0 if step.name == "before" else step.begin
    place = generation, step.name, start, step.begin, step.end, sites
    await connection.execute(query, *place, timeout=STEP_SECONDS + 2)

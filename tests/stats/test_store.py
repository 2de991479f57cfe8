"""Counts and offsets in Postgres: one transaction, behind a compare-and-set."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.counting import Bucket, DeadLetter, Deltas, FirstSight
from services.stats.store import Fenced, Position, apply, read_positions
from shared.postgres import open_pool

TOTAL = Bucket("haihau", "", "total", 0)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


def some_deltas(views: int = 1, visitors: tuple[str, ...] = ()) -> Deltas:
    deltas = Deltas()
    deltas.views[TOTAL] += views
    deltas.online["haihau", "", 1000] += views
    deltas.ledger["haihau", 0, "counted", ""] += views
    deltas.first_sights += [FirstSight("haihau", 86_400, visitor, "bai-1", 86_700, 90_000) for visitor in visitors]
    return deltas


async def total(pool: asyncpg.Pool, measure: str = "views") -> int:
    return int(await pool.fetchval(f"SELECT coalesce(sum({measure}), 0) FROM stats.counts WHERE grain = 'total'"))


async def test_a_batch_moves_counts_and_offset_together(pool: asyncpg.Pool) -> None:
    """After a batch both its counts and its offset are there, added to what was there before."""
    for turn in range(3):
        position = (await read_positions(pool, "page-views", {0: 0}))[0]
        assert position.next_offset == turn * 10
        await apply(
            pool, "page-views", 0, some_deltas(2), position=position, new=Position(0, position.next_offset + 10, 0)
        )
    assert await total(pool) == 6
    assert await pool.fetchval("SELECT visitors FROM stats.online") == 6
    assert await pool.fetchval("SELECT events FROM stats.ledger") == 6


async def test_a_stale_position_changes_nothing(pool: asyncpg.Pool) -> None:
    """Whoever holds an old position, or an old epoch, is fenced off, and nothing is counted."""
    position = (await read_positions(pool, "page-views", {0: 0}))[0]
    await apply(pool, "page-views", 0, some_deltas(), position=position, new=Position(0, 5, 0))
    for stale in (position, Position(1, 5, 0), Position(0, 4, 0)):
        with pytest.raises(Fenced):
            await apply(pool, "page-views", 0, some_deltas(), position=stale, new=Position(0, 9, 0))
    assert await total(pool) == 1
    assert (await read_positions(pool, "page-views", {0: 0}))[0].next_offset == 5


async def test_of_two_at_once_one_wins(pool: asyncpg.Pool) -> None:
    """Ten counters that apply the same batch at the same moment count it once."""
    position = (await read_positions(pool, "page-views", {0: 0}))[0]
    new = Position(0, 5, 0)
    tries = [apply(pool, "page-views", 0, some_deltas(), position=position, new=new) for _ in range(10)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == 9
    assert await total(pool) == 1


async def test_a_visitor_counts_once_a_day_over_all_batches(pool: asyncpg.Pool) -> None:
    """A key that an earlier batch brought, on whatever partition, makes no second visitor of the day."""
    for part, visitors in ((0, ("a" * 16, "b" * 16)), (0, ("b" * 16,)), (1, ("b" * 16, "c" * 16))):
        position = (await read_positions(pool, "page-views", {part: 0}))[part]
        await apply(
            pool,
            "page-views",
            part,
            some_deltas(1, visitors),
            position=position,
            new=Position(0, position.next_offset + 1, 0),
        )
    rows = await pool.fetch("SELECT article, grain, sum(visitors) AS n FROM stats.counts GROUP BY 1, 2 ORDER BY 1, 2")
    assert {(row["article"], row["grain"]): row["n"] for row in rows} == {
        ("", "day"): 3,
        ("", "hour"): 3,
        ("", "step"): 3,
        ("", "total"): 3,
        ("bai-1", "day"): 3,
        ("bai-1", "total"): 3,
    }


async def test_a_batch_that_cannot_be_stored_leaves_nothing(pool: asyncpg.Pool) -> None:
    """If any part of a batch is refused, neither its counts nor its offset are there."""
    position = (await read_positions(pool, "page-views", {0: 0}))[0]
    deltas = some_deltas()
    deltas.dead_letters += [DeadLetter(7, "twice", b""), DeadLetter(7, "twice", b"")]
    with pytest.raises(asyncpg.UniqueViolationError):
        await apply(pool, "page-views", 0, deltas, position=position, new=Position(0, 9, 0))
    assert await total(pool) == 0
    assert (await read_positions(pool, "page-views", {0: 0}))[0] == position

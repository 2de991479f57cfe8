"""Counts and offsets in Postgres: one transaction, behind a compare-and-set."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from services.stats.admin.reference_model import recount
from services.stats.counting.decoding import DeadLetter, Record
from services.stats.counting.rules import DayCount, Deltas, FirstSight, Online, SpanCount, count
from services.stats.counting.state import Memory
from services.stats.counting.store import Fenced, Position, apply, pass_gap, read_positions
from services.stats.counting.topic_identity import Identity
from shared.events import PageEvent
from shared.postgres import open_pool
from shared.sites import Site, Sites

NOON = 1_795_496_400_000  # 2026-11-24T12:00 in Hải Hậu
VIEW: dict[str, Any] = {"site": "haihau", "kind": "view", "path": "/", "at": NOON}
SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
LOG = Identity("cluster", "topic-id")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


def some_deltas(views: int = 1, visitors: tuple[int, ...] = ()) -> Deltas:
    deltas = Deltas()
    deltas.days += [DayCount("haihau", "", 86_400, views, 1), DayCount("haihau", "bai-1", 86_400, views, 1)]
    deltas.spans += [SpanCount("haihau", "hour", 90_000, views, 1)]
    deltas.online += [Online("haihau", "", 1000, [views, 0, 3]), Online("haihau", "bai-1", 1000, [])]
    deltas.ledger["haihau", 0, "counted", ""] += views
    deltas.first_sights += [FirstSight("haihau", 86_400, visitor, "bai-1", 86_700, 90_000) for visitor in visitors]
    return deltas


async def total(pool: asyncpg.Pool, measure: str = "views") -> int:
    query = f"SELECT coalesce(sum({measure}), 0) FROM stats.counts WHERE grain = 'total' AND article = ''"
    return int(await pool.fetchval(query))


async def stands(pool: asyncpg.Pool, part: int = 0, beginning: int = 0) -> Position:
    return (await read_positions(pool, "page-views", {part: beginning}, LOG))[part]


async def test_a_batch_moves_counts_and_offset_together(pool: asyncpg.Pool) -> None:
    """After a batch both its counts and its offset are there, added to what was there before."""
    for turn in range(3):
        position = await stands(pool)
        assert position.next_offset == turn * 10
        await apply(
            pool,
            "page-views",
            0,
            some_deltas(2),
            position=position,
            new=position._replace(next_offset=position.next_offset + 10),
        )
    assert await total(pool) == 6
    assert await pool.fetchval("SELECT readers FROM stats.online WHERE article = ''") == [2, 0, 3]
    assert await pool.fetchval("SELECT readers FROM stats.online WHERE article = 'bai-1'") == []
    assert await pool.fetchval("SELECT events FROM stats.ledger") == 6


async def test_a_stale_position_changes_nothing(pool: asyncpg.Pool) -> None:
    """Whoever holds an old position, or an old epoch, is fenced off, and nothing is counted."""
    position = await stands(pool)
    await apply(pool, "page-views", 0, some_deltas(), position=position, new=position._replace(next_offset=5))
    now = await stands(pool)
    for stale in (position, now._replace(epoch=1), now._replace(next_offset=4), now._replace(gen=2)):
        with pytest.raises(Fenced):
            await apply(pool, "page-views", 0, some_deltas(), position=stale, new=position._replace(next_offset=9))
    assert await total(pool) == 1
    assert (await stands(pool)).next_offset == 5


async def test_of_two_at_once_one_wins(pool: asyncpg.Pool) -> None:
    """Ten counters that apply the same batch at the same moment count it once."""
    position = await stands(pool)
    new = position._replace(next_offset=5)
    tries = [apply(pool, "page-views", 0, some_deltas(), position=position, new=new) for _ in range(10)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == 9
    assert await total(pool) == 1


async def test_a_visitor_counts_once_a_day_over_all_batches(pool: asyncpg.Pool) -> None:
    """A key that an earlier batch brought, on whatever partition, makes no second visitor of the day."""
    for part, visitors in ((0, (1, -2)), (0, (-2,)), (1, (-2, 3))):
        position = await stands(pool, part)
        await apply(
            pool,
            "page-views",
            part,
            some_deltas(1, visitors),
            position=position,
            new=position._replace(next_offset=position.next_offset + 1),
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


@pytest.mark.parametrize("cuts", [(), (1, 150, 199, 200, 201, 450)])
async def test_made_up_hosts_share_a_row(pool: asyncpg.Pool, cuts: tuple[int, ...]) -> None:
    """However it is cut into batches, the first 200 hosts of a day are told apart and the rest is one, as recounted."""
    hosts = [*(f"h{number}.example" for number in range(300)), "h7.example", "h299.example", None, "x"] * 2
    records = []
    for place, host in enumerate(hosts):
        event = PageEvent(id=str(UUID(int=place)), visitor=f"{place:016x}", referrer=host, **VIEW)
        records.append(Record(place, NOON, msgspec.json.encode(event)))
    memory = Memory()
    for begin, end in pairwise([0, *cuts, len(records)]):
        position = await stands(pool)
        deltas = count(records[begin:end], memory, SITES)
        await apply(pool, "page-views", 0, deltas, position=position, new=position._replace(next_offset=end))
    rows = await pool.fetch("SELECT site, day, host, visits FROM stats.referrers")
    stored = {tuple(row)[:3]: row["visits"] for row in rows}
    assert stored == {tuple(origin): visits for origin, visits in recount({0: records}, SITES).referrers.items()}
    assert len(stored) == 202
    assert sum(stored.values()) == len(records) == await total(pool, "visits")


async def test_a_batch_that_cannot_be_stored_leaves_nothing(pool: asyncpg.Pool) -> None:
    """If any part of a batch is refused, neither its counts nor its offset are there."""
    position = await stands(pool)
    deltas = some_deltas()
    deltas.dead_letters += [DeadLetter(7, "twice", b""), DeadLetter(7, "twice", b"")]
    with pytest.raises(asyncpg.UniqueViolationError):
        await apply(pool, "page-views", 0, deltas, position=position, new=position._replace(next_offset=9))
    assert await total(pool) == 0
    assert await stands(pool) == position


async def test_a_gap_is_noted_and_fences(pool: asyncpg.Pool) -> None:
    """Records that were deleted before they were counted make a row with their number, and the old position is void."""
    position = await stands(pool)
    assert await pass_gap(pool, "page-views", 0, position, 70)
    assert not await pass_gap(pool, "page-views", 0, position, 80)
    moved = await stands(pool)
    assert (moved.next_offset, moved.epoch) == (70, 1)
    row = await pool.fetchrow("SELECT first_lost, next_there FROM stats.gaps")
    assert row is not None
    assert tuple(row) == (0, 70)
    with pytest.raises(Fenced):
        await apply(pool, "page-views", 0, some_deltas(), position=position, new=position._replace(next_offset=9))


async def test_the_log_of_the_counts_is_noted_once(pool: asyncpg.Pool) -> None:
    """The first counter notes which log it counts; another log under the same name does not replace it."""
    assert (await stands(pool)).identity == LOG
    again = await read_positions(pool, "page-views", {0: 0}, Identity("cluster", "another"))
    assert again[0].identity == LOG

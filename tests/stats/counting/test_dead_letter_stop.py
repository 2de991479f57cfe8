"""Partitions that wait for a decision about their unreadable records."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.stats.counting import dead_letter_stop
from services.stats.counting.dead_letter_stop import DeadLetterStops
from services.stats.counting.store import read_positions
from services.stats.metrics import UNREADABLE_PARTITIONS
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool

PLACE = TopicPartition("page-views", 3)


@pytest.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Pool]:
    monkeypatch.setattr(dead_letter_stop, "CHECK_SECONDS", 0.01)
    pool = await open_pool(database, role="presstally_stats", size=2)
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stats.offsets SET epoch = epoch + 1",
        "UPDATE stats.offsets SET next_offset = 9",
        "DELETE FROM stats.offsets",
    ],
)
async def test_wait_ends_when_the_place_changes(pool: asyncpg.Pool, change: str) -> None:
    """A partition waits while its place in Postgres is the same; another epoch, offset or generation ends that."""
    position = (await read_positions(pool, "page-views", {3: 0}, TopicIdentity("c", "t")))[3]
    stops = DeadLetterStops(pool)
    stops.add(PLACE, "why")
    waiting = asyncio.create_task(stops.wait(PLACE, position))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await pool.execute(change)
    await asyncio.wait_for(waiting, 60)
    assert (stops.problem, UNREADABLE_PARTITIONS._value.get()) == (None, 0)


async def test_wait_ends_when_the_partition_is_revoked(pool: asyncpg.Pool) -> None:
    """Of several partitions one is named; when all are taken away, nothing waits any more."""
    position = (await read_positions(pool, "page-views", {3: 0}, TopicIdentity("c", "t")))[3]
    stops = DeadLetterStops(pool)
    stops.add(PLACE, "why")
    stops.add(TopicPartition("page-views", 5), "why")
    assert stops.problem == "page-views-3 (1 other partitions: the same) is not counted: why"
    assert UNREADABLE_PARTITIONS._value.get() == 2
    waiting = asyncio.create_task(stops.wait(PLACE, position))
    stops.clear()
    await asyncio.wait_for(waiting, 60)
    assert stops.problem is None

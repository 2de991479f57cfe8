"""How far everything is counted, against a real Postgres."""

import pytest

from services.stats.counter_api import counted_position
from services.stats.counter_api.counted_position import CountedPosition
from shared.postgres import open_pool

COMMITS = (
    "UPDATE stats.offsets SET next_offset = 6",
    "UPDATE stats.offsets SET epoch = 1",
    "INSERT INTO stats.offsets (topic, partition, next_offset, generation) VALUES ('t', 1, 1, 1)",
    "UPDATE stats.generations SET generation = 2; UPDATE stats.offsets SET generation = 2",
)


async def test_position_after_each_commit_is_another_one(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets, epochs and generations change it; without Postgres there is none."""
    monkeypatch.setattr(counted_position, "SHARED_SECONDS", 0)
    pool = await open_pool(database, role="presstally_stats", size=1)
    await pool.execute("INSERT INTO stats.offsets (topic, partition, next_offset, generation) VALUES ('t', 0, 5, 1)")
    counted = CountedPosition(pool)
    seen = [await counted.read()]
    for statement in COMMITS:
        await pool.execute(statement)
        seen.append(await counted.read())
        assert await counted.read() == seen[-1]
    assert len(set(seen)) == len(seen)
    await pool.close()
    assert await counted.read() is None


async def test_position_within_a_moment_is_shared(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All channels of a process cost one query in each moment."""
    monkeypatch.setattr(counted_position, "SHARED_SECONDS", 3_600)
    pool = await open_pool(database, role="presstally_stats", size=1)
    await pool.execute("INSERT INTO stats.offsets (topic, partition, next_offset, generation) VALUES ('t', 0, 5, 1)")
    counted = CountedPosition(pool)
    first = await counted.read()
    await pool.execute(COMMITS[0])
    assert await counted.read() == first
    await pool.close()

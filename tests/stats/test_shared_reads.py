"""What widgets share: one value at a time, and later ones are read later."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random

import asyncpg
import pytest

from services.stats.shared_reads import ReadContention, SharedRead, Snapshot, open_snapshot, shared_read
from shared.postgres import open_pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=8)
    await pool.execute("INSERT INTO stats.snapshots VALUES (1, 'number', 0, 0, '')")
    yield pool
    await pool.close()


async def number(snapshot: Snapshot) -> bytes:
    value = await snapshot.connection.fetchval("SELECT \"offset\" FROM stats.snapshots WHERE topic = 'number'")
    return str(value).encode()


async def increase(pool: asyncpg.Pool) -> None:
    await pool.execute('UPDATE stats.snapshots SET "offset" = "offset" + 1 WHERE topic = \'number\'')


async def read(pool: asyncpg.Pool, seconds: float = 60.0) -> SharedRead:
    found = await shared_read(pool, "number", seconds, number)
    assert found is not None
    return found


async def test_value_is_the_same_until_it_expires(pool: asyncpg.Pool) -> None:
    """All get what was read first, with the rest of its time; after that it is read again."""
    first = await read(pool, 0.3)
    await increase(pool)
    second = await read(pool, 0.3)
    assert (first.value, second.value) == (b"0", b"0")
    assert second.fresh_until <= first.fresh_until + 0.05
    await asyncio.sleep(0.35)
    assert (await read(pool)).value == b"1"


async def test_value_that_took_too_long_is_not_stored(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that was taken after the expiry could be newer than the next value: it is not stored."""
    monkeypatch.setattr("services.stats.shared_reads.READ_SHARE", 1e9)
    with pytest.raises(ReadContention):
        await shared_read(pool, "number", 0.0, number)
    assert await pool.fetchval("SELECT count(*) FROM stats.shared_reads") == 0


async def test_nothing_is_stored_for_no_value(pool: asyncpg.Pool) -> None:
    """A value that is not to be stored is not returned either."""

    async def nothing(snapshot: Snapshot) -> None:
        return None

    assert await shared_read(pool, "number", 60, nothing) is None
    assert await pool.fetchval("SELECT count(*) FROM stats.shared_reads") == 0


async def test_value_from_before_a_clock_was_set_back_is_replaced(pool: asyncpg.Pool) -> None:
    """A row that was read an hour ahead of the server's clock does not freeze the numbers for an hour."""
    await read(pool)
    hour = timedelta(hours=1)
    await pool.execute("UPDATE stats.shared_reads SET read_at = read_at + $1, valid_until = valid_until + $1", hour)
    await increase(pool)
    assert (await read(pool)).value == b"1"


async def test_snapshot_reads_one_moment(pool: asyncpg.Pool) -> None:
    """What is committed after the first statement is not in it; its time is that of the server."""
    async with pool.acquire() as connection, open_snapshot(connection) as snapshot:
        before = await number(snapshot)
        await increase(pool)
        assert await number(snapshot) == before
        assert snapshot.at <= snapshot.taken_by
        assert abs(snapshot.at_seconds - time.time()) < 60


@pytest.mark.parametrize("seed", range(3))
async def test_no_value_falls_for_a_visitor_of_many_widgets(pool: asyncpg.Pool, seed: int) -> None:
    """Six widgets with caches of their own, values that expire within milliseconds, commits: later is never less."""
    random, cached = Random(seed), [SharedRead(b"-1", 0.0) for _ in range(6)]
    stop = time.monotonic() + 3

    async def commit() -> None:
        while time.monotonic() < stop:
            await increase(pool)

    async def widget(place: int) -> int:
        arrived = time.monotonic()
        if arrived >= cached[place].fresh_until:
            cached[place] = await read(pool, random.choice((0.003, 0.01, 0.03)))
        return int(cached[place].value)

    async def visitor() -> int:
        newest, polls = 0, 0
        while time.monotonic() < stop:
            value = await widget(random.randrange(6))
            assert value >= newest
            newest, polls = value, polls + 1
        return polls

    *_, polls = await asyncio.gather(commit(), visitor(), visitor(), visitor())
    assert polls > 100

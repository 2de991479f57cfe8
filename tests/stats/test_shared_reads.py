"""What widgets share: one value at a time, and later ones are read later."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from math import inf
from random import Random

import asyncpg
import pytest

from services.stats import shared_reads
from services.stats.queries import SQL
from services.stats.shared_reads import ReadTooLate, SharedRead, Snapshot, open_snapshot, shared_read
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
    first = await read(pool, 60)
    ends_by = time.monotonic() + 60
    await increase(pool)
    second = await read(pool, 600)
    assert (first.value, second.value) == (b"0", b"0")
    assert second.fresh_until <= ends_by
    await pool.execute("UPDATE stats.shared_reads SET valid_until = now()")
    assert (await read(pool)).value == b"1"


async def test_value_that_took_too_long_is_not_stored(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that was taken after the expiry could be newer than the next value: it is not stored."""
    monkeypatch.setattr("services.stats.shared_reads.READ_SHARE", 1e9)
    with pytest.raises(ReadTooLate):
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


async def test_read_that_is_always_overtaken_returns_what_was_stored(pool: asyncpg.Pool) -> None:
    """Another widget stores a value during each read, and it expires at once: that value is returned, not cached."""
    overtaken = 0

    async def overtaken_number(snapshot: Snapshot) -> bytes:
        nonlocal overtaken
        overtaken += 1
        value = await number(snapshot)
        await increase(pool)
        begun = await pool.fetchval("SELECT clock_timestamp()")
        until = begun + timedelta(milliseconds=1)
        assert await pool.fetchval(SQL["store_shared_read"], "number", shared_reads.CLOCK_STEP, begun, until, b"newer")
        await asyncio.sleep(0.002)
        return value

    found = await shared_read(pool, "number", 60, overtaken_number)
    assert found is not None
    assert (found.value, overtaken) == (b"newer", 1)
    assert found.fresh_until < time.monotonic()


async def falls(pool: asyncpg.Pool, seed: int, seconds: float, polls_min: float = 300) -> list[tuple[int, int]]:
    """Poll six widgets with caches of their own as three visitors, while a number rises; return where it first fell.

    Values expire within milliseconds. If it does not fall, it is polled for as long and as often as is said.
    """
    random, cached = Random(seed), [SharedRead(b"-1", 0.0) for _ in range(6)]
    stop, polls = time.monotonic() + seconds, 0
    fell: list[tuple[int, int]] = []

    def is_going_on() -> bool:
        return not fell and (time.monotonic() < stop or polls < polls_min)

    async def commit() -> None:
        while is_going_on():
            await increase(pool)

    async def widget(place: int) -> int:
        arrived = time.monotonic()
        if arrived >= cached[place].fresh_until:
            cached[place] = await read(pool, random.choice((0.003, 0.01, 0.03)))
        return int(cached[place].value)

    async def visitor() -> None:
        nonlocal polls
        newest = 0
        while is_going_on():
            value = await widget(random.randrange(6))
            if value < newest:
                fell.append((newest, value))
            newest, polls = value, polls + 1

    await asyncio.gather(commit(), visitor(), visitor(), visitor())
    return fell


@pytest.mark.parametrize("seed", range(3))
async def test_no_value_falls_for_a_visitor_of_many_widgets(pool: asyncpg.Pool, seed: int) -> None:
    """Six widgets, values that expire within milliseconds, commits: what a visitor gets later is never less."""
    assert await falls(pool, seed, 3.0) == []


async def late_and_older_read(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """Let one widget take its snapshot after its value's expiry, and another store an older one after that.

    Returns what the two return, in this order.
    """
    begun, opened, increased, older, released = 0, *(asyncio.Event() for _ in range(4))

    @asynccontextmanager
    async def open_first_late(connection: asyncpg.Connection) -> AsyncIterator[Snapshot]:
        nonlocal begun
        begun += 1
        is_first = begun == 1
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if is_first:
                opened.set()
                await increased.wait()
            row = await connection.fetchrow(SQL["begin_snapshot"])
            assert row is not None
            yield Snapshot(connection, row["begun_at"], row["taken_by"])

    async def slow(snapshot: Snapshot) -> bytes:
        value = await number(snapshot)
        if value == b"0":
            older.set()
            await released.wait()
        return value

    monkeypatch.setattr(shared_reads, "open_snapshot", open_first_late)
    monkeypatch.setattr(shared_reads, "READ_SHARE", 1e9)  # otherwise a value that is read late is valid for longer
    first = asyncio.create_task(shared_read(pool, "number", 0.02, number))
    await opened.wait()
    await asyncio.sleep(0.05)
    second = asyncio.create_task(shared_read(pool, "number", 60, slow))
    await older.wait()
    await increase(pool)
    increased.set()
    earlier = await first
    released.set()
    later = await second
    assert earlier is not None
    assert later is not None
    return earlier.value, later.value


async def test_late_snapshot_is_not_followed_by_an_older_value(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read after its expiry is read again, so that an older value of another widget is refused."""
    assert await late_and_older_read(pool, monkeypatch) == (b"1", b"1")


# --- Negative controls: the proof rests on sharing and on these orders ---------------------------------------------

STORE_ALWAYS = SQL["store_shared_read"].partition("WHERE s.valid_until")[0] + "WHERE $2::interval > '0' RETURNING true"


def read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each widget read for itself."""
    monkeypatch.setitem(SQL, "find_shared_read", SQL["find_shared_read"] + " AND false")
    monkeypatch.setitem(SQL, "store_shared_read", STORE_ALWAYS)


def replace_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a read replace one that other widgets still return."""
    monkeypatch.setitem(SQL, "store_shared_read", STORE_ALWAYS)


@pytest.mark.parametrize("break_it", [read_alone, replace_early])
async def test_reads_without_a_safeguard_fall(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Without any one of the safeguards the same polls find a number that falls: the check above can fail."""
    break_it(monkeypatch)
    async with asyncio.timeout(100):
        assert await falls(pool, 1, 0, polls_min=inf)


async def test_stored_late_snapshot_is_followed_by_an_older_value(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the comparison of the snapshot with the expiry, the number falls."""
    monkeypatch.setitem(SQL, "begin_snapshot", "SELECT now() AS begun_at, now() AS taken_by")
    assert await late_and_older_read(pool, monkeypatch) == (b"1", b"0")

"""Numbers that all widgets return at the same time, so that none falls for a visitor whose requests alternate.

Each widget caches what it reads. If each did so for itself, a visitor behind a balancer would get a new number from one
and an older one from the next. So a number is read by one widget, stored in Postgres, and returned by all of them until
it expires, by the clock of Postgres alone; the next one is read after that instant. Hence all that is returned
at one instant is the same, and what is returned later was read later.

The proof rests on three orders: a snapshot is taken after its transaction's now(); a stored read replaces another only
if its now() is not before the other's expiry; a widget returns a read only until its expiry, computed from the time
before it asked Postgres, and so never too late. Hence a widget whose read was overtaken may return the stored one even
if that has just expired: nobody returns a newer one before that is stored.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from services.stats.queries import SQL
from shared.postgres import Connection

CLOCK_STEP = timedelta(seconds=15)
"""A stored read this far in the future is from before the server's clock was set back. No read takes as long."""
ATTEMPTS_MAX = 5
READ_SHARE = 0.1
"""Most of the time that may be spent with reading one key: what takes long to read is valid for longer."""
VALID_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Snapshot:
    """A REPEATABLE READ transaction: all of its statements read the same state of the database."""

    connection: Connection
    at: datetime
    """Time of the database server just before the snapshot: nothing that was committed before it is missing."""
    taken_by: datetime
    """Time of the database server just after the snapshot."""

    @property
    def at_ms(self) -> int:
        """Milliseconds since 1970 UTC, of `at`."""
        return int(self.at.timestamp() * 1000)

    @property
    def at_seconds(self) -> int:
        """Seconds since 1970 UTC, of `at`."""
        return int(self.at.timestamp())


@dataclass(frozen=True)
class SharedRead:
    """A value, and until when (time.monotonic) it may be returned."""

    value: bytes
    fresh_until: float


class ReadTooLate(TimeoutError):  # noqa: N818 - it names what happened
    """No value could be read before it expired: the server's clock is being set, or reading takes a minute."""


@asynccontextmanager
async def open_snapshot(connection: Connection) -> AsyncIterator[Snapshot]:
    """Begin a transaction in which all statements read the same moment.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(SQL["begin_snapshot"])
        assert row is not None, "it has no condition"
        yield Snapshot(connection, row["begun_at"], row["taken_by"])


async def shared_read(
    pool: asyncpg.Pool,
    key: str,
    valid_seconds: float,
    load: Callable[[Snapshot], Awaitable[bytes | None]],
) -> SharedRead | None:
    """Return the value that all widgets return now; read and store it if it has expired.

    Args:
        pool: Postgres, with rights to write `stats.shared_reads`.
        key: Identifies the value and the format of its bytes.
        valid_seconds: How long it is returned; longer if it takes long to read.
        load: Reads the value within a snapshot. None: it is not to be stored, and nothing is returned.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    async with pool.acquire() as connection:
        for _ in range(ATTEMPTS_MAX):
            stored = await _find(connection, key)
            if stored is not None and time.monotonic() < stored.fresh_until:
                return stored
            asked = time.monotonic()
            async with open_snapshot(connection) as snapshot:
                value = await load(snapshot)
            if value is None:
                return None
            took = time.monotonic() - asked
            valid = timedelta(seconds=max(valid_seconds, min(took / READ_SHARE, VALID_SECONDS_MAX)))
            # A snapshot that was taken after the expiry could be newer than the next read.
            if snapshot.taken_by >= snapshot.at + valid:
                continue
            if await connection.fetchval(
                SQL["store_shared_read"], key, CLOCK_STEP, snapshot.at, snapshot.at + valid, value
            ):
                return SharedRead(value, asked + valid.total_seconds())
            overtaking = await _find(connection, key)
            if overtaking is not None:
                return overtaking
    raise ReadTooLate(f"{key} was not read before it expired, {ATTEMPTS_MAX} times")


async def _find(connection: Connection, key: str) -> SharedRead | None:
    """Return the stored read; it may have expired."""
    asked = time.monotonic()
    found = await connection.fetchrow(SQL["find_shared_read"], key, CLOCK_STEP)
    return None if found is None else SharedRead(found["value"], asked + found["valid_seconds"])

"""Postgres: a pool under the service's own role, and named queries from `.sql` files."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final, TypeAlias

import asyncpg
import asyncpg.pool

from shared.retry import OnWaiting, retry_until_done

POSTGRES_DATA_ERRORS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,  # values that asyncpg rejects before they are sent
)
"""Values that Postgres never stores, such as a text with a NUL. Catch these before POSTGRES_UNAVAILABLE."""

POSTGRES_UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server ended while the pool lent it
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)
"""What a lost, restarted or busy Postgres raises. After any of these the outcome of a commit is unknown. Other
errors (a missing table, a denied permission) are programming or configuration errors: they stop the process."""

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection that a pool has lent."""

POOLS: set[asyncpg.Pool] = set()
"""The pools that this process opened, for its metrics; `shared/process_metrics.py` drops those that were closed."""

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0
"""After which an unused connection is closed: each is a process of Postgres with some megabytes."""
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@asynccontextmanager
async def listening(
    connection: Connection, channel: str, woken: asyncio.Event | None = None
) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set by each notification on a channel, as transactions of all processes commit them.

    Args:
        connection: It listens. If it is lost, notifications are, too: use it for a query from time to time.
        channel: Its name.
        woken: The event; default: a new one.
    """
    event = woken or asyncio.Event()

    def wake(*_: object) -> None:
        event.set()

    await connection.add_listener(channel, wake)
    try:
        yield event
    finally:
        await connection.remove_listener(channel, wake)


class NamedQueries(dict[str, str]):
    """Named SQL statements of one file. A name that is not there is a KeyError at import time of its user."""


def read_queries(package: str, file: str = "sql/queries.sql") -> NamedQueries:
    """Read the statements of a `.sql` file: each begins with a line `-- name: what_it_does`."""
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    queries = NamedQueries(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    if len(queries) * 2 != len(parts):
        raise ValueError(f"{package}/{file} names a query twice")
    return queries


class _PooledConnection(asyncpg.Connection):
    """A connection that is lent again as it is: resetting its session would double the number of statements.

    An open transaction is rolled back and listeners are forgotten in any case. Nothing else may outlast the loan:
    settings are local to transactions, and whatever takes a lock or listens ends it.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


async def open_pool(
    url: str,
    *,
    role: str,
    size: int = 8,
    statement_timeout_seconds: float = 10,
    wait: bool = True,
    on_waiting: OnWaiting | None = None,
) -> asyncpg.Pool:
    """Open a pool whose connections act as `role`, and wait for as long as Postgres is unavailable.

    Args:
        url: postgresql://…, of a login that may act as the role.
        role: The service's database role; it can write its own schema only.
        size: Most connections at once.
        statement_timeout_seconds: The server ends a statement that takes longer.
        wait: If not, it connects at the first use, and an unavailable Postgres is met there.
        on_waiting: Called with the reason while it waits, and with None at the end.

    Raises:
        asyncpg.InvalidPasswordError: and other errors that waiting does not mend.
    """
    pool = await retry_until_done(
        lambda: asyncpg.create_pool(
            url,
            connection_class=_PooledConnection,
            min_size=1 if wait else 0,
            timeout=CONNECT_SECONDS,
            max_size=size,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            command_timeout=statement_timeout_seconds + 2,
            server_settings={
                "role": role,
                "application_name": role,
                "statement_timeout": str(int(statement_timeout_seconds * 1000)),
                "idle_in_transaction_session_timeout": "5000",
                "lock_timeout": "5000",
                "timezone": "UTC",
            },
        ),
        on=POSTGRES_UNAVAILABLE,
        what="connect to Postgres",
        on_waiting=on_waiting,
    )
    POOLS.add(pool)
    return pool

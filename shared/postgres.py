"""Postgres: a pool under the service's own role, and named queries from `.sql` files."""

import asyncio
import re
from importlib.resources import files
from typing import Final, TypeAlias

import asyncpg
import asyncpg.pool

from shared.logs import log

POSTGRES_DATA_ERRORS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,  # asyncpg's own refusals of values, before they are sent
)
"""What Postgres cannot store, however often it is tried, such as a text with a NUL. Catch it before POSTGRES_AWAY."""

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
errors (a missing table, a refused permission) are faults of ours: they stop the process."""

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection that a pool has lent."""

POOLS: set[asyncpg.Pool] = set()
"""The pools that this process opened, for its metrics; `shared/process_metrics.py` drops those that were closed."""

CONNECT_RETRY_SECONDS = 0.5
CONNECT_SECONDS = 5.0
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


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


async def open_pool(
    url: str, *, role: str, size: int = 8, statement_timeout_seconds: float = 10, wait: bool = True
) -> asyncpg.Pool:
    """Open a pool whose connections act as `role`, waiting for as long as Postgres is away.

    Args:
        url: postgresql://…, of a login that may act as the role.
        role: The service's database role; it can write its own schema only.
        size: Most connections at once.
        statement_timeout_seconds: The server ends a statement that takes longer.
        wait: If not, it connects at the first use, and its user meets an absent Postgres there.

    Raises:
        asyncpg.InvalidPasswordError: and other refusals that waiting does not mend.
    """
    said = False
    while True:
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1 if wait else 0,
                timeout=CONNECT_SECONDS,
                max_size=size,
                command_timeout=statement_timeout_seconds + 2,
                server_settings={
                    "role": role,
                    "application_name": role,
                    "statement_timeout": str(int(statement_timeout_seconds * 1000)),
                    "idle_in_transaction_session_timeout": "5000",
                    "lock_timeout": "5000",
                    "timezone": "UTC",
                },
            )
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError):
            raise
        except POSTGRES_UNAVAILABLE as error:
            if not said:
                log.warning("Postgres is not there yet; waiting for it", reason=repr(error))
                said = True
            await asyncio.sleep(CONNECT_RETRY_SECONDS)
        else:
            POOLS.add(pool)
            return pool

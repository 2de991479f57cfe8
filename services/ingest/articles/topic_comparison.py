"""Articles cannot be changed before the database was compared with the topics since it may have been restored.

A restored database would give versions, numbers and old URLs again that were given after its backup. Whether it is one,
is decided in Postgres, for every process and replica (`ingest.is_compared`), and once more at the start of a process.
"""

import math
from datetime import datetime

import asyncpg

from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import retry_until_done, run_periodically

CLOSED_POLL_SECONDS = 0.25
OPEN_POLL_SECONDS = 2.0
RETRY_SECONDS = 2
NOT_COMPARED = "the database has not been compared with Kafka's topics yet"


class NotComparedError(Exception):
    """The database was not compared with the topics since it may have been restored; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(NOT_COMPARED)


async def check_compared(connection: "asyncpg.Pool | Connection") -> None:
    """Check that articles may be changed.

    Raises:
        NotComparedError: they may not.
    """
    if not await connection.fetchval(SQL["is_compared"]):
        raise NotComparedError


def not_compared_problem() -> Problem:
    """Return the problem of a request that cannot be served before the comparison."""
    detail = f"Articles cannot be changed now: {NOT_COMPARED}. Retry later with the same Idempotency-Key."
    return Problem(503, detail, headers={"retry-after": str(RETRY_SECONDS)})


class ComparisonGate:
    """Whether this process may change articles: since its start, the relay has compared the database with the topics.

    Args:
        pool: Of the service's database.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._is_open = False

    def not_ready(self) -> list[str]:
        """Return why articles cannot be changed, for `/readyz`."""
        return [] if self._is_open else [NOT_COMPARED]

    def check(self) -> None:
        """Check that articles may be changed.

        Raises:
            Problem: 503 if they may not.
        """
        if not self._is_open:
            raise not_compared_problem()

    async def watch(self) -> None:
        """Read the state of the comparison, until cancelled."""
        started_at: datetime = await retry_until_done(
            lambda: self._pool.fetchval("SELECT clock_timestamp()"), on=POSTGRES_UNAVAILABLE, what="read the time"
        )
        waited = math.inf

        async def read() -> None:
            nonlocal waited
            waited += CLOSED_POLL_SECONDS
            if not self._is_open or waited >= OPEN_POLL_SECONDS:
                self._is_open = bool(await self._pool.fetchval(SQL["is_compared_since"], started_at))
                waited = 0.0

        await run_periodically(
            read, every_seconds=CLOSED_POLL_SECONDS, on=POSTGRES_UNAVAILABLE, what="read the state of the comparison"
        )

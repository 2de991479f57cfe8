"""Articles cannot be changed before the database was compared with the topics since it may have been restored.

A restored database would give versions, numbers and old URLs again that were given after its backup. Whether it is one,
is decided in Postgres, for every process and replica (`ingest.is_compared`), and once more at the start of a process.
"""

import asyncio
import contextlib
import time
from datetime import datetime

import asyncpg

from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import retry_until_done, run_periodically

CLOSED_POLL_SECONDS = 0.25
OPEN_POLL_SECONDS = 2.0
RETRY_SECONDS = 2
START_WAIT_SECONDS = 15.0
"""A comparison takes place every few seconds: requests that reach a process at its start wait for it."""
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
    return Problem(503, detail, headers={"retry-after": str(RETRY_SECONDS)}, code="starting")


class ComparisonGate:
    """Whether this process may change articles: since its start, the relay has compared the database with the topics.

    Args:
        pool: Of the service's database.
        start_wait_seconds: How long after the start requests wait for the comparison before they are refused.
    """

    def __init__(self, pool: asyncpg.Pool, *, start_wait_seconds: float = START_WAIT_SECONDS) -> None:
        self._pool = pool
        self._open = asyncio.Event()
        self._wait_until = time.monotonic() + start_wait_seconds

    def not_ready(self) -> list[str]:
        """Return why articles cannot be changed, for `/readyz`."""
        return [] if self._open.is_set() else [NOT_COMPARED]

    async def check(self) -> None:
        """Check that articles may be changed; soon after the start, wait until they may.

        So no request fails while the replicas of a service are replaced one by one.

        Raises:
            Problem: 503 if they may not.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._open.wait(), self._wait_until - time.monotonic())
        if not self._open.is_set():
            raise not_compared_problem()

    async def watch(self) -> None:
        """Read the state of the comparison, until cancelled."""
        started_at: datetime = await retry_until_done(
            lambda: self._pool.fetchval("SELECT clock_timestamp()"), on=POSTGRES_UNAVAILABLE, what="read the time"
        )

        async def read() -> None:
            if await self._pool.fetchval(SQL["is_compared_since"], started_at):
                self._open.set()
                await asyncio.sleep(OPEN_POLL_SECONDS - CLOSED_POLL_SECONDS)
            else:
                self._open.clear()

        await run_periodically(
            read, every_seconds=CLOSED_POLL_SECONDS, on=POSTGRES_UNAVAILABLE, what="read the state of the comparison"
        )

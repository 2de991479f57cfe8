"""How far everything is counted, as one number: as long as it stays, no counter has risen.

A live stream looks at it ten times a second, which costs a small part of reading a counter.
"""

import asyncio
import time

import asyncpg

from services.stats.queries import SQL
from shared.postgres import POSTGRES_UNAVAILABLE

SHARED_SECONDS = 0.05
"""So long one look serves all channels of a process."""


class CountedPosition:
    """The position of all partitions of the current generation together.

    Args:
        pool: Postgres.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._reading = asyncio.Lock()
        self._position: str | None = None
        self._read_at = float("-inf")

    async def read(self) -> str | None:
        """Return the position, at most SHARED_SECONDS old; None while Postgres is unavailable."""
        async with self._reading:
            now = time.monotonic()
            if now - self._read_at >= SHARED_SECONDS:
                try:
                    self._position = await self._pool.fetchval(SQL["counted_position"])
                except POSTGRES_UNAVAILABLE:
                    self._position = None
                self._read_at = now
            return self._position

"""Days that no record can change any more."""

from collections.abc import Mapping

import asyncpg

from services.stats.queries import SQL
from shared.topics import PAGE_VIEWS

SETTLED_SECONDS = 97 * 3_600
"""An event is at most 48 hours old when it arrives, a day has at most 25, and 24 are for clocks that are set back."""
BEGINNING = -(2**53)
"""Before all days."""


async def settled_before(pool: asyncpg.Pool, generation: int, log_ends: Mapping[int, int]) -> int:
    """Return the start before which no record can change a bucket any more.

    It follows from the oldest arrival that a record can have which is not counted yet: that of the newest one that is
    counted, of the partition if the counters are behind there, of all if they are not.

    Args:
        pool: Postgres.
        generation: Of the counters.
        log_ends: Partition → end of its log.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    newest: int = await pool.fetchval(SQL["newest_counted"])
    rows = await pool.fetch(SQL["read_partitions"], generation, PAGE_VIEWS.name, list(log_ends))
    counted = {row["partition"]: (row["next_offset"], row["newest_arrived"]) for row in rows}
    arrivals = []
    for number, end in log_ends.items():
        next_offset, newest_arrived = counted.get(number, (0, 0))
        arrivals.append(newest if next_offset >= end else min(newest, newest_arrived))
    oldest = min(arrivals, default=0)
    return oldest // 1000 - SETTLED_SECONDS if oldest else BEGINNING

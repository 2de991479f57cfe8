"""Continuous checks of the counts: records read against the ledger, and totals against the sums of their days.

Each record has an offset of its own, so a partition's offset is the number of records that it has passed, and the
ledger must have as many entries. That is exact, needs one query, and reads no log. `verify` recounts the log itself.
"""

from collections.abc import Iterable

import asyncpg

from services.stats.metrics import DIFFERENCE
from services.stats.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.sites import Sites

RECONCILE_SECONDS = 30.0


async def run_reconciliation(pool: asyncpg.Pool, sites: Sites) -> None:
    """Check until cancelled. While Postgres is unavailable there are no gauges: a gap is better than an old value."""

    async def reconcile() -> None:
        try:
            found = await differences(pool, sites)
        except POSTGRES_UNAVAILABLE:
            DIFFERENCE.clear()
            raise
        for check, events in found.items():
            DIFFERENCE.labels(check).set(events)
            if events:
                log.error("counts do not add up; run `presstally stats verify`", check=check, by=events)

    await run_periodically(
        reconcile, every_seconds=RECONCILE_SECONDS, on=POSTGRES_UNAVAILABLE, what="reconcile the counts"
    )


async def differences(pool: asyncpg.Pool, sites: Iterable[str]) -> dict[str, int]:
    """Return by how many events each check fails, over all partitions: {"ledger": n, "totals": n}.

    Raises:
        POSTGRES_UNAVAILABLE: the counts cannot be read now.
    """
    (found,) = await pool.fetch(SQL["read_differences"], list(sites))
    return dict(found)

"""What is not needed any more: keys of days that are decided, steps that no window shows, who was online long ago."""

import asyncpg

from services.stats.counting.state import ONLINE_STEP_MILLISECONDS
from services.stats.queries import SQL
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically

PRUNE_SECONDS = 3_600
DAY_SECONDS = 86_400
VISITOR_DAYS = 12
"""The log keeps records for 7 days and an event may be 2 days late: after 12 nothing can ask for a key again."""
STEP_DAYS = 40
ONLINE_KEPT_SECONDS = 3_600


async def prune(pool: asyncpg.Pool) -> None:
    """Delete old rows once an hour. Time is that of the newest record counted, not this machine's."""

    async def delete_old_rows() -> None:
        now = await pool.fetchval(SQL["newest_arrived"]) // 1000
        await pool.execute(
            SQL["prune"],
            now - VISITOR_DAYS * DAY_SECONDS,
            now - STEP_DAYS * DAY_SECONDS,
            (now - ONLINE_KEPT_SECONDS) * 1000 // ONLINE_STEP_MILLISECONDS,
        )

    await run_periodically(
        delete_old_rows, every_seconds=PRUNE_SECONDS, on=POSTGRES_UNAVAILABLE, what="delete old rows"
    )

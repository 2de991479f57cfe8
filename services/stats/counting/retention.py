"""What is not needed any more: keys of days that are decided, steps that no window shows, who was online long ago."""

import asyncio

import asyncpg

from services.stats.counting.state import ONLINE_STEP_MILLISECONDS
from services.stats.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

PRUNE_SECONDS = 3_600
DAY_SECONDS = 86_400
VISITOR_DAYS = 12
"""The log keeps records for 7 days and an event may be 2 days late: after 12 nothing can ask for a key again."""
STEP_DAYS = 40
ONLINE_KEPT_SECONDS = 3_600


async def prune(pool: asyncpg.Pool) -> None:
    """Run for ever, once an hour. Time is that of the newest record counted, not this machine's."""
    while True:
        try:
            now = await pool.fetchval(SQL["newest_arrived"]) // 1000
            await pool.execute(
                SQL["prune"],
                now - VISITOR_DAYS * DAY_SECONDS,
                now - STEP_DAYS * DAY_SECONDS,
                (now - ONLINE_KEPT_SECONDS) * 1000 // ONLINE_STEP_MILLISECONDS,
            )
        except POSTGRES_UNAVAILABLE as error:
            log.warning("Old rows were not dropped; trying again", reason=repr(error))
        await asyncio.sleep(PRUNE_SECONDS)

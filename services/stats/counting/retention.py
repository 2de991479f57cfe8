"""Deletes expired rows: visitor IDs of days without further events, old 5m buckets, presence, state and reads."""

import asyncpg

from services.stats.counting.state import PRESENCE_BUCKET_MS, WINDOW_MS
from services.stats.queries import SQL
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically

PRUNE_SECONDS = 3_600
READS_PRUNE_SECONDS = 15
"""A client that reads all articles' counters makes thousands of these rows a second; each is valid for a second."""
DAY_SECONDS = 86_400
VISITOR_DAYS = 12
"""The log keeps records for 7 days and an event may be 2 days late: after 12 days no event can refer to an ID again."""
BUCKET_5M_DAYS = 40
ONLINE_KEPT_SECONDS = 3_600


async def run_retention(pool: asyncpg.Pool) -> None:
    """Delete expired rows once an hour.

    Time is that of the newest record counted, bounded by Postgres' clock: after an outage nothing expires before it is
    counted, and a record that is stamped far ahead expires nothing.
    """

    async def delete_expired() -> None:
        now = await pool.fetchval(SQL["newest_counted"]) // 1000
        await pool.execute(
            SQL["delete_expired"],
            now - VISITOR_DAYS * DAY_SECONDS,
            now - BUCKET_5M_DAYS * DAY_SECONDS,
            (now - ONLINE_KEPT_SECONDS) * 1000 // PRESENCE_BUCKET_MS,
            (now - VISITOR_DAYS * DAY_SECONDS) * 1000 // WINDOW_MS,
        )

    await run_periodically(
        delete_expired, every_seconds=PRUNE_SECONDS, on=POSTGRES_UNAVAILABLE, what="delete expired rows"
    )


async def run_reads_retention(pool: asyncpg.Pool) -> None:
    """Delete what widgets have shared and nobody may return any more, every few seconds."""

    async def delete_expired() -> None:
        await pool.execute(SQL["delete_expired_reads"])

    await run_periodically(
        delete_expired, every_seconds=READS_PRUNE_SECONDS, on=POSTGRES_UNAVAILABLE, what="delete expired reads"
    )

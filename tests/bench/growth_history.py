"""A history of years, written straight into Postgres in the shape in which the counter leaves it."""

import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shared.postgres import read_queries
from shared.topics import PAGE_VIEWS
from tests.bench.load import PARTITIONS, SITE

SQL = read_queries("tests.bench", "growth.sql")
DAYS = 365
LOG_DAYS = 6
"""Of these the last ones are in the log; it keeps seven."""
STEP_DAYS = 20
DAY, HOUR = 86_400, 3_600
ZONE_SECONDS = 7 * HOUR
BUCKET_5M_DAYS, VISITOR_DAYS = 40, 12
"""As long as the counter keeps them."""


def log_begin(now: float) -> int:
    """Return the start of the local day with which the log begins."""
    return (int(now) + ZONE_SECONDS) // DAY * DAY - ZONE_SECONDS - LOG_DAYS * DAY


async def simulate(database: str, views: int, articles: int) -> int:
    """Write the days before the log into an empty database; return their views, about `views`."""
    connection = await asyncpg.connect(database, command_timeout=3_600)
    try:
        await connection.execute(
            "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'"
        )
        await connection.execute(SQL["simulate_articles"], SITE, articles)
        await connection.execute(SQL["simulate_links"], articles)
        async with _without_indexes(connection):
            await _write_counts(connection, views, articles)
        await _write_others(connection)
        await connection.execute("ANALYZE")
        await connection.execute("CHECKPOINT")
        return int(await connection.fetchval(SQL["history_views"]))
    finally:
        await connection.close()


async def _write_counts(connection: Any, views: int, articles: int) -> None:
    end = log_begin(time.time())
    first, days = end - (DAYS - LOG_DAYS) * DAY, DAYS - LOG_DAYS
    of_day = views / DAYS / PARTITIONS
    for day in range(0, days, STEP_DAYS):
        span = day, min(days, day + STEP_DAYS)
        await connection.execute(SQL["simulate_article_days"], SITE, articles, of_day, *span, days, PARTITIONS, first)
    await connection.execute(SQL["simulate_site_days"])
    await connection.execute(SQL["simulate_parts"], "day", "hour", 0, 24, HOUR)
    await connection.execute(SQL["simulate_parts"], "hour", "5m", end + LOG_DAYS * DAY - BUCKET_5M_DAYS * DAY, 12, 300)
    await connection.execute(SQL["simulate_totals"])


async def _write_others(connection: Any) -> None:
    recent = log_begin(time.time()) + (LOG_DAYS - VISITOR_DAYS) * DAY
    for name in ("known_articles", "referrers", "ledger"):
        await connection.execute(SQL[f"simulate_{name}"])
    for name in ("visitor_days", "evidence"):
        await connection.execute(SQL[f"simulate_{name}"], recent)
    for name in ("offsets", "new_log"):
        await connection.execute(SQL[f"simulate_{name}"], PAGE_VIEWS.name)


@asynccontextmanager
async def _without_indexes(connection: Any) -> Iterator[None]:
    """Add the indexes of the counts afterwards: one by one they would take most of the time."""
    definitions = [row["indexdef"] for row in await connection.fetch(SQL["index_definitions"])]
    await connection.execute("ALTER TABLE stats.counts DROP CONSTRAINT counts_pkey")
    for one in definitions:
        await connection.execute(f"DROP INDEX IF EXISTS stats.{one.split(' INDEX ')[1].split()[0]}")
    yield
    for one in definitions:
        await connection.execute(one)
    await connection.execute("ALTER TABLE stats.counts ADD CONSTRAINT counts_pkey PRIMARY KEY USING INDEX counts_pkey")

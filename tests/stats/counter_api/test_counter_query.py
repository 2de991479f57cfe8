"""The values of a counter: windows, partitions, online and adjustments."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from services.stats.counter_api.counter_query import CounterValues, read_counter
from services.stats.local_calendar import bucket_5m_start, day_start, hour_start, week_start
from services.stats.shared_reads import open_snapshot
from shared.postgres import open_pool
from shared.sites import Site

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
DAY_MS = 86_400_000
INSERT = """
INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
VALUES ($1, 'haihau', $2, $3, $4, $5, $6, $7, $8)
"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=1)
    yield pool
    await pool.close()


async def read(pool: asyncpg.Pool, *arguments: Any) -> CounterValues:
    async with pool.acquire() as connection, open_snapshot(connection) as snapshot:
        return await read_counter(snapshot, *arguments)


async def test_read_counter_calendar_sums_local_day_week_and_total(pool: asyncpg.Pool) -> None:
    """Today and the week are local days of all partitions; adjustments are in the total only; generations are apart."""
    now = time.time_ns() // 1_000_000
    today, week = day_start(now, SITE.zone), week_start(now, SITE.zone, SITE.first_weekday_number)
    await pool.executemany(
        INSERT,
        [
            (1, "", "day", today, 0, 3, 2, 1),
            (1, "", "day", today, 1, 4, 2, 1),
            (1, "", "day", week - 86_400, 0, 90, 90, 90),
            (1, "", "total", 0, 0, 100, 50, 20),
            (1, "bai-1", "day", today, 0, 2, 1, 1),
            (2, "", "total", 0, 0, 7_777, 7_777, 7_777),
        ],
    )
    await pool.execute(
        "INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at) "
        "VALUES ('a', 'haihau', '', 'views', 1000, 'An', 'opening', now())"
    )
    views = await read(pool, SITE, None, "views", "calendar")
    assert (views.today, views.week, views.total, views.online) == (7, 7, 1_100, 0)
    visits = await read(pool, SITE, None, "visits", "calendar")
    assert (visits.today, visits.total) == (4, 50)
    article = await read(pool, SITE, "bai-1", "views", "calendar")
    assert (article.today, article.total, article.article) == (2, 0, "bai-1")
    assert views.timezone == "Asia/Ho_Chi_Minh"
    assert datetime.fromisoformat(views.as_of).utcoffset() == datetime.now(SITE.zone).utcoffset()


async def test_read_counter_rolling_sums_5m_buckets_and_hours(pool: asyncpg.Pool) -> None:
    """The rolling day is the 5m buckets of 24 hours, the rolling week the hours of 7 days."""
    now = time.time_ns() // 1_000_000
    first_5m, first_hour = bucket_5m_start(now - DAY_MS), hour_start(now - 7 * DAY_MS, SITE.zone)
    await pool.executemany(
        INSERT,
        [
            (1, "", "5m", first_5m + 300, 0, 3, 0, 0),
            (1, "", "5m", first_5m - 300, 0, 50, 0, 0),
            (1, "", "hour", first_hour + 3_600, 0, 11, 0, 0),
            (1, "", "hour", first_hour - 3_600, 0, 500, 0, 0),
        ],
    )
    counter = await read(pool, SITE, None, "views", "rolling")
    assert (counter.today, counter.week) == (3, 11)


async def test_read_counter_online_has_the_last_300_seconds(pool: asyncpg.Pool) -> None:
    """Visitors of all partitions whose last event is less than 300 s old are online."""
    bucket = int(time.time()) // 5
    rows = [(0, bucket - 3, [2, 0, 1]), (1, bucket - 70, [50, *[0] * 60, 1]), (2, bucket - 100, [7, 7])]
    insert = "INSERT INTO stats.online (generation, site, article, partition, first_bucket, visitors) "
    await pool.executemany(f"{insert} VALUES (1, 'haihau', '', $1, $2, $3)", rows)
    assert (await read(pool, SITE, None, "visits", "calendar")).online == 4

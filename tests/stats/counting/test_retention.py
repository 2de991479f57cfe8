"""Expired rows are deleted, and the others stay."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.counting.retention import (
    BUCKET_5M_DAYS,
    ONLINE_KEPT_SECONDS,
    READS_PRUNE_SECONDS,
    VISITOR_DAYS,
    run_reads_retention,
    run_retention,
)
from services.stats.queries import SQL
from shared.postgres import open_pool

NEWEST = 1_700_000_000
"""Before Postgres' clock, which bounds it."""
DAY = 86_400
AHEAD = int(time.time()) + 400 * DAY


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=2)
    yield pool
    await pool.close()


async def test_retention_deletes_rows_older_than_the_newest_record_allows(pool: asyncpg.Pool) -> None:
    """Rows expire by the arrival of the newest counted record; hours, days and totals never do."""
    offsets = "INSERT INTO stats.offsets (generation, topic, partition, next_offset, newest_arrived) VALUES "
    await pool.execute(f"{offsets} (1, 'page-views', 0, 5, $1)", NEWEST * 1000)
    visitors = "INSERT INTO stats.visitor_days (generation, site, day, visitor) VALUES (1, 'haihau', $1, 1)"
    for day in (NEWEST - VISITOR_DAYS * DAY, NEWEST - VISITOR_DAYS * DAY - 1):
        await pool.execute(visitors, day)
    counts = "INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition) VALUES "
    for grain in ("5m", "hour", "day", "total"):
        for start in (NEWEST - BUCKET_5M_DAYS * DAY, NEWEST - BUCKET_5M_DAYS * DAY - 300):
            await pool.execute(f"{counts} (1, 'haihau', '', $1, $2, 0)", grain, start)
    online = "INSERT INTO stats.online (generation, site, article, partition, first_bucket, visitors) VALUES "
    oldest = (NEWEST - ONLINE_KEPT_SECONDS) // 5
    for number, first_bucket in enumerate((oldest - 3, oldest - 4)):
        await pool.execute(f"{online} (1, 'haihau', '', $1, $2, '{{1, 0, 2}}')", number, first_bucket)
    task = asyncio.create_task(run_retention(pool))
    deadline = time.monotonic() + 10
    while await pool.fetchval("SELECT count(*) FROM stats.counts WHERE grain = '5m'") == 2:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await pool.fetchval("SELECT array_agg(day) FROM stats.visitor_days") == [NEWEST - VISITOR_DAYS * DAY]
    assert await pool.fetchval("SELECT array_agg(partition) FROM stats.online") == [0]
    left = await pool.fetch("SELECT grain, count(*) AS rows FROM stats.counts GROUP BY grain")
    assert dict(map(tuple, left)) == {"5m": 1, "hour": 2, "day": 2, "total": 2}


async def test_retention_after_a_record_stamped_far_ahead_deletes_nothing(pool: asyncpg.Pool) -> None:
    """One record that is stamped 400 days ahead leaves the 5m buckets, visitor IDs and presence of now as they are."""
    now = int(time.time())
    offsets = "INSERT INTO stats.offsets (generation, topic, partition, next_offset, newest_arrived) VALUES "
    await pool.execute(f"{offsets} (1, 'page-views', 0, 1, $1), (1, 'page-views', 1, 1, $2)", now * 1000, AHEAD * 1000)
    columns = "site, article, grain, bucket_start, partition, generation"
    await pool.execute(f"INSERT INTO stats.counts ({columns}) VALUES ('haihau', '', '5m', $1, 0, 1)", now // 300 * 300)
    await pool.execute("INSERT INTO stats.visitor_days VALUES ('haihau', $1, 7, 1)", now - DAY)
    await pool.execute("INSERT INTO stats.online VALUES (1, 'haihau', '', 0, $1, '{1}')", now // 5)
    task = asyncio.create_task(run_retention(pool))
    await asyncio.sleep(0.5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for table in ("counts", "visitor_days", "online"):
        assert await pool.fetchval(f"SELECT count(*) FROM stats.{table}") == 1, table


async def test_shared_reads_that_nobody_may_return_are_deleted(pool: asyncpg.Pool) -> None:
    """Expired reads of counters are deleted within seconds; they stayed for an hour, thousands a second."""
    insert = "INSERT INTO stats.shared_reads VALUES ($1, now(), now() + $2::text::interval, '')"
    for key, valid in (("old", "-1 hour"), ("just expired", "0 seconds"), ("valid", "1 hour")):
        await pool.execute(insert, key, valid)
    task = asyncio.create_task(run_reads_retention(pool))
    deadline = time.monotonic() + 60
    while await pool.fetchval("SELECT count(*) FROM stats.shared_reads") == 3:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert READS_PRUNE_SECONDS <= 60
    assert await pool.fetchval("SELECT array_agg(key ORDER BY key) FROM stats.shared_reads") == [
        "just expired",
        "valid",
    ]


async def test_retention_reads_no_days_of_articles(database: str) -> None:
    """Expired buckets are found by an index: the hourly work does not grow with articles and years."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition) "
        "SELECT 1, 'haihau', 'bai-' || n % 200, 'day', n / 200 * 86400, 0 FROM generate_series(0, 29_999) AS n"
    )
    await connection.execute("ANALYZE stats.counts")
    await connection.execute(f"PREPARE expired AS {SQL['delete_expired']}")
    plan = await connection.fetch("EXPLAIN EXECUTE expired (0, 0, 0, 0)")
    await connection.close()
    assert not [row for row in plan if "Seq Scan on counts" in row[0]]

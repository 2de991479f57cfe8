"""The data of the statistics page, read through the cache."""

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.local_calendar import day_start, hour_start
from services.stats.statistics.report import ReportReader
from services.stats.statistics.top_articles import DayRange
from shared.postgres import open_pool
from shared.sites import Site

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=4)
    yield pool
    await pool.close()


async def count(pool: asyncpg.Pool, views: int) -> None:
    now = time.time_ns() // 1_000_000
    rows = [
        ("", "day", day_start(now, SITE.zone)),
        ("", "hour", hour_start(now, SITE.zone)),
        ("", "total", 0),
        ("bai-1", "day", day_start(now, SITE.zone)),
        ("bai-1", "total", 0),
    ]
    for article, grain, start in rows:
        await pool.execute(
            "INSERT INTO stats.counts AS c "
            "(generation, site, article, grain, bucket_start, partition, views, visits, visitors) "
            "VALUES (1, 'haihau', $1, $2, $3, 0, $4, $4, $4) "
            "ON CONFLICT (generation, site, article, grain, bucket_start, partition) "
            "DO UPDATE SET views = c.views + $4",
            article,
            grain,
            start,
            views,
        )


async def test_page_of_a_period_has_all_of_its_data(pool: asyncpg.Pool) -> None:
    """Counter, series, comparisons, lists, ledger, referrers and the time of the newest record are read."""
    await count(pool, 5)
    await pool.execute(
        "INSERT INTO stats.offsets (generation, topic, partition, next_offset, newest_arrived) "
        "VALUES (1, 'page-views', 0, 9, 1795496400000)"
    )
    await pool.execute(
        "INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at) VALUES "
        "('a', 'haihau', '', 'visits', 700, 'An', 'w', now()), ('b', 'haihau', '', 'views', 9, 'An', 'w', now())"
    )
    day = day_start(time.time_ns() // 1_000_000, SITE.zone)
    await pool.execute(
        "INSERT INTO stats.ledger (generation, site, day, outcome, reason, partition, events) "
        "VALUES (1, 'haihau', $1, 'counted', '', 0, 5)",
        day,
    )
    page = await ReportReader(pool).page(SITE, "7d")
    assert (page.counter.measure, page.counter.total, page.adjusted) == ("visits", 705, 700)
    assert (len(page.series.counts), page.series.total.views) == (7, 5)
    assert set(page.comparisons) == {"24h", "7d", "30d", "365d"}
    assert {period: [one.article for one in articles] for period, articles in page.most_read.items()} == {
        "today": ["bai-1"],
        "week": ["bai-1"],
        "always": ["bai-1"],
    }
    assert page.ledger.outcomes == {"counted": 5}
    assert (page.referrers, list(page.online), page.counted_until) == ([], [], 1_795_496_400)


async def test_series_within_its_age_is_read_once(pool: asyncpg.Pool) -> None:
    """The same series is not read again within its age; another range is."""
    await count(pool, 5)
    reader, now = ReportReader(pool), int(time.time())
    day = day_start(now * 1000, SITE.zone)
    assert (await reader.series(SITE, "day", lambda _: (day, day + 1))).total.views == 5
    await count(pool, 3)
    assert (await reader.series(SITE, "day", lambda _: (day, day + 1))).total.views == 5
    assert (await reader.series(SITE, "day", lambda _: (day - 86_400, day + 1))).total.views == 8


def test_age_of_a_long_range_is_longer() -> None:
    """Today is cached for seconds, a year and all time for a minute."""
    today, month, always = DayRange("day", 0, 86_400), DayRange("day", 0, 30 * 86_400), DayRange("total", 0, 1)
    assert [ReportReader._age(one) for one in (today, month, always)] == [5.0, 60.0, 60.0]

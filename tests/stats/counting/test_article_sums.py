"""Sums over spans of days, made and read in a real Postgres, and compared with plain sums."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from services.stats.admin.verify.article_sums import read_article_sums
from services.stats.counting import article_sums
from services.stats.counting.article_spans import DAY, LONG, SHORT
from services.stats.counting.article_sums import sum_settled_days
from services.stats.shared_reads import open_snapshot
from services.stats.statistics.top_articles import DayRange, read_sections, read_top_articles
from services.stats.statistics.top_pages import read_top_pages
from shared.postgres import open_pool
from shared.sites import Site

NOW = int(time.time())
DAYS = 150
TODAY = NOW // DAY * DAY - 7 * 3_600
NAMES = [*(f"bai-{number}" for number in range(9)), "/trang", "/lien-he"]
SITES = {
    slug: Site(slug=slug, name="H", origins=[f"https://{slug}.example"], timezone="Asia/Ho_Chi_Minh")
    for slug in ("haihau", "giao-thuy")
}


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


async def fill(pool: asyncpg.Pool, seed: int) -> list[tuple[Any, ...]]:
    """Store days of two sites on three partitions, with their totals; return the days."""
    chance = random.Random(seed)
    days: list[tuple[Any, ...]] = [
        (slug, name, "day", TODAY - day * DAY, part, *(chance.randrange(0, 50) for _ in range(3)))
        for slug in SITES
        for name in NAMES
        for day in range(DAYS)
        for part in range(3)
        if chance.random() < 0.4
    ]
    totals: dict[tuple[str, str, int], list[int]] = {}
    for slug, name, _, _, part, *numbers in days:
        total = totals.setdefault((slug, name, part), [0, 0, 0])
        total[:] = map(sum, zip(total, numbers, strict=True))
    rows = [(slug, name, "total", 0, part, *total) for (slug, name, part), total in totals.items()]
    await pool.executemany(
        "INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors) "
        "VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8)",
        [*days, *rows],
    )
    return days


async def lists(pool: asyncpg.Pool, site: Site, span: DayRange) -> tuple[dict[str, int], dict[str, int], int]:
    """Return the views of articles, of pages and of all sections, as lists of a range have them."""
    async with pool.acquire() as connection, open_snapshot(connection) as snapshot:
        articles = await read_top_articles(snapshot, site, span, "views", None, public_only=False)
        pages = await read_top_pages(snapshot, site, span, "views")
        sections = await read_sections(snapshot, site, span)
    found = {one.article: one.counts.views for one in articles}
    assert list(found.items()) == sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return found, {one.page: one.counts.views for one in pages}, sum(one.counts.views for one in sections)


async def check_lists(pool: asyncpg.Pool, days: list[tuple[Any, ...]], chance: random.Random) -> None:
    """Compare lists of all time and of random ranges with plain sums."""
    for _ in range(6):
        begin, end = sorted(TODAY - chance.randrange(-2, DAYS + 9) * DAY for _ in range(2))
        for span in (DayRange("total", 0, 1), DayRange("day", begin, end + DAY)):
            for slug, site in SITES.items():
                sums: Counter[str] = Counter()
                for of_site, name, _, start, _, views, *_ in days:
                    if of_site == slug and (span.grain == "total" or span.begin <= start < span.end):
                        sums[name] += views
                seen = {name: views for name, views in sums.items() if views}
                articles = {name: views for name, views in seen.items() if not name.startswith("/")}
                pages = {name: views for name, views in seen.items() if name.startswith("/")}
                assert await lists(pool, site, span) == (articles, pages, sum(articles.values())), span


@pytest.mark.parametrize("seed", range(3))
async def test_lists_are_the_same_however_much_is_summed(pool: asyncpg.Pool, seed: int) -> None:
    """Without sums, while they are made and afterwards, each list is that of the days, and no sum differs."""
    chance, days = random.Random(seed), await fill(pool, seed)
    await check_lists(pool, days, chance)
    for settled in (0, *sorted(TODAY - chance.randrange(DAYS) * DAY - 5 for _ in range(3)), TODAY - 4 * DAY - 1):
        await sum_settled_days(pool, 1, settled)
        await check_lists(pool, days, chance)
        async with pool.acquire() as connection:
            assert (await read_article_sums(connection, 1)).differences == ()
    (bounds,) = await pool.fetch("SELECT before, of_8_days, of_64_days FROM stats.summed_until")
    before, short, long = bounds
    assert TODAY - 6 * DAY < before <= TODAY - 4 * DAY
    assert (before - short < SHORT, short - long < LONG) == (True, True)


async def test_two_counters_sum_each_day_once(pool: asyncpg.Pool) -> None:
    """A counter that comes second leaves it to the first, or goes on behind it."""
    days = await fill(pool, 7)
    await asyncio.gather(*(sum_settled_days(pool, 1, TODAY - 4 * DAY) for _ in range(4)))
    await sum_settled_days(pool, 1, TODAY - 4 * DAY)
    await check_lists(pool, days, random.Random(7))
    async with pool.acquire() as connection:
        found = await read_article_sums(connection, 1)
    assert found.differences == ()
    assert found.rows > 100


async def test_counter_that_is_killed_leaves_nothing_half(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is summed and how far is one transaction: the next counter goes on where the last whole span ended."""
    days = await fill(pool, 8)
    for place in range(3):
        whole = article_sums._sum
        calls: list[Any] = []

        async def killed(*arguments: Any, whole: Any = whole, calls: list[Any] = calls, place: int = place) -> None:
            await whole(*arguments)
            calls.append(arguments)
            if len(calls) > 2 * place + 1:
                raise asyncpg.AdminShutdownError("terminating connection")

        with monkeypatch.context() as patch:
            patch.setattr(article_sums, "_sum", killed)
            with pytest.raises(asyncpg.AdminShutdownError):
                await sum_settled_days(pool, 1, TODAY - 4 * DAY)
        await check_lists(pool, days, random.Random(place))
    await sum_settled_days(pool, 1, TODAY - 4 * DAY)
    await check_lists(pool, days, random.Random(9))


async def test_generation_that_is_gone_gets_no_sums(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild that deletes the bounds meanwhile makes the sum fail and nothing of it stay."""
    await fill(pool, 9)
    whole = article_sums._sum

    async def deleted_meanwhile(connection: Any, *arguments: Any) -> None:
        await whole(connection, *arguments)
        await pool.execute("DELETE FROM stats.summed_until")

    monkeypatch.setattr(article_sums, "_sum", deleted_meanwhile)
    with pytest.raises(asyncpg.SerializationError):
        await sum_settled_days(pool, 1, TODAY - 4 * DAY)
    assert await pool.fetchval("SELECT count(*) FROM stats.article_sums") == 0

"""The data of the statistics page, read through a cache: each query has its own maximum age."""

import asyncio
import time

import asyncpg

from services.stats.counter_api.counter_query import read_counter
from services.stats.queries import SQL, STATISTICS_SQL
from services.stats.statistics.answer_cache import AnswerCache
from services.stats.statistics.page_data import PageData
from services.stats.statistics.periods import PERIOD_BUCKETS, BucketSize, Period, period_edges
from services.stats.statistics.time_series import (
    Comparison,
    TimeSeries,
    read_comparison,
    read_ledger,
    read_referrers,
    read_series,
)
from services.stats.statistics.top_articles import (
    DayRange,
    SectionCounts,
    TopArticle,
    range_of,
    read_online_now,
    read_sections,
    read_top_articles,
)
from shared.events import Measure
from shared.sites import Site

NOW_SECONDS, TODAY_SECONDS, DAYS_SECONDS, LONG_SECONDS = 2.0, 5.0, 15.0, 60.0
AGES: dict[Period, float] = {"24h": TODAY_SECONDS, "7d": DAYS_SECONDS, "30d": LONG_SECONDS, "365d": LONG_SECONDS}
LONG_SPAN_SECONDS = 8 * 86_400
PAGE_ARTICLES = 10


class ReportReader:
    """Reads the statistics of all sites, for one process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._cache = AnswerCache()

    async def series(
        self,
        site: Site,
        step: BucketSize,
        begin: int,
        end: int,
        *,
        article: str | None = None,
        section: str | None = None,
    ) -> TimeSeries:
        """Return a series; see `read_series`."""
        age = TODAY_SECONDS if end - begin <= LONG_SPAN_SECONDS else DAYS_SECONDS
        return await self._cache.get(
            ("series", site.slug, step, begin, end, article, section),
            LONG_SECONDS if section else age,
            lambda: read_series(self._pool, site, step, begin, end, article=article, section=section),
        )

    async def top_articles(
        self, site: Site, span: DayRange, measure: Measure, section: str | None = None, *, public_only: bool = False
    ) -> list[TopArticle]:
        """Return the 100 top articles."""
        return await self._cache.get(
            ("most read", site.slug, span, measure, section, public_only),
            self._age(span),
            lambda: read_top_articles(self._pool, site, span, measure, section, public_only=public_only),
        )

    async def online_now(
        self, site: Site, section: str | None = None, *, public_only: bool = False
    ) -> list[TopArticle]:
        """Return the 100 articles with the most active visitors."""
        return await self._cache.get(
            ("online", site.slug, section, public_only),
            NOW_SECONDS,
            lambda: read_online_now(self._pool, site, section, public_only=public_only),
        )

    async def sections(self, site: Site, span: DayRange) -> list[SectionCounts]:
        """Return the counts of each section."""
        return await self._cache.get(
            ("sections", site.slug, span), self._age(span), lambda: read_sections(self._pool, site, span)
        )

    async def page(self, site: Site, period: Period) -> PageData:
        """Return the data of the page."""
        edges = period_edges(period, int(time.time()), site)
        today = range_of("today", site)
        tops = {one: range_of(one, site) for one in ("today", "week", "always")}
        counter, adjusted, series, ledger, referrers, online, until, *lists = await asyncio.gather(
            self._cache.get(
                ("counter", site.slug),
                NOW_SECONDS,
                lambda: read_counter(self._pool, site, None, site.default_measure, "calendar"),
            ),
            self._cache.get(("adjusted", site.slug), DAYS_SECONDS, lambda: self._adjustment_total(site)),
            self.series(site, PERIOD_BUCKETS[period], edges[0], edges[-1]),
            self._cache.get(
                ("ledger", site.slug, period, today), TODAY_SECONDS, lambda: read_ledger(self._pool, site, period)
            ),
            self._cache.get(
                ("referrers", site.slug, period, today), AGES[period], lambda: read_referrers(self._pool, site, period)
            ),
            self.online_now(site),
            self._cache.get("until", NOW_SECONDS, lambda: self._pool.fetchval(SQL["newest_counted"])),
            *(self.top_articles(site, span, "views") for span in tops.values()),
        )
        comparisons = {one: await self._comparison(site, one) for one in PERIOD_BUCKETS}
        most_read = {one: articles[:PAGE_ARTICLES] for one, articles in zip(tops, lists, strict=True)}
        return PageData(
            counter,
            adjusted,
            period,
            series,
            comparisons,
            most_read,
            online[:PAGE_ARTICLES],
            ledger,
            referrers,
            until // 1000,
        )

    async def _comparison(self, site: Site, period: Period) -> Comparison:
        return await self._cache.get(
            ("comparison", site.slug, period), AGES[period], lambda: read_comparison(self._pool, site, period)
        )

    async def _adjustment_total(self, site: Site) -> int:
        rows = await self._pool.fetch(STATISTICS_SQL["adjustment_totals"], site.slug)
        amount: int = dict(map(tuple, rows)).get(site.default_measure, 0)
        return amount

    @staticmethod
    def _age(span: DayRange) -> float:
        if span.grain == "total" or span.end - span.begin > LONG_SPAN_SECONDS:
            return LONG_SECONDS
        return TODAY_SECONDS if span.end - span.begin < LONG_SPAN_SECONDS // 4 else DAYS_SECONDS

"""What the statistics show, gathered from short-lived answers: each question has its own age."""

import asyncio
import time

import asyncpg

from services.stats.counter_api.counter_query import read_counter
from services.stats.queries import SQL, STATISTICS_SQL
from services.stats.statistics.answer_cache import Fresh
from services.stats.statistics.page_data import Numbers
from services.stats.statistics.periods import PERIOD_STEPS, Period, Step, period_edges
from services.stats.statistics.time_series import (
    Comparison,
    Series,
    read_comparison,
    read_ledger,
    read_referrers,
    read_series,
)
from services.stats.statistics.top_articles import (
    DaySpan,
    Read,
    SectionCounts,
    read_most_read,
    read_online_now,
    read_sections,
    span_of,
)
from shared.events import Measure
from shared.sites import Site

NOW_SECONDS, TODAY_SECONDS, DAYS_SECONDS, LONG_SECONDS = 2.0, 5.0, 15.0, 60.0
AGES: dict[Period, float] = {"24h": TODAY_SECONDS, "7d": DAYS_SECONDS, "30d": LONG_SECONDS, "365d": LONG_SECONDS}
LONG_SPAN_SECONDS = 8 * 86_400
PAGE_ARTICLES = 10


class Gathering:
    """Reads of all sites, for one process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._fresh = Fresh()

    async def series(
        self, site: Site, step: Step, begin: int, end: int, *, article: str | None = None, section: str | None = None
    ) -> Series:
        """Return a series; see `read_series`."""
        age = TODAY_SECONDS if end - begin <= LONG_SPAN_SECONDS else DAYS_SECONDS
        return await self._fresh.get(
            ("series", site.slug, step, begin, end, article, section),
            LONG_SECONDS if section else age,
            lambda: read_series(self._pool, site, step, begin, end, article=article, section=section),
        )

    async def most_read(
        self, site: Site, span: DaySpan, measure: Measure, section: str | None = None, *, public_only: bool = False
    ) -> list[Read]:
        """Return the 100 articles read most."""
        return await self._fresh.get(
            ("most read", site.slug, span, measure, section, public_only),
            self._age(span),
            lambda: read_most_read(self._pool, site, span, measure, section, public_only=public_only),
        )

    async def online_now(self, site: Site, section: str | None = None, *, public_only: bool = False) -> list[Read]:
        """Return the 100 articles that most readers are on now."""
        return await self._fresh.get(
            ("online", site.slug, section, public_only),
            NOW_SECONDS,
            lambda: read_online_now(self._pool, site, section, public_only=public_only),
        )

    async def sections(self, site: Site, span: DaySpan) -> list[SectionCounts]:
        """Return what was read in each section."""
        return await self._fresh.get(
            ("sections", site.slug, span), self._age(span), lambda: read_sections(self._pool, site, span)
        )

    async def page(self, site: Site, period: Period) -> Numbers:
        """Return all that the page shows."""
        edges = period_edges(period, int(time.time()), site)
        today = span_of("today", site)
        tops = {one: span_of(one, site) for one in ("today", "week", "always")}
        counter, adjusted, series, ledger, referrers, online, until, *lists = await asyncio.gather(
            self._fresh.get(
                ("counter", site.slug),
                NOW_SECONDS,
                lambda: read_counter(self._pool, site, None, site.default_measure, "calendar"),
            ),
            self._fresh.get(("adjusted", site.slug), DAYS_SECONDS, lambda: self._adjusted(site)),
            self.series(site, PERIOD_STEPS[period], edges[0], edges[-1]),
            self._fresh.get(
                ("ledger", site.slug, period, today), TODAY_SECONDS, lambda: read_ledger(self._pool, site, period)
            ),
            self._fresh.get(
                ("referrers", site.slug, period, today), AGES[period], lambda: read_referrers(self._pool, site, period)
            ),
            self.online_now(site),
            self._fresh.get("until", NOW_SECONDS, lambda: self._pool.fetchval(SQL["newest_counted"])),
            *(self.most_read(site, span, "views") for span in tops.values()),
        )
        comparisons = {one: await self._comparison(site, one) for one in PERIOD_STEPS}
        most_read = {one: articles[:PAGE_ARTICLES] for one, articles in zip(tops, lists, strict=True)}
        return Numbers(
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
        return await self._fresh.get(
            ("comparison", site.slug, period), AGES[period], lambda: read_comparison(self._pool, site, period)
        )

    async def _adjusted(self, site: Site) -> int:
        rows = await self._pool.fetch(STATISTICS_SQL["adjustment_totals"], site.slug)
        amount: int = dict(map(tuple, rows)).get(site.default_measure, 0)
        return amount

    @staticmethod
    def _age(span: DaySpan) -> float:
        if span.grain == "total" or span.end - span.begin > LONG_SPAN_SECONDS:
            return LONG_SECONDS
        return TODAY_SECONDS if span.end - span.begin < LONG_SPAN_SECONDS // 4 else DAYS_SECONDS

"""The data of the statistics page and of its exports. All numbers of one answer are read in one snapshot.

Numbers of different ages contradict each other: more views today than in 7 days. So the page is one cached report of
one moment, the same for all widgets; each table of an export is read in one snapshot, too.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import asyncpg
import msgspec

from services.stats.counter_api.counter_query import read_counter
from services.stats.queries import SQL, STATISTICS_SQL
from services.stats.shared_reads import Snapshot, open_snapshot, shared_read
from services.stats.statistics.answer_cache import AnswerCache
from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.page_data import PageData
from services.stats.statistics.periods import (
    PERIOD_BUCKETS,
    BucketSize,
    Period,
    TopPeriod,
    bucket_start,
    period_days,
    period_edges,
    start_before,
)
from services.stats.statistics.time_series import (
    ALWAYS,
    TimeSeries,
    read_comparison,
    read_exclusions,
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
from services.stats.statistics.top_pages import TopPage, read_pages_online_now, read_top_pages
from services.stats.suspects.evidence_reader import read_suspects
from shared.events import Measure
from shared.sites import Site

_T = TypeVar("_T")
RangeAt: TypeAlias = Callable[[int], _T]
"""Returns the requested range at an instant (seconds). What is read has that of its snapshot: "today" is the day of
`as_of`, also if midnight is between the request and the snapshot, or if the clock of this machine is wrong."""
NOW_SECONDS, TODAY_SECONDS, DAYS_SECONDS, LONG_SECONDS = 2.0, 5.0, 15.0, 60.0
PAGE_SECONDS = 3.0
"""The page is valid for so long, or for ten times as long as it takes to read, but at most for a minute."""
LONG_SPAN_SECONDS = 8 * 86_400
PAGE_ARTICLES = 10
PAGE_TOP_PERIODS: tuple[TopPeriod, ...] = ("today", "week", "always")


@dataclass(frozen=True)
class TopReport:
    """Most read articles and sections of one moment."""

    as_of: int
    """Seconds since 1970 UTC."""
    articles: list[TopArticle]
    sections: list[SectionCounts]
    exclusions: list[ExclusionNote] = field(default_factory=list)
    """Those that touch the range."""


@dataclass(frozen=True)
class PagesReport:
    """Most read pages of one moment."""

    as_of: int
    """Seconds since 1970 UTC."""
    pages: list[TopPage]
    exclusions: list[ExclusionNote] = field(default_factory=list)
    """Those that touch the range."""


@dataclass(frozen=True)
class ReferrersReport:
    """Visits by referring host, of one moment."""

    as_of: int
    """Seconds since 1970 UTC."""
    counted: list[tuple[str, int]]
    """(host, visits), most first, as stored."""
    exclusions: list[ExclusionNote]
    """Those that touch the range."""


class ReportReader:
    """Reads the statistics of all sites, for one process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._cache = AnswerCache()

    async def series(
        self,
        site: Site,
        step: BucketSize,
        range_at: RangeAt[tuple[int, int]],
        *,
        article: str | None = None,
        section: str | None = None,
    ) -> TimeSeries:
        """Return a series; see `read_series`.

        Raises:
            InvalidRange: of `range_at`, and if there are too many buckets.
        """
        begin, end = range_at(int(time.time()))
        age = TODAY_SECONDS if end - begin <= LONG_SPAN_SECONDS else DAYS_SECONDS

        async def read(snapshot: Snapshot) -> TimeSeries:
            return await read_series(
                snapshot, site, step, *range_at(snapshot.at_seconds), article=article, section=section
            )

        edges = bucket_start(begin, step, site), bucket_start(end - 1, step, site)
        return await self._cache.get(
            ("series", *_key(site), step, *edges, article, section),
            LONG_SECONDS if section else age,
            lambda: self._in_snapshot(read),
        )

    async def top_articles(
        self,
        site: Site,
        range_at: RangeAt[DayRange],
        measure: Measure,
        section: str | None = None,
        *,
        public_only: bool = False,
        with_sections: bool = False,
    ) -> TopReport:
        """Return the 100 top articles, and if wanted the counts of each section."""
        span = range_at(int(time.time()))

        async def read(snapshot: Snapshot) -> TopReport:
            span = range_at(snapshot.at_seconds)
            articles = await read_top_articles(snapshot, site, span, measure, section, public_only=public_only)
            sections = await read_sections(snapshot, site, span) if with_sections else []
            return TopReport(snapshot.at_seconds, articles, sections, await _exclusions_of(snapshot, site, span))

        return await self._cache.get(
            ("most read", *_key(site), span, measure, section, public_only, with_sections),
            self._age(span),
            lambda: self._in_snapshot(read),
        )

    async def online_now(self, site: Site, section: str | None = None, *, public_only: bool = False) -> TopReport:
        """Return the 100 articles with the most active visitors."""

        async def read(snapshot: Snapshot) -> TopReport:
            articles = await read_online_now(snapshot, site, section, public_only=public_only)
            return TopReport(snapshot.at_seconds, articles, [])

        return await self._cache.get(
            ("online", *_key(site), section, public_only), NOW_SECONDS, lambda: self._in_snapshot(read)
        )

    async def top_pages(self, site: Site, range_at: RangeAt[DayRange] | None, measure: Measure) -> PagesReport:
        """Return the 100 top pages of a range, or those that are read now."""
        span = range_at(int(time.time())) if range_at is not None else None

        async def read(snapshot: Snapshot) -> PagesReport:
            if range_at is None:
                return PagesReport(snapshot.at_seconds, await read_pages_online_now(snapshot, site))
            span = range_at(snapshot.at_seconds)
            pages = await read_top_pages(snapshot, site, span, measure)
            return PagesReport(snapshot.at_seconds, pages, await _exclusions_of(snapshot, site, span))

        age = NOW_SECONDS if span is None else self._age(span)
        return await self._cache.get(("pages", site.slug, span, measure), age, lambda: self._in_snapshot(read))

    async def sections(self, site: Site, range_at: RangeAt[DayRange]) -> TopReport:
        """Return the counts of each section."""
        span = range_at(int(time.time()))

        async def read(snapshot: Snapshot) -> TopReport:
            span = range_at(snapshot.at_seconds)
            sections = await read_sections(snapshot, site, span)
            return TopReport(snapshot.at_seconds, [], sections, await _exclusions_of(snapshot, site, span))

        return await self._cache.get(("sections", *_key(site), span), self._age(span), lambda: self._in_snapshot(read))

    async def referrers(self, site: Site, range_at: RangeAt[DayRange]) -> ReferrersReport:
        """Return the visits of each referring host."""
        span = range_at(int(time.time()))

        async def read(snapshot: Snapshot) -> ReferrersReport:
            span = range_at(snapshot.at_seconds)
            counted = await read_referrers(snapshot, site, *_days_of(span))
            return ReferrersReport(snapshot.at_seconds, counted, await _exclusions_of(snapshot, site, span))

        return await self._cache.get(("referrers", site.slug, span), self._age(span), lambda: self._in_snapshot(read))

    async def refused_origins(self, site: Site) -> tuple[int, list[tuple[str, int]]]:
        """Return the moment (seconds) and the refused origins; see `read_refused_origins`."""

        async def read(snapshot: Snapshot) -> tuple[int, list[tuple[str, int]]]:
            return snapshot.at_seconds, await read_refused_origins(snapshot, site)

        return await self._cache.get(("refused", site.slug), TODAY_SECONDS, lambda: self._in_snapshot(read))

    async def page(self, site: Site, period: Period) -> PageData:
        """Return the data of the page: of one moment, and the same for all widgets."""
        key = msgspec.json.encode(
            ["page", FORMAT, site.slug, period, site.timezone, site.first_weekday, site.default_measure]
        ).decode()

        async def load(snapshot: Snapshot) -> bytes:
            return msgspec.json.encode(await read_page(snapshot, site, period))

        async def read() -> tuple[PageData, float]:
            found = await shared_read(self._pool, key, PAGE_SECONDS, load)
            assert found is not None, "a page is always stored"
            return msgspec.json.decode(found.value, type=PageData), found.fresh_until

        return await self._cache.get_valid(key, read)

    async def _in_snapshot(self, read: Callable[[Snapshot], Awaitable[_T]]) -> _T:
        async with self._pool.acquire() as connection, open_snapshot(connection) as snapshot:
            return await read(snapshot)

    @staticmethod
    def _age(span: DayRange) -> float:
        if span.grain == "total" or span.end - span.begin > LONG_SPAN_SECONDS:
            return LONG_SECONDS
        return TODAY_SECONDS if span.end - span.begin < LONG_SPAN_SECONDS // 4 else DAYS_SECONDS


def _key(site: Site) -> tuple[str, int]:
    """Return what answers by section depend on: the site, and the version of its structure."""
    return site.slug, 0 if site.structure is None else site.structure.version


async def _exclusions_of(snapshot: Snapshot, site: Site, span: DayRange) -> list[ExclusionNote]:
    """Return the exclusions that touch a range."""
    return await read_exclusions(snapshot, site, *_days_of(span))


def _days_of(span: DayRange) -> tuple[int, int]:
    """Return the begin and the end of a range in seconds since 1970 UTC."""
    return (0, ALWAYS) if span.grain == "total" else (span.begin, span.end)


async def read_page(snapshot: Snapshot, site: Site, period: Period) -> PageData:
    """Read all numbers of the page in one snapshot.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    now = snapshot.at_seconds
    edges = period_edges(period, now, site)
    most_read = {
        one: await read_top_articles(snapshot, site, range_of(one, now, site), "views", None, public_only=False)
        for one in PAGE_TOP_PERIODS
    }
    adjusted = await snapshot.connection.fetch(STATISTICS_SQL["adjustment_totals"], site.slug)
    online = await read_online_now(snapshot, site, None, public_only=False)
    pages = {one: await read_top_pages(snapshot, site, range_of(one, now, site), "views") for one in PAGE_TOP_PERIODS}
    return PageData(
        counter=await read_counter(snapshot, site, None, site.default_measure, "calendar"),
        adjusted=dict(map(tuple, adjusted)).get(site.default_measure, 0),
        period=period,
        series=await read_series(
            snapshot, site, PERIOD_BUCKETS[period], edges[0], edges[-1], article=None, section=None
        ),
        comparisons={one: await read_comparison(snapshot, site, one) for one in PERIOD_BUCKETS},
        most_read={one: articles[:PAGE_ARTICLES] for one, articles in most_read.items()},
        online=online[:PAGE_ARTICLES],
        pages={one: top[:PAGE_ARTICLES] for one, top in pages.items()},
        pages_online=(await read_pages_online_now(snapshot, site))[:PAGE_ARTICLES],
        ledger=await read_ledger(snapshot, site, period),
        referrers=await read_referrers(snapshot, site, *period_days(period, now, site)),
        refused_origins=await read_refused_origins(snapshot, site),
        exclusions=await read_exclusions(snapshot, site, 0, ALWAYS),
        suspects=[
            one
            for at in (now, start_before(bucket_start(now, "day", site), "day", 1, site))
            for one in await read_suspects(snapshot.connection, site, at)
        ],
        counted_until=await snapshot.connection.fetchval(SQL["newest_counted"]) // 1000,
    )


async def read_refused_origins(snapshot: Snapshot, site: Site) -> list[tuple[str, int]]:
    """Return the origins whose views were refused yesterday and today (UTC), and their number."""
    since = snapshot.at_seconds // 86_400 - 1
    return [tuple(row) for row in await snapshot.connection.fetch(STATISTICS_SQL["refused_origins"], site.slug, since)]


FORMAT = hashlib.sha256(msgspec.json.encode(msgspec.json.schema(PageData))).hexdigest()[:8]
"""Widgets of two versions share a page if they write it the same way."""

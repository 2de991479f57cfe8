"""Postgres → most read and online now, with titles and links; sections."""

import time

import asyncpg
import msgspec

from services.stats.counting.rules import ONLINE_MS
from services.stats.counting.state import PRESENCE_BUCKET_MS
from services.stats.queries import STATISTICS_SQL as SQL
from services.stats.statistics.periods import TopPeriod, top_span
from services.stats.statistics.time_series import Counts
from shared.events import Measure
from shared.sites import Site

LIMIT_MAX = 100


class Read(msgspec.Struct, frozen=True):
    """An article and its numbers."""

    article: str
    title: str | None
    """None if it was killed, or if only its id is known."""
    section: str | None
    state: str | None
    """As the topic `articles` has it; None if it was never there."""
    path: str | None
    """Where the portal serves it now."""
    counts: Counts = Counts()
    online: int = 0


class SectionCounts(msgspec.Struct, frozen=True):
    """A section and its numbers; the slug is empty for articles that no section is known of."""

    section: str
    articles: int
    counts: Counts


class DaySpan(msgspec.Struct, frozen=True):
    """What most read is asked for: days from begin to before end, or everything (`total`)."""

    grain: str
    begin: int
    end: int


def span_of(period: TopPeriod, site: Site) -> DaySpan:
    """Return the span of a period, as it is now."""
    return DaySpan(*top_span(period, int(time.time()), site))


async def read_most_read(
    pool: asyncpg.Pool, site: Site, span: DaySpan, measure: Measure, section: str | None, *, public_only: bool
) -> list[Read]:
    """Return the 100 articles read most. The rows looked at are those of the span's days.

    Args:
        pool: Where the counts are.
        site: Of the articles.
        span: Local days, or everything.
        measure: What they are ordered by. Visits and visitors of an article are those that began on it.
        section: Only articles of this section.
        public_only: Only articles that the portal serves now.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is away.
    """
    rows = await pool.fetch(
        SQL["top_articles"], site.slug, span.grain, span.begin, span.end, measure, section, public_only, LIMIT_MAX
    )
    return [
        Read(article, title, section, state, path, Counts(*numbers))
        for article, title, section, state, path, *numbers in map(tuple, rows)
    ]


async def read_online_now(pool: asyncpg.Pool, site: Site, section: str | None, *, public_only: bool) -> list[Read]:
    """Return the 100 articles that most readers are on now."""
    now = time.time_ns() // 1_000_000
    first_step = (now - ONLINE_MS) // PRESENCE_BUCKET_MS + 1
    rows = await pool.fetch(SQL["online_now"], site.slug, first_step, section, public_only, LIMIT_MAX)
    return [
        Read(article, title, section, state, path, online=online)
        for article, title, section, state, path, online in map(tuple, rows)
    ]


async def read_sections(pool: asyncpg.Pool, site: Site, span: DaySpan) -> list[SectionCounts]:
    """Return what was read in each section."""
    rows = await pool.fetch(SQL["sections"], site.slug, span.grain, span.begin, span.end)
    return [SectionCounts(section, articles, Counts(*numbers)) for section, articles, *numbers in map(tuple, rows)]

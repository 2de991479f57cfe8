"""Postgres → top articles and active articles, with titles and links; sections."""

import msgspec

from services.stats.counting.article_spans import SummedUntil, in_columns, spans_of_all_time, spans_of_days
from services.stats.counting.rules import ONLINE_MS
from services.stats.counting.state import PRESENCE_BUCKET_MS
from services.stats.queries import STATISTICS_SQL as SQL
from services.stats.shared_reads import Snapshot
from services.stats.statistics.periods import TopPeriod, top_range
from services.stats.statistics.time_series import Counts
from shared.events import Measure
from shared.sites import Site

LIMIT_MAX = 100


class TopArticle(msgspec.Struct, frozen=True):
    """An article and its counts."""

    article: str
    title: str | None
    """None if it was killed, or if only its id is known."""
    section: str | None
    state: str | None
    """As in the topic `articles`; None if it was never there."""
    path: str | None
    """Path under which the portal serves it now."""
    counts: Counts = Counts()
    online: int = 0


class SectionCounts(msgspec.Struct, frozen=True):
    """A section and its counts; the slug is empty for articles without a known section."""

    section: str
    articles: int
    counts: Counts


class DayRange(msgspec.Struct, frozen=True):
    """Days from begin to before end, or all time (`total`)."""

    grain: str
    begin: int
    end: int


def range_of(period: TopPeriod, now: int, site: Site) -> DayRange:
    """Return the range of a period at an instant (seconds)."""
    return DayRange(*top_range(period, now, site))


async def read_spans(snapshot: Snapshot, span: DayRange) -> tuple[list[str], list[int], list[int]]:
    """Return the names, begins and ends of the ranges of spans that have each day once, for `stats.article_counts`.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    row = await snapshot.connection.fetchrow(SQL["summed_until"])
    until = SummedUntil(*row[:3]) if row is not None and row["before"] is not None else None
    if span.grain == "total":
        ranges = spans_of_all_time(snapshot.at_seconds, until)
    else:
        ranges = spans_of_days(span.begin, span.end, until)
    return in_columns(ranges)


async def read_top_articles(
    snapshot: Snapshot, site: Site, span: DayRange, measure: Measure, section: str | None, *, public_only: bool
) -> list[TopArticle]:
    """Return the 100 top articles. Only rows of the range's days are read, or sums of them.

    Args:
        snapshot: Of Postgres.
        site: Of the articles.
        span: Local days, or all time.
        measure: The order. Visits and visitors of an article are those that began on it.
        section: Only articles of this section.
        public_only: Only articles that the portal serves now.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    spans = await read_spans(snapshot, span)
    rows = await snapshot.connection.fetch(
        SQL["top_articles"], site.slug, *spans, measure, section, public_only, LIMIT_MAX
    )
    return [
        TopArticle(article, title, section, state, path, Counts(*numbers))
        for article, title, section, state, path, *numbers in map(tuple, rows)
    ]


async def read_online_now(
    snapshot: Snapshot, site: Site, section: str | None, *, public_only: bool
) -> list[TopArticle]:
    """Return the 100 articles with the most active visitors."""
    first_bucket = (snapshot.at_ms - ONLINE_MS) // PRESENCE_BUCKET_MS + 1
    rows = await snapshot.connection.fetch(SQL["online_now"], site.slug, first_bucket, section, public_only, LIMIT_MAX)
    return [
        TopArticle(article, title, section, state, path, online=online)
        for article, title, section, state, path, online in map(tuple, rows)
    ]


async def read_sections(snapshot: Snapshot, site: Site, span: DayRange) -> list[SectionCounts]:
    """Return the counts of each section."""
    rows = await snapshot.connection.fetch(SQL["sections"], site.slug, *await read_spans(snapshot, span))
    return [SectionCounts(section, articles, Counts(*numbers)) for section, articles, *numbers in map(tuple, rows)]

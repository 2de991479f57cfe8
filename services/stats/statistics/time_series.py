"""Postgres → time series and sums: history, comparison, referrers, ledger."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.stats.counting.referrers import DIRECT
from services.stats.counting.rules import WHOLE_SITE
from services.stats.queries import STATISTICS_SQL as SQL
from services.stats.shared_reads import Snapshot
from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.periods import (
    BucketSize,
    Period,
    TimeRange,
    bucket_edges,
    comparison_ranges,
    period_days,
    start_before,
)
from shared.events import OWN_TRAFFIC, Measure
from shared.sites import Site

EXCLUSIONS_MAX = 100
HOSTS_READ_MAX = 5_000
"""Referring hosts of a range; the visits of further ones are those of "(other)"."""
ALWAYS = 2**62
"""Later than every day, in seconds since 1970 UTC."""
MEASURES: tuple[Measure, ...] = ("views", "visits", "visitors")


class Counts(msgspec.Struct, frozen=True):
    """The three measures of one range. Visitors of several days are the sum of the days' visitors."""

    views: int = 0
    visits: int = 0
    visitors: int = 0

    def of(self, measure: Measure) -> int:
        """Return one measure."""
        number: int = getattr(self, measure)
        return number


class TimeSeries(msgspec.Struct, frozen=True):
    """Counts in buckets: `starts` has one more than `counts`, the end of the last one."""

    step: BucketSize
    starts: list[int]
    counts: list[Counts]
    before: Counts
    """As many buckets just before the first one."""
    as_of: int
    exclusions: list[ExclusionNote] = []
    """Those that touch the buckets."""

    @property
    def total(self) -> Counts:
        """The sums of all buckets."""
        return _sum(self.counts)


class Comparison(msgspec.Struct, frozen=True):
    """A period's counts, and the same length of time just before it."""

    whole: Counts
    now: Counts
    """Of the part that is compared."""
    before: Counts | None
    """None if counting began later than this range."""


class Ledger(msgspec.Struct, frozen=True):
    """Outcome of every record that was read, by local day of arrival."""

    outcomes: dict[str, int]
    """counted, late, duplicate, bot, own, dead_lettered. The ledger has own traffic among the bots, by its reason."""
    bots: dict[str, int]
    """By reason, most first."""
    dead: dict[str, int]

    @property
    def received(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())

    @property
    def people(self) -> int:
        """Human events: counted, on time or late."""
        return self.outcomes.get("counted", 0) + self.outcomes.get("late", 0)


async def read_series(
    snapshot: Snapshot, site: Site, step: BucketSize, begin: int, end: int, *, article: str | None, section: str | None
) -> TimeSeries:
    """Read all buckets that touch [begin, end), and as many before them.

    Raises:
        InvalidRange: there are too many.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    starts = bucket_edges(begin, end, step, site)
    count = len(starts) - 1
    first_before = start_before(starts[0], step, count, site)
    all_starts = bucket_edges(first_before, starts[-1], step, site, limit=2 * count)[:-1]
    span = (all_starts[0], starts[-1], all_starts)
    if section is not None:
        rows = await snapshot.connection.fetch(SQL["section_series"], site.slug, section, *span)
    else:
        grain = "hour" if step == "hour" else "day"
        rows = await snapshot.connection.fetch(SQL["series"], site.slug, article or WHOLE_SITE, grain, *span)
    found = {place: Counts(*numbers) for place, *numbers in map(tuple, rows)}
    counts = [found.get(place, Counts()) for place in range(2 * count)]
    notes = await read_exclusions(snapshot, site, starts[0], starts[-1])
    return TimeSeries(step, starts, counts[count:], _sum(counts[:count]), snapshot.at_seconds, notes)


async def read_exclusions(snapshot: Snapshot, site: Site, begin: int, end: int) -> list[ExclusionNote]:
    """Return the exclusions that touch a range, newest first, also those that were reversed."""
    rows = await snapshot.connection.fetch(SQL["exclusions"], site.slug, begin, end, EXCLUSIONS_MAX)
    return [ExclusionNote(*tuple(row)) for row in rows]


async def read_comparison(snapshot: Snapshot, site: Site, period: Period) -> Comparison:
    """Read a period's counts and those just before it."""
    ranges = comparison_ranges(period, snapshot.at_seconds, site)
    spans = [(number, span) for number, one in enumerate(ranges) for span in one]
    rows = await snapshot.connection.fetch(
        SQL["comparison_sums"], site.slug, [number for number, _ in spans], *_columns([span for _, span in spans])
    )
    whole, now, before = (Counts(*row[1:]) for row in map(tuple, rows))
    first_hour = await snapshot.connection.fetchval(SQL["first_hour"], site.slug)
    is_complete = first_hour is not None and first_hour <= min(span.begin for span in ranges[2])
    return Comparison(whole, now, before if is_complete else None)


async def read_referrers(snapshot: Snapshot, site: Site, begin: int, end: int) -> list[tuple[str, int]]:
    """Return [(referring host, visits)] of days that begin in [begin, end), most visits first; "" is a direct visit."""
    rows = await snapshot.connection.fetch(SQL["referrer_totals"], site.slug, begin, end, HOSTS_READ_MAX)
    return sorted(((row["host"], row["visits"]) for row in rows), key=lambda one: one[0] == DIRECT)


async def read_ledger(snapshot: Snapshot, site: Site, period: Period) -> Ledger:
    """Return the outcomes of the records that arrived on the local days of a period."""
    rows = await snapshot.connection.fetch(
        SQL["ledger_totals"], site.slug, *period_days(period, snapshot.at_seconds, site)
    )
    outcomes: dict[str, int] = {}
    reasons: dict[str, dict[str, int]] = {"bot": {}, "dead_lettered": {}}
    for stored, reason, events in rows:
        outcome = OWN_TRAFFIC if (stored, reason) == ("bot", OWN_TRAFFIC) else stored
        outcomes[outcome] = outcomes.get(outcome, 0) + events
        if outcome in reasons:
            reasons[outcome][reason] = events
    return Ledger(outcomes, reasons["bot"], reasons["dead_lettered"])


def local_time(seconds: int, site: Site) -> str:
    """Return an instant as RFC 3339, in the site's zone."""
    return datetime.fromtimestamp(seconds, site.zone).isoformat()


def _sum(counts: Sequence[Counts]) -> Counts:
    return Counts(*(sum(one.of(measure) for one in counts) for measure in MEASURES))


def _columns(spans: list[TimeRange]) -> tuple[list[str], list[int], list[int]]:
    return [one.grain for one in spans], [one.begin for one in spans], [one.end for one in spans]

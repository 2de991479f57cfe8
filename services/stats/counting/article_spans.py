"""Which sums answer a range of days, and which one is made next. Pure.

Spans have whole multiples of a UTC day, counted from 1970, so that they are the same for all sites and whatever zone a
site gets: a local day belongs to the span in which it begins. All spans that end at or before a bound are there; one
without rows has no counts. What no span covers is read by day.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

DAY = 86_400
SHORT, LONG = 8 * DAY, 64 * DAY
END = 2**53
"""After all days."""
TOTAL_AGE_MAX = 16 * DAY
"""If all days are summed until longer ago, the totals of all partitions are fewer rows than the days since then."""

SpanName = Literal["day", "total", "8 days", "64 days", "before"]


class SpanRange(NamedTuple):
    """All spans of one length that start in [begin, end)."""

    name: SpanName
    begin: int
    end: int


class SummedUntil(NamedTuple):
    """A row of `stats.summed_until`: bounds in seconds since 1970 UTC."""

    before: int
    short: int
    long: int


class Step(NamedTuple):
    """Sums that can be made: of the days in [begin, end)."""

    name: SpanName
    begin: int
    end: int
    after: SummedUntil


OF_COUNTS = ("day", "total")
"""Rows of `stats.counts`; the others are of `stats.article_sums`."""
NOTHING = SpanRange("day", 0, 0)
ALL_TIME = (SpanRange("total", 0, 1),)
"""Read by partition."""


def spans_of_days(begin: int, end: int, until: SummedUntil | None) -> tuple[SpanRange, ...]:
    """Return the spans that have each local day that starts in [begin, end) once, with few rows.

    Args:
        begin: In seconds.
        end: In seconds.
        until: Which sums there are; None: none.
    """
    if until is None:
        return (SpanRange("day", begin, end),)
    short = _up(begin, SHORT), _down(min(end, until.short), SHORT)
    if short[0] >= short[1]:
        return (SpanRange("day", begin, end),)
    long = _up(short[0], LONG), _down(min(short[1], until.long), LONG)
    if long[0] >= long[1]:
        long = short[1], short[1]
    found = (
        SpanRange("day", begin, short[0]),
        SpanRange("8 days", short[0], long[0]),
        SpanRange("64 days", *long),
        SpanRange("8 days", long[1], short[1]),
        SpanRange("day", short[1], end),
    )
    return tuple(one for one in found if one.begin < one.end)


def spans_of_all_time(now: int, until: SummedUntil | None) -> tuple[SpanRange, ...]:
    """Return the spans that have everything once, at an instant."""
    if until is None or until.before < now - TOTAL_AGE_MAX:
        return ALL_TIME
    return SpanRange("before", 0, 1), SpanRange("day", until.before, END)


def in_columns(ranges: Sequence[SpanRange]) -> tuple[list[str], list[int], list[int]]:
    """Return names, begins and ends as `stats.article_counts` takes them: two ranges of counts, then three of sums."""
    counts = [one for one in ranges if one.name in OF_COUNTS]
    sums = [one for one in ranges if one.name not in OF_COUNTS]
    placed = [*counts, *[NOTHING] * (2 - len(counts)), *sums, *[NOTHING] * (3 - len(sums))]
    return [one.name for one in placed], [one.begin for one in placed], [one.end for one in placed]


def first_bounds(first_day: int) -> SummedUntil:
    """Return the bounds before the first sum, for a history that begins with a day."""
    return SummedUntil(*[_down(first_day, LONG)] * 3)


def next_step(until: SummedUntil, settled: int) -> Step | None:
    """Return the next sum that can be made; None: there is none.

    All days before come first, so that their bound is never before the others.

    Args:
        until: Which sums there are.
        settled: No record can change a day that starts before it.
    """
    end = min(until.before + SHORT, _down(settled, DAY))
    if until.before < end:
        return Step("before", until.before, end, until._replace(before=end))
    end = until.short + SHORT
    if end <= until.before:
        return Step("8 days", until.short, end, until._replace(short=end))
    end = until.long + LONG
    return Step("64 days", until.long, end, until._replace(long=end)) if end <= until.short else None


def _down(seconds: int, length: int) -> int:
    return seconds // length * length


def _up(seconds: int, length: int) -> int:
    return -(-seconds // length) * length

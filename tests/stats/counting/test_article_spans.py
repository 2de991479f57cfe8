"""Ranges of days as spans: each day once, whatever is summed."""

from hypothesis import given
from hypothesis import strategies as st

from services.stats.counting.article_spans import (
    ALL_TIME,
    DAY,
    END,
    LONG,
    SHORT,
    TOTAL_AGE_MAX,
    SpanRange,
    SummedUntil,
    first_bounds,
    next_step,
    spans_of_all_time,
    spans_of_days,
)

LENGTHS = {"day": 1, "8 days": SHORT, "64 days": LONG}
INSTANTS = st.integers(1_600_000_000, 1_700_000_000)


def sums_until(first: int, settled: int) -> SummedUntil:
    """Return the bounds after all sums that can be made."""
    until = first_bounds(first)
    while (step := next_step(until, settled)) is not None:
        assert step.end - step.begin in ((LONG,) if step.name == "64 days" else range(DAY, SHORT + 1, DAY))
        assert step.end <= settled
        assert until != step.after
        until = step.after
        assert until.long <= until.short <= until.before
    return until


@given(INSTANTS, st.integers(0, 500), INSTANTS, st.integers(1, 500 * DAY))
def test_spans_have_every_day_of_a_range_once(first: int, days: int, begin: int, length: int) -> None:
    """Ranges follow one another without gap or overlap, are whole spans that are summed, and at most five."""
    until, end = sums_until(first, first + days * DAY), begin + length
    found = spans_of_days(begin, end, until)
    assert [begin, *(one.end for one in found)] == [*(one.begin for one in found), end]
    assert len(found) <= 5
    for name, start, stop in found:
        assert start % LENGTHS[name] == stop % LENGTHS[name] == 0
        bound = {"day": END, "8 days": until.short, "64 days": until.long}[name]
        assert stop <= bound


def test_spans_of_a_year_are_mostly_long() -> None:
    """What is read by day is at most 8 days at the beginning, and what is not settled at the end."""
    now = 1_700_000_000
    until = sums_until(now - 800 * DAY, now - 5 * DAY)
    by_name = dict.fromkeys(LENGTHS, 0)
    for name, begin, end in spans_of_days(now - 365 * DAY, now, until):
        by_name[name] += end - begin
    assert by_name["day"] < (8 + 5 + 8) * DAY
    assert by_name["64 days"] >= 3 * LONG


def test_range_without_sums_is_read_by_day() -> None:
    """Before the first sum, of short ranges, and after the last one."""
    until = sums_until(1_600_000_000, 1_650_000_000)
    for begin, end, sums in ((0, DAY, None), (1_640_000_000, 1_640_000_000 + 7 * DAY, until), (END - DAY, END, until)):
        assert spans_of_days(begin, end, sums) == (SpanRange("day", begin, end),)


def test_all_time_is_all_days_before_and_those_since() -> None:
    """As long as the sums go on; if they are old, the totals of the partitions are read."""
    until = sums_until(1_600_000_000, 1_650_000_000)
    assert spans_of_all_time(until.before + TOTAL_AGE_MAX, until) == (
        SpanRange("before", 0, 1),
        SpanRange("day", until.before, END),
    )
    assert spans_of_all_time(until.before + TOTAL_AGE_MAX + 1, until) == ALL_TIME
    assert spans_of_all_time(0, None) == ALL_TIME

"""Spans of time in a site's calendar: pure."""

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.statistics.periods import (
    BucketSize,
    InvalidRange,
    Period,
    bucket_edges,
    bucket_start,
    comparison_ranges,
    parse_range,
    period_days,
    period_edges,
    start_before,
    top_range,
)
from shared.sites import Site


def site(zone: str = "Asia/Ho_Chi_Minh", first_weekday: str = "monday") -> Site:
    return Site(slug="x", name="x", origins=["https://x.example"], timezone=zone, first_weekday=first_weekday)


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


ZONES = [
    "Asia/Ho_Chi_Minh",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "Asia/Beirut",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
]
zones = st.sampled_from(ZONES)
times = st.integers(instant("2001-01-01T00:00+00:00"), instant("2040-01-01T00:00+00:00"))
steps: st.SearchStrategy[BucketSize] = st.sampled_from(["hour", "day", "week", "month"])


@given(zones, times, steps, st.integers(1, 60))
def test_buckets_are_complete_and_contiguous(zone: str, now: int, step: BucketSize, count: int) -> None:
    """An instant is in its bucket, each start is in its own, and so many buckets back and forth is where one was."""
    here = site(zone)
    last = bucket_start(now, step, here)
    first = start_before(last, step, count, here)
    starts = bucket_edges(first, now + 1, step, here)
    assert len(starts) == count + 2
    assert starts[-2] == last <= now < starts[-1]
    assert all(bucket_start(start, step, here) == start for start in starts)
    assert all(a < b for a, b in pairwise(starts))


@given(zones, times, st.sampled_from(["24h", "7d", "30d", "365d"]))
def test_period_is_compared_with_the_same_time_before(zone: str, now: int, period: Period) -> None:
    """What is compared and what it is compared with never overlap, and have as many days and as much of today."""
    _, compared, before = comparison_ranges(period, now, site(zone))
    assert max(span.end for span in before) <= min(span.begin for span in compared)
    assert all(span.begin <= span.end <= now for span in [*compared, *before])
    partial = [sum(span.end - span.begin for span in part if span.grain == "5m") for part in (compared, before)]
    assert partial[1] <= partial[0] < 26 * 3600
    days = [
        len(bucket_edges(span.begin, span.end, "day", site(zone))) - 1
        for part in (compared, before)
        for span in part
        if span.grain == "day"
    ]
    assert len(set(days)) <= 1


@given(zones, times, st.sampled_from(["24h", "7d", "30d", "365d"]))
def test_period_contains_now(zone: str, now: int, period: Period) -> None:
    """The buckets shown and the days of the ledger end after now, and the sums reach now."""
    here = site(zone)
    starts = period_edges(period, now, here)
    assert starts[-2] <= now < starts[-1]
    begin, end = period_days(period, now, here)
    assert begin <= now < end
    whole, _, _ = comparison_ranges(period, now, here)
    assert any(span.begin <= bucket_start(now, "day", here) for span in whole)


def test_dates_are_local_and_the_last_one_is_included() -> None:
    """Dates in an address are the site's days, both included; as instants, the end is not."""
    begin, end = parse_range("2026-03-04", "2026-03-05", "day", 0, site())
    assert (begin, end) == (instant("2026-03-04T00:00+07:00"), instant("2026-03-06T00:00+07:00"))
    begin, end = parse_range("2026-03-04T01:00:00Z", "2026-03-04T03:00:00 07:00", "hour", 0, site())
    assert (begin, end) == (instant("2026-03-04T08:00+07:00"), instant("2026-03-04T03:00+07:00"))


def test_days_of_summer_time_are_one_bucket_each() -> None:
    """The short and the long day of Berlin are one day each, and the week has seven of them."""
    berlin = site("Europe/Berlin")
    begin, end = parse_range("2026-03-28", "2026-03-30", "day", 0, berlin)
    assert [b - a for a, b in pairwise(bucket_edges(begin, end, "day", berlin))] == [86_400, 82_800, 86_400]
    begin, end = parse_range("2026-10-19", "2026-10-25", "week", 0, berlin)
    assert [b - a for a, b in pairwise(bucket_edges(begin, end, "week", berlin))] == [7 * 86_400 + 3_600]


def test_week_begins_on_the_first_weekday_of_the_site() -> None:
    """Most read of this week begins on the site's own first weekday."""
    wednesday = instant("2026-11-25T12:00+07:00")
    assert top_range("week", wednesday, site())[1] == instant("2026-11-23T00:00+07:00")
    assert top_range("week", wednesday, site(first_weekday="sunday"))[1] == instant("2026-11-22T00:00+07:00")
    assert top_range("month", wednesday, site())[1:] == (
        instant("2026-11-01T00:00+07:00"),
        instant("2026-12-01T00:00+07:00"),
    )


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("gestern", None),
        ("2026-02-30", None),
        ("2026-03-04T08:00:00", None),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("2026-03-05", "2026-03-04"),
        ("2020-01-01", "2026-01-01"),
        ("2026-03-04T08:00:00+99:00", None),
    ],
)
def test_invalid_range_is_refused_with_a_message(begin: str, end: str | None) -> None:
    """An invalid date, a time without offset, an end before the start and too many buckets are rejected."""
    here, now = site(), instant("2026-11-25T12:00+07:00")
    with pytest.raises(InvalidRange, match=r"\w"):
        bucket_edges(*parse_range(begin, end, "day", now, here), "day", here)

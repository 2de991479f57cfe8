"""Spans of time in a site's calendar: pure."""

from bisect import bisect
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.local_calendar import date_start
from services.stats.statistics.periods import (
    BucketSize,
    InvalidRange,
    Period,
    bucket_edges,
    bucket_start,
    comparison_ranges,
    local_date,
    parse_range,
    period_days,
    period_edges,
    start_before,
    top_range,
)
from shared.sites import Site

DAY = timedelta(days=1)


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


@given(
    st.sampled_from(sorted(available_timezones())),
    st.dates(date(2000, 1, 2), date(2040, 1, 1)),
    st.lists(st.integers(-3 * 86_400, 3 * 86_400), max_size=20),
)
def test_hours_of_a_day_are_the_day(zone: str, day: date, offsets: list[int]) -> None:
    """In any zone a day's hours have all of its instants and no others, in as many buckets as the day has hours."""
    here = site(zone)
    try:
        begin, end = parse_range(day.isoformat(), day.isoformat(), "hour", 0, here)
    except InvalidRange:
        assert date_start(day, here.zone) == date_start(day + timedelta(days=1), here.zone)  # Samoa skipped one
        return
    if begin == end:
        return
    starts = bucket_edges(begin, end, "hour", here)
    assert (starts[0], starts[-1]) == (begin, end) == (date_start(day, here.zone), date_start(day + DAY, here.zone))
    assert len(starts) - 1 == -(-(end - begin) // 3_600)
    for instant in (begin + offset for offset in offsets):
        place = bisect(starts, instant) - 1
        assert (0 <= place < len(starts) - 1) == (local_date(instant, here) == day)
        if 0 <= place < len(starts) - 1:
            assert bucket_start(instant, "hour", here) == starts[place]


@pytest.mark.parametrize(
    ("zone", "day", "buckets"),
    [
        ("Asia/Kolkata", "2026-03-04", 24),  # +05:30
        ("Asia/Kathmandu", "2026-03-04", 24),  # +05:45
        ("Australia/Eucla", "2026-03-04", 24),  # +08:45
        ("Pacific/Marquesas", "2026-03-04", 24),  # -09:30
        ("America/St_Johns", "2026-03-08", 23),  # -03:30, summer time begins
        ("America/St_Johns", "2026-11-01", 25),
        ("Pacific/Chatham", "2026-04-05", 25),  # +13:45 to +12:45
        ("Europe/Berlin", "2026-03-29", 23),
        ("Africa/Cairo", "2026-04-24", 23),  # has no midnight
        ("Australia/Lord_Howe", "2026-04-05", 25),  # half an hour longer
        ("Australia/Lord_Howe", "2026-10-04", 24),  # half an hour shorter
        ("Asia/Pyongyang", "2018-05-04", 24),  # its offset changed by half an hour
        ("America/Caracas", "2016-05-01", 24),
    ],
)
def test_day_has_as_many_hours(zone: str, day: str, buckets: int) -> None:
    """A day of hours has 24 buckets, and 23 or 25 where summer time begins or ends; never those of its neighbours."""
    here = site(zone)
    starts = bucket_edges(*parse_range(day, day, "hour", 0, here), "hour", here)
    assert len(starts) - 1 == buckets
    assert starts[0] == date_start(date.fromisoformat(day), here.zone)

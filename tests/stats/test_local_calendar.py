"""Days, weeks and steps in the site's own zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.local_calendar import bucket_5m_start, day_start, hour_start, week_start

ZONES = sorted(available_timezones())
YEAR_2000, YEAR_2040 = 946_684_800_000, 2_208_988_800_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "instant", "start"),
    [
        ("Asia/Ho_Chi_Minh", "2026-11-24T23:59:59+07:00", "2026-11-24T00:00:00+07:00"),
        ("Asia/Ho_Chi_Minh", "2026-11-25T00:00:00+07:00", "2026-11-25T00:00:00+07:00"),
        ("Asia/Ho_Chi_Minh", "2026-11-25T06:59:00+07:00", "2026-11-25T00:00:00+07:00"),
        ("Asia/Ho_Chi_Minh", "2026-11-25T07:01:00+07:00", "2026-11-25T00:00:00+07:00"),
        ("Asia/Kathmandu", "2026-11-25T00:00:00+05:45", "2026-11-25T00:00:00+05:45"),
        ("Asia/Kathmandu", "2026-11-24T23:59:59+05:45", "2026-11-24T00:00:00+05:45"),
        ("America/New_York", "2026-03-08T23:30:00-04:00", "2026-03-08T00:00:00-05:00"),  # 23 hours
        ("America/New_York", "2026-11-01T23:30:00-05:00", "2026-11-01T00:00:00-04:00"),  # 25 hours
        ("America/Sao_Paulo", "2018-11-04T12:00:00-02:00", "2018-11-04T01:00:00-02:00"),  # has no midnight
    ],
)
def test_day_begins_in_the_zone_of_the_site(zone: str, instant: str, start: str) -> None:
    """A local day begins at its first instant, in any zone, on days of 23, 24 and 25 hours."""
    assert day_start(at(instant) * 1000, ZoneInfo(zone)) == at(start)


@pytest.mark.parametrize(
    ("first_weekday", "start"), [(0, "2026-11-23"), (6, "2026-11-22"), (1, "2026-11-24"), (2, "2026-11-18")]
)
def test_week_begins_on_the_first_weekday_of_the_site(first_weekday: int, start: str) -> None:
    """On Tuesday 24 November 2026 the week began on the site's own first weekday."""
    now = at("2026-11-24T10:00:00+07:00") * 1000
    assert week_start(now, ZoneInfo("Asia/Ho_Chi_Minh"), first_weekday) == at(f"{start}T00:00:00+07:00")


@given(st.sampled_from(ZONES), st.integers(YEAR_2000, YEAR_2040))
def test_every_instant_is_in_its_day(zone: str, instant: int) -> None:
    """In any zone, a day's start is not after the instant, is of the same local date, and is the date's first."""
    start = day_start(instant, ZoneInfo(zone))
    local = datetime.fromtimestamp(instant // 1000, ZoneInfo(zone)).date()
    assert start <= instant // 1000
    assert datetime.fromtimestamp(start, ZoneInfo(zone)).date() == local
    assert datetime.fromtimestamp(start - 1, ZoneInfo(zone)).date() < local


@given(st.integers(YEAR_2000, YEAR_2040))
def test_bucket_5m_contains_its_instant(instant: int) -> None:
    """A 5m bucket is the 5 minutes that contain the instant."""
    start = bucket_5m_start(instant)
    assert start % 300 == 0
    assert start * 1000 <= instant < (start + 300) * 1000


@given(st.sampled_from(ZONES), st.integers(YEAR_2000, YEAR_2040))
def test_hour_is_in_one_day_and_has_whole_buckets(zone: str, instant: int) -> None:
    """In any zone, an hour contains its instant, is of one local day, and consists of whole 5m buckets."""
    site = ZoneInfo(zone)
    start = hour_start(instant, site)
    assert start * 1000 <= instant < (start + 3_600) * 1000
    assert day_start(start * 1000, site) == day_start(instant, site)
    assert hour_start(start * 1000, site) == start
    assert start % 300 == 0

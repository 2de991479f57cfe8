"""Times as editors read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.ingest.newsroom.times import api_value, distance, form_value, moment

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)


def test_moment_has_weekday_local_time_and_distance() -> None:
    """The zone is the site's, and the year is named only if it is another one."""
    shown = moment(datetime(2026, 11, 30, 7, 5, tzinfo=UTC), ZONE, NOW, "vi")
    assert (shown.day, shown.clock, shown.distance) == ("Thứ Hai 30/11", "14:05", "3 giờ nữa")
    assert moment(datetime(2025, 1, 4, 20, 0, tzinfo=UTC), ZONE, NOW, "en").day == "Sun 5/1/2025"


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (timedelta(seconds=20), "vừa xong"),
        (timedelta(minutes=-1), "1 phút trước"),
        (timedelta(hours=25), "1 ngày nữa"),
        (timedelta(days=-61), ""),
    ],
)
def test_distance_is_in_the_largest_unit(by: timedelta, wanted: str) -> None:
    """A long distance is not written: the date says it."""
    assert distance(NOW + by, NOW, "vi") == wanted


def test_fields_of_forms_are_local_times() -> None:
    """What is shown in a field and sent back unchanged is the same time."""
    assert form_value("2026-11-30T07:05:00Z", ZONE) == "2026-11-30T14:05"
    assert api_value("2026-11-30T14:05", ZONE) == "2026-11-30T14:05:00+07:00"
    assert (form_value(None, ZONE), api_value("", ZONE)) == ("", None)
    with pytest.raises(ValueError, match="Invalid isoformat"):
        api_value("mai", ZONE)


@pytest.mark.parametrize("typed", ["mai", "https://[", "9999-12-31T23:59:00Z"])
def test_typed_text_that_is_no_time_is_shown_again(typed: str) -> None:
    """A form whose time the API has refused shows what was sent."""
    assert form_value(typed, ZONE) == typed

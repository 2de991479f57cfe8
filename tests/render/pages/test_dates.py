"""Dates as a site's visitors write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.render.pages.dates import local_date, local_day, month_name

LATE = datetime(2022, 3, 3, 18, 5, tzinfo=UTC)
HANOI, NEW_YORK = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("zone", "language", "precision", "expected"),
    [
        (HANOI, "vi", "exact", "Thứ Sáu, 04/03/2022 01:05"),
        (HANOI, "vi", "day", "Thứ Sáu, 04/03/2022"),
        (NEW_YORK, "vi", "exact", "Thứ Năm, 03/03/2022 13:05"),
        (HANOI, "vi-VN", "day", "Thứ Sáu, 04/03/2022"),
    ],
)
def test_local_date_is_in_the_sites_zone_and_language(
    zone: ZoneInfo, language: str, precision: str, expected: str
) -> None:
    """The same instant is another day in another zone; a day without a time has none."""
    assert local_date(LATE, zone, language, precision) == expected  # type: ignore[arg-type]


def test_local_day_has_no_weekday_and_no_time() -> None:
    """Lists write the day alone."""
    assert local_day(LATE, HANOI, "vi") == "04/03/2022"
    assert local_day(LATE, HANOI, "en") == "4 March 2022"


def test_month_name_is_in_the_language() -> None:
    """Archives name months; a language without a catalogue gets English."""
    assert month_name(2026, 11, "vi") == "Tháng 11/2026"
    assert month_name(2026, 11, "fr") == month_name(2026, 11, "en") == "November 2026"

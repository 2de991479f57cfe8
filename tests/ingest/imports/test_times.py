"""Times of exports, feeds and pages: right or unknown, never a guess."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.imports.times import read_time

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MORNING = datetime(2024, 3, 5, 1, 0, tzinfo=UTC)
AFTERNOON = datetime(2024, 3, 5, 8, 30, tzinfo=UTC)
MIDNIGHT = datetime(2024, 3, 4, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 05 Mar 2024 08:00:00 +7",
        "Tue, 05 Mar 2024 08:00:00 GMT+7",
        "Tue, 05 Mar 2024 08:00:00 ICT",
        "Tue, Mar 05 2024 08:00:00 +0700",
        "Thứ Ba, 05/03/2024, 08:00 (GMT+7)",
        "05/03/2024 08:00:00",
        "2024-3-5 8:00",
        "8 giờ 00 phút, ngày 5 tháng 3 năm 2024",
        "1709600400",
        "1709600400000",
        "/Date(1709600400000)/",
        "20240305080000",
        "Tue Mar 05 08:00:00 ICT 2024",
        "2024-03-05T01:00:00Z[UTC]",
        "2024-03-05 08:00:00 Asia/Ho_Chi_Minh",
        "2024-03-05+0708:00:00",
        "2024-03-05UTC01:00:00",
        "5 thg 3, 2024, 08:00",
        1709600400,
    ],
)
def test_read_time_notations_of_the_same_moment(text: object) -> None:
    """The same moment is read from each notation, in the zone of the site if it names none."""
    assert read_time(text).in_zone(ZONE) == MORNING
    assert read_time(text).precision == "exact"


@pytest.mark.parametrize(
    "text", ["3:30 CH 05/03/2024", "05/03/2024 3:30 chiều", "Mar 5, 2024, 3:30 PM", "5/3/2024 15h30"]
)
def test_read_time_afternoon(text: str) -> None:
    """Hours of the afternoon are read as such, in Vietnamese and English."""
    assert read_time(text).in_zone(ZONE) == AFTERNOON


@pytest.mark.parametrize(
    "text", ["20240305", "2024-03-05", "5 Tháng Ba 2024", "05-Mar-2024", "Tue, 5 Mar 2024 08:00 XYZ"]
)
def test_read_time_day_without_a_known_hour(text: str) -> None:
    """A day without a time of day, or in a zone that nobody knows, has the precision of a day."""
    read = read_time(text)
    assert (read.in_zone(ZONE), read.precision) == (MIDNIGHT, "day")


@pytest.mark.parametrize(
    "text",
    [
        "3/5/2024 8:00:00 AM",
        "0001-01-01T00:00:00+07:00",
        "Mon, 30 Nov -0001 00:00:00 +0000",
        "Tue, 32 Mar 2024 08:00:00 +0700",
        "05/03/24",
        "29/02/2023",
        "1970-01-01T00:00:00Z",
        "1900-01-01",
        "9999-12-31",
        "hôm qua",
        "2024",
        1e30,
        float("nan"),
        -5,
    ],
)
def test_read_time_ambiguous_or_invalid_is_unreadable(text: object) -> None:
    """Ambiguous and invalid times are unknown."""
    read = read_time(text)
    assert (read.at, read.precision, read.is_unreadable) == (None, "unknown", True)


@pytest.mark.parametrize("text", ["", None, "0000-00-00 00:00:00", "0", 0, "null", True])
def test_read_time_absent(text: object) -> None:
    """Fields without a time are not unreadable."""
    assert read_time(text).is_unreadable is False

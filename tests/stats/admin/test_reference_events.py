"""One record in the reference model: its day, its buckets and what cannot be counted."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from services.stats.admin.reference_events import InvalidRecord, buckets_of, check_time, day_start, read_event
from tests.stats.admin.test_reference_model import MINUTE, NOON, instant, record


def test_day_without_midnight_is_found_from_both_sides() -> None:
    """The day of Beirut whose midnight is skipped begins at its first instant, and not a millisecond before."""
    zone = ZoneInfo("Asia/Beirut")
    start = instant("2026-03-29T01:00+03:00")
    assert day_start(start, zone) * 1000 == start
    assert day_start(start - 1, zone) * 1000 == instant("2026-03-28T00:00+02:00")
    assert day_start(start, UTC) * 1000 == instant("2026-03-28T00:00+00:00")


def test_event_is_read_and_has_buckets_of_its_time() -> None:
    """A view of an article is in four buckets of the site and two of the article."""
    event = read_event(record(1, article="bai-1")[2])
    day = instant("2026-11-24T00:00+07:00") // 1000
    assert [(one.article, one.grain) for one in buckets_of(event, day)] == [
        *(("", grain) for grain in ("5m", "hour", "day", "total")),
        ("bai-1", "day"),
        ("bai-1", "total"),
    ]


@pytest.mark.parametrize(("arrived", "reason"), [(NOON - 5 * MINUTE - 1, "future"), (NOON + 2881 * MINUTE, "too-old")])
def test_event_far_from_its_arrival_is_invalid(arrived: int, reason: str) -> None:
    """An event more than 5 minutes ahead, or more than 48 hours old, is a dead letter with its reason."""
    with pytest.raises(InvalidRecord, match=reason):
        check_time(read_event(record(1)[2]), arrived)

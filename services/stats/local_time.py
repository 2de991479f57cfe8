"""Where an instant falls in a site's own calendar. Pure: instants and zones are handed in.

All starts are seconds since 1970 UTC. A local day begins at its first instant, which is not always midnight
(some zones skip midnight when summer time begins), and need not have 24 hours.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BUCKET_5M_SECONDS = 300
HOUR_SECONDS = 3_600
QUARTER_SECONDS = 900
"""Offsets from UTC are multiples of this, in all zones since 1972: what holds for one instant of a UTC quarter
holds for all of it."""


def bucket_5m_start(at_milliseconds: int) -> int:
    """Return the start of the 5-minute step."""
    seconds = at_milliseconds // 1000
    return seconds - seconds % BUCKET_5M_SECONDS


def hour_start(at_milliseconds: int) -> int:
    """Return the start of the UTC hour (rolling windows need no local hours)."""
    seconds = at_milliseconds // 1000
    return seconds - seconds % HOUR_SECONDS


def day_start(at_milliseconds: int, zone: ZoneInfo) -> int:
    """Return the start of the site's local day."""
    return _quarter_day_start(at_milliseconds // 1000 // QUARTER_SECONDS, zone)


def week_start(at_milliseconds: int, zone: ZoneInfo, first_weekday: int) -> int:
    """Return the start of the site's local week.

    Args:
        at_milliseconds: The instant.
        zone: The site's zone.
        first_weekday: As `datetime.weekday()` numbers them: Monday is 0.
    """
    local = datetime.fromtimestamp(at_milliseconds / 1000, zone).date()
    return _first_instant(local - timedelta(days=(local.weekday() - first_weekday) % 7), zone)


@lru_cache(maxsize=4_096)
def _quarter_day_start(quarter: int, zone: ZoneInfo) -> int:
    return _first_instant(datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone).date(), zone)


def _first_instant(day: date, zone: ZoneInfo) -> int:
    # Through UTC and back: a midnight that summer time skips comes out as the first instant after it.
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp())

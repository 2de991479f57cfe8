"""Buckets, days and weeks of an instant in a site's own calendar. Pure: instants and zones are arguments.

All starts are seconds since 1970 UTC. A local day begins at its first instant, which is not always midnight
(some zones skip midnight when summer time begins), and need not have 24 hours.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BUCKET_5M_SECONDS = 300
HOUR_SECONDS = 3_600
QUARTER_SECONDS = 900
"""Offsets from UTC are multiples of this in all zones since 1972, so a UTC quarter is in one local day."""


def bucket_5m_start(timestamp_ms: int) -> int:
    """Return the start of the 5m bucket."""
    seconds = timestamp_ms // 1000
    return seconds - seconds % BUCKET_5M_SECONDS


def hour_start(timestamp_ms: int, zone: ZoneInfo) -> int:
    """Return the start of the site's hour: hours are counted from the start of the local day.

    So a day consists of whole buckets in each zone, also where UTC offsets are not full hours. Where summer time is
    half an hour, the last hour of two days a year has 30 minutes.
    """
    day, seconds = day_start(timestamp_ms, zone), timestamp_ms // 1000
    return seconds - (seconds - day) % HOUR_SECONDS


def day_start(timestamp_ms: int, zone: ZoneInfo) -> int:
    """Return the start of the site's local day."""
    return _quarter_day_start(timestamp_ms // 1000 // QUARTER_SECONDS, zone)


def week_start(timestamp_ms: int, zone: ZoneInfo, first_weekday: int) -> int:
    """Return the start of the site's local week.

    Args:
        timestamp_ms: Milliseconds since 1970 UTC.
        zone: The site's zone.
        first_weekday: As in `datetime.weekday()`: Monday is 0.
    """
    local = datetime.fromtimestamp(timestamp_ms / 1000, zone).date()
    return date_start(local - timedelta(days=(local.weekday() - first_weekday) % 7), zone)


@lru_cache(maxsize=4_096)
def _quarter_day_start(quarter: int, zone: ZoneInfo) -> int:
    return date_start(datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone).date(), zone)


def date_start(day: date, zone: ZoneInfo) -> int:
    """Return the first instant of a local date, in seconds since 1970.

    Through UTC: where summer time skips midnight, the day begins at the first instant after it.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp())

"""Time ranges of the statistics, in a site's own calendar. Pure: the current time is an argument.

All edges are seconds since 1970 UTC. A period's buckets are given as their starts and the end of the last one.
"""

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from services.stats.local_calendar import BUCKET_5M_SECONDS, HOUR_SECONDS, date_start, day_start, hour_start, week_start
from shared.sites import Site

BucketSize = Literal["hour", "day", "week", "month"]
Period = Literal["24h", "7d", "30d", "365d"]
TopPeriod = Literal["today", "week", "month", "always"]
BUCKETS_MAX = {"hour": 31 * 24 + 1, "day": 1_100, "week": 530, "month": 240}
"""Three years of days, ten of weeks, twenty of months: the maximum of one response."""
DEFAULT_BUCKETS = {"hour": 24, "day": 30, "week": 12, "month": 12}
PERIOD_DAYS = {"24h": 1, "7d": 7, "30d": 30, "365d": 365}
PERIOD_BUCKETS: dict[Period, BucketSize] = {"24h": "hour", "7d": "day", "30d": "day", "365d": "week"}
FIRST_YEAR, LAST_YEAR = 2000, 2200


class TimeRange(NamedTuple):
    """Rows of one grain that begin in [begin, end)."""

    grain: Literal["5m", "hour", "day"]
    begin: int
    end: int


class InvalidRange(ValueError):  # noqa: N818 - reads as it is said
    """The requested range cannot be shown; the message says why."""


def local_date(seconds: int, site: Site) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(seconds, site.zone).date()


def bucket_start(seconds: int, step: BucketSize, site: Site) -> int:
    """Return the start of the bucket that an instant is in."""
    if step == "hour":
        return hour_start(seconds * 1000, site.zone)
    if step == "day":
        return day_start(seconds * 1000, site.zone)
    if step == "week":
        return week_start(seconds * 1000, site.zone, site.first_weekday_number)
    return date_start(local_date(seconds, site).replace(day=1), site.zone)


def next_start(start: int, step: BucketSize, site: Site) -> int:
    """Return the start of the bucket after the one that begins at `start`."""
    if step == "hour":  # the last one of a day may be shorter
        return hour_start((start + HOUR_SECONDS) * 1000, site.zone)
    day = local_date(start, site)
    if step == "month":
        return date_start((day.replace(day=1) + timedelta(days=32)).replace(day=1), site.zone)
    return date_start(day + timedelta(days=7 if step == "week" else 1), site.zone)


def start_before(start: int, step: BucketSize, count: int, site: Site) -> int:
    """Return the start of the bucket `count` buckets before."""
    if step == "hour":
        for _ in range(count):
            start = hour_start(start * 1000 - 1, site.zone)
        return start
    day = local_date(start, site)
    if step == "month":
        months = day.year * 12 + day.month - 1 - count
        return date_start(date(months // 12, months % 12 + 1, 1), site.zone)
    return date_start(day - timedelta(days=count * (7 if step == "week" else 1)), site.zone)


def bucket_edges(begin: int, end: int, step: BucketSize, site: Site, *, limit: int | None = None) -> list[int]:
    """Return the starts of all buckets that touch [begin, end), and the end of the last one.

    Raises:
        InvalidRange: there are more than `limit`, or none.
    """
    if end <= begin:
        raise InvalidRange("`to` must be after `from`")
    limit = BUCKETS_MAX[step] if limit is None else limit
    starts = [bucket_start(begin, step, site)]
    while starts[-1] < end:
        starts.append(next_start(starts[-1], step, site))
        if len(starts) > limit + 1:
            raise InvalidRange(f"more than {limit} buckets of a {step}; give a shorter range or a larger step")
    return starts


def parse_range(begin: str | None, end: str | None, step: BucketSize, now: int, site: Site) -> tuple[int, int]:
    """Return the range of the parameters `from` and `to`.

    Args:
        begin: A local date, or an instant as RFC 3339; None: the default number of buckets, the current one last.
        end: A local date, which is in it, or an instant, which is not; None: now.
        step: Determines the length of the default range.
        now: In seconds.
        site: Its zone determines where dates begin.

    Raises:
        InvalidRange: one of them is neither a date nor an instant with its offset, or is out of range.
    """
    until = now + 1 if end is None else _parse_edge("to", end, site, is_end=True)
    if begin is not None:
        return _parse_edge("from", begin, site, is_end=False), until
    return start_before(bucket_start(until - 1, step, site), step, DEFAULT_BUCKETS[step] - 1, site), until


def _parse_edge(name: str, text: str, site: Site, *, is_end: bool) -> int:
    error = InvalidRange(
        f"`{name}` must be a date like 2026-03-04, or a time like 2026-03-04T08:00:00+07:00; got {text!r}"
    )
    try:
        if len(text) == len("2026-03-04"):
            day = date.fromisoformat(text)
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise error
            return date_start(day + timedelta(days=1 if is_end else 0), site.zone)
        instant = datetime.fromisoformat(text.replace(" ", "+"))  # a "+" that a form made a space
    except ValueError as invalid:
        raise error from invalid
    if instant.tzinfo is None or not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise error
    return int(instant.timestamp())


def top_range(period: TopPeriod, now: int, site: Site) -> tuple[Literal["day", "total"], int, int]:
    """Return the grain, the begin and the end of a period of the top articles."""
    if period == "always":
        return "total", 0, 1
    step: BucketSize = "day" if period == "today" else period
    begin = bucket_start(now, step, site)
    return "day", begin, next_start(begin, step, site)


def period_edges(period: Period, now: int, site: Site) -> list[int]:
    """Return the bucket edges of a period: complete buckets, and the current one last."""
    step = PERIOD_BUCKETS[period]
    count = {"24h": 24, "7d": 7, "30d": 30, "365d": 53}[period]
    last = bucket_start(now, step, site)
    return bucket_edges(start_before(last, step, count - 1, site), next_start(last, step, site), step, site)


def comparison_ranges(period: Period, now: int, site: Site) -> tuple[list[TimeRange], list[TimeRange], list[TimeRange]]:
    """Return the ranges of a period's sum, of the compared part of it, and of the time that it is compared with.

    The 24 hours are rolling, in 5m buckets; the others are local days, including today. The comparison is with the same
    length of time just before, up to the same time of day: today until now is not compared with a complete day. 5m
    buckets are kept for 40 days, so a year is compared in complete days, until yesterday.
    """
    step = now - now % BUCKET_5M_SECONDS
    if period == "24h":
        day = 24 * HOUR_SECONDS
        whole = [TimeRange("5m", step + BUCKET_5M_SECONDS - day, step + BUCKET_5M_SECONDS)]
        return whole, [TimeRange("5m", step - day, step)], [TimeRange("5m", step - 2 * day, step - day)]
    days = PERIOD_DAYS[period]
    today = bucket_start(now, "day", site)
    first = start_before(today, "day", days - 1, site)
    whole = [TimeRange("day", first, today + 1)]
    until = TimeRange("day", first, today)
    day_before = start_before(today, "day", days, site)
    first_before = start_before(first, "day", days, site)
    if period == "365d":
        return whole, [until], [TimeRange("day", start_before(first, "day", days - 1, site), first)]
    return (
        whole,
        [until, TimeRange("5m", today, step)],
        [
            TimeRange("day", first_before, day_before),
            TimeRange("5m", day_before, min(day_before + step - today, first)),
        ],
    )


def period_days(period: Period, now: int, site: Site) -> tuple[int, int]:
    """Return the local days that a period touches, for tables that have days only: begin and end."""
    if period == "24h":
        begin = bucket_start(now - 24 * HOUR_SECONDS, "day", site)
    else:
        begin = start_before(bucket_start(now, "day", site), "day", PERIOD_DAYS[period] - 1, site)
    return begin, next_start(bucket_start(now, "day", site), "day", site)

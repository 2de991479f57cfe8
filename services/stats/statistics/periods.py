"""Spans of time that the statistics show, in a site's own calendar. Pure: the present is handed in.

All edges are seconds since 1970 UTC. A period's buckets are given by their starts and the end of the last one.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from services.stats.local_time import BUCKET_5M_SECONDS, HOUR_SECONDS, day_start, week_start
from shared.sites import Site

Step = Literal["hour", "day", "week", "month"]
Period = Literal["24h", "7d", "30d", "365d"]
TopPeriod = Literal["today", "week", "month", "always"]
BUCKETS_MAX = {"hour": 31 * 24 + 1, "day": 1_100, "week": 530, "month": 240}
"""Three years of days, ten of weeks, twenty of months: what one answer may hold."""
DEFAULT_BUCKETS = {"hour": 24, "day": 30, "week": 12, "month": 12}
PERIOD_DAYS = {"24h": 1, "7d": 7, "30d": 30, "365d": 365}
PERIOD_STEPS: dict[Period, Step] = {"24h": "hour", "7d": "day", "30d": "day", "365d": "week"}
FIRST_YEAR, LAST_YEAR = 2000, 2200


class Span(NamedTuple):
    """Rows of one grain that begin in [begin, end)."""

    grain: Literal["5m", "hour", "day"]
    begin: int
    end: int


class BadSpan(ValueError):  # noqa: N818 - reads as it is said
    """What was asked for cannot be shown; the text says why."""


def first_instant(day: date, site: Site) -> int:
    """Return when a local date begins."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=site.zone)
    return int(midnight.astimezone(UTC).timestamp())


def local_date(seconds: int, site: Site) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(seconds, site.zone).date()


def bucket_start(seconds: int, step: Step, site: Site) -> int:
    """Return the start of the bucket that an instant is in. Hours are those of UTC, as they are counted."""
    if step == "hour":
        return seconds - seconds % HOUR_SECONDS
    if step == "day":
        return day_start(seconds * 1000, site.zone)
    if step == "week":
        return week_start(seconds * 1000, site.zone, site.first_weekday_number)
    return first_instant(local_date(seconds, site).replace(day=1), site)


def next_start(start: int, step: Step, site: Site) -> int:
    """Return the start of the bucket after the one that begins at `start`."""
    if step == "hour":
        return start + HOUR_SECONDS
    day = local_date(start, site)
    if step == "month":
        return first_instant((day.replace(day=1) + timedelta(days=32)).replace(day=1), site)
    return first_instant(day + timedelta(days=7 if step == "week" else 1), site)


def earlier_start(start: int, step: Step, count: int, site: Site) -> int:
    """Return the start of the bucket `count` buckets before."""
    if step == "hour":
        return start - count * HOUR_SECONDS
    day = local_date(start, site)
    if step == "month":
        months = day.year * 12 + day.month - 1 - count
        return first_instant(date(months // 12, months % 12 + 1, 1), site)
    return first_instant(day - timedelta(days=count * (7 if step == "week" else 1)), site)


def edges(begin: int, end: int, step: Step, site: Site, *, most: int | None = None) -> list[int]:
    """Return the starts of all buckets that touch [begin, end), and the end of the last one.

    Raises:
        BadSpan: there are more than one answer may hold, or none.
    """
    if end <= begin:
        raise BadSpan("`to` must be after `from`")
    most = BUCKETS_MAX[step] if most is None else most
    starts = [bucket_start(begin, step, site)]
    while starts[-1] < end:
        starts.append(next_start(starts[-1], step, site))
        if len(starts) > most + 1:
            raise BadSpan(f"this is more than {most} buckets of a {step}; ask for less at once, or for a larger step")
    return starts


def asked_span(begin: str | None, end: str | None, step: Step, now: int, site: Site) -> tuple[int, int]:
    """Return the span that `from` and `to` ask for.

    Args:
        begin: A local date, or an instant as RFC 3339; None: as many buckets as are usual, the present one last.
        end: A local date, which is in it, or an instant, which is not; None: now.
        step: Decides how long the usual span is.
        now: In seconds.
        site: Its zone decides where dates begin.

    Raises:
        BadSpan: one of them is neither a date nor an instant with its offset, or is out of all reason.
    """
    until = now + 1 if end is None else _edge("to", end, site, is_end=True)
    if begin is not None:
        return _edge("from", begin, site, is_end=False), until
    return earlier_start(bucket_start(until - 1, step, site), step, DEFAULT_BUCKETS[step] - 1, site), until


def _edge(name: str, text: str, site: Site, *, is_end: bool) -> int:
    fault = BadSpan(f"`{name}` is a date like 2026-03-04, or a time like 2026-03-04T08:00:00+07:00; {text!r} is not")
    try:
        if len(text) == len("2026-03-04"):
            day = date.fromisoformat(text)
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise fault
            return first_instant(day + timedelta(days=1 if is_end else 0), site)
        instant = datetime.fromisoformat(text.replace(" ", "+"))  # a "+" that a form made a space
    except ValueError as error:
        raise fault from error
    if instant.tzinfo is None or not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise fault
    return int(instant.timestamp())


def top_span(period: TopPeriod, now: int, site: Site) -> tuple[Literal["day", "total"], int, int]:
    """Return the grain, the begin and the end of a period of most read."""
    if period == "always":
        return "total", 0, 1
    step: Step = "day" if period == "today" else period
    begin = bucket_start(now, step, site)
    return "day", begin, next_start(begin, step, site)


def period_edges(period: Period, now: int, site: Site) -> list[int]:
    """Return the buckets of a shown period: whole ones, the present one last and under way."""
    step = PERIOD_STEPS[period]
    count = {"24h": 24, "7d": 7, "30d": 30, "365d": 53}[period]
    last = bucket_start(now, step, site)
    return edges(earlier_start(last, step, count - 1, site), next_start(last, step, site), step, site)


def stretches(period: Period, now: int, site: Site) -> tuple[list[Span], list[Span], list[Span]]:
    """Return what a period's number is summed from, what of it is compared, and what it is compared with.

    The 24 hours are rolling, in 5-minute steps; the others are local days, today's included. Compared is the same
    length of time just before, up to the same time of day: today until now is not held against a whole day. Steps are
    kept for 40 days, so a year is compared in whole days, until yesterday.
    """
    step = now - now % BUCKET_5M_SECONDS
    if period == "24h":
        day = 24 * HOUR_SECONDS
        whole = [Span("5m", step + BUCKET_5M_SECONDS - day, step + BUCKET_5M_SECONDS)]
        return whole, [Span("5m", step - day, step)], [Span("5m", step - 2 * day, step - day)]
    days = PERIOD_DAYS[period]
    today = bucket_start(now, "day", site)
    first = earlier_start(today, "day", days - 1, site)
    whole = [Span("day", first, today + 1)]
    until = Span("day", first, today)
    day_before = earlier_start(today, "day", days, site)
    first_before = earlier_start(first, "day", days, site)
    if period == "365d":
        return whole, [until], [Span("day", earlier_start(first, "day", days - 1, site), first)]
    return (
        whole,
        [until, Span("5m", today, step)],
        [Span("day", first_before, day_before), Span("5m", day_before, min(day_before + step - today, first))],
    )


def period_days(period: Period, now: int, site: Site) -> tuple[int, int]:
    """Return the local days that a period touches, for what is kept by days only: begin and end."""
    if period == "24h":
        begin = bucket_start(now - 24 * HOUR_SECONDS, "day", site)
    else:
        begin = earlier_start(bucket_start(now, "day", site), "day", PERIOD_DAYS[period] - 1, site)
    return begin, next_start(bucket_start(now, "day", site), "day", site)

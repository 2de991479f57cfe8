"""Dates as a site's visitors write them. Pure."""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.render.pages.translations import DATE_PATTERNS
from shared.articles import DatePrecision
from shared.translations import LANGUAGES, nearest_language

DATES_MAX = 8_192
"""Cached dates: lists name the same articles again and again, and a cached date takes a fifth of the time."""


@lru_cache(DATES_MAX)
def local_date(instant: datetime, zone: ZoneInfo, language: str, precision: DatePrecision = "exact") -> str:
    """Write an instant with its weekday: "Thứ Sáu, 04/03/2022 08:00", or its day alone."""
    local = instant.astimezone(zone)
    day = _write("date_with_weekday", local, language)
    return day if precision == "day" else f"{day} {local.hour:02}:{local.minute:02}"


@lru_cache(DATES_MAX)
def local_day(instant: datetime, zone: ZoneInfo, language: str) -> str:
    """Write the day of an instant, for lists: "04/03/2022" or "4 March 2022"."""
    return _write("date", instant.astimezone(zone), language)


@lru_cache(DATES_MAX)
def local_short_day(instant: datetime, zone: ZoneInfo, language: str) -> str:
    """Write the day of an instant without its year, beside an hour: "04/03" or "4 Mar"."""
    return _write("day_and_month", instant.astimezone(zone), language)


@lru_cache(DATES_MAX)
def local_hour(instant: datetime, zone: ZoneInfo) -> str:
    """Write the time of day of an instant: "08:05"."""
    return f"{instant.astimezone(zone):%H:%M}"


def month_name(year: int, month: int, language: str) -> str:
    """Write a month: "Tháng 11/2026" or "November 2026"."""
    return _write("month", date(year, month, 1), language)


def _write(pattern: str, day: date, language: str) -> str:
    code = nearest_language(language)
    return LANGUAGES[code].date(DATE_PATTERNS[code][pattern], day)

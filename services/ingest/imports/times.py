"""Reads the times of exports, feeds and pages in their many notations. Pure.

A time is right or unknown, never a guess: ambiguous and invalid times are unknown.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from math import isfinite
from typing import Literal

from services.ingest.imports.text_repair import visible_line
from shared.articles import DatePrecision

YEAR_MIN, YEAR_MAX = 1900, 2199
_NULL_DAYS = {date(1900, 1, 1), date(1970, 1, 1), date(1969, 12, 31), date(1899, 12, 30)}
"""Days that systems write for "no date": SQL Server, Unix and spreadsheets."""
_ZONES = {
    **dict.fromkeys(("z", "ut", "utc", "gmt"), 0),
    **dict.fromkeys(("ict", "gmt7", "indochina"), 7),
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "cet": 1,
    "cest": 2,
    "jst": 9,
    "kst": 9,
}
"""Hours east of UTC: the zones of RFC 822, and those that feeds of the region use."""
_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_VIETNAMESE_MONTHS = {
    **dict.fromkeys(("giêng", "một"), 1),
    **dict.fromkeys(("tư", "bốn"), 4),
    **dict.fromkeys(("bảy", "bẩy"), 7),
    **dict.fromkeys(("mười hai", "chạp"), 12),
    "hai": 2,
    "ba": 3,
    "năm": 5,
    "sáu": 6,
    "tám": 8,
    "chín": 9,
    "mười": 10,
    "mười một": 11,
}
_MONTH_NAME = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_THANG = (
    r"(?:tháng\s+|th(?:g\.?)?\s*(?=\d))"
    r"(?P<thang>\d{1,2}|giêng|mười một|mười hai|một|hai|ba|tư|bốn|năm|sáu|bảy|bẩy|tám|chín|mười|chạp)"
)
_YEAR = r"(?P<year>-?\d{2,5})"
_UNIX_CLOCK = r"(?:(?P<clock>\d{1,2}:\d\d(?::\d\d)?)\s+(?P<zone>[a-z]{1,4}\s+)?)?"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\d-])(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)",
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+{_MONTH_NAME}[,\s-]+{_YEAR}(?!\d)",
        rf"(?<![a-z]){_MONTH_NAME}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_UNIX_CLOCK}{_YEAR}(?!\d)",
        rf"(?:ngày\s+)?(?<!\d)(?P<day>\d{{1,2}})[\s,]+{_THANG}(?:\s*,\s*|\s+năm\s+|\s+)(?P<year>\d{{4}})(?!\d)",
        rf"{_THANG}\s+(?P<day>\d{{1,2}}),\s*(?P<year>\d{{4}})(?!\d)",
        r"(?<!\d)(?P<first>\d{1,2})\s*[-/.]\s*(?P<second>\d{1,2})\s*[-/.]\s*(?P<year>\d{4})(?!\d)",
    )
)
_CLOCK = re.compile(
    r"(?<![\d:+-])(?P<hour>\d{1,2})\s*(?::|h|g|giờ)\s*(?P<minute>\d\d)?(?!\d)"
    r"(?:\s*(?::|')\s*(?P<second>\d\d)(?:[.,]\d+)?)?(?:\s*(?:phút|p)\b)?\s*(?P<half>am|pm|a\.m\.|p\.m\.|sa|ch|sáng|trưa|chiều|tối)?"
    r"(?![a-zà-ỹ])"
)
_OFFSET = re.compile(
    r"(?:(?:gmt|utc|múi giờ)\s*)?(?P<sign>[+\u2212-])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?"
    r"(?=\s*(?:$|[()\[\],]))"
)
_ZONE_INSIDE = re.compile(r"^(\d{4}-\d\d-\d\d)([+-]\d\d(?:\d\d)?|[A-Z]{3,4})(\d\d:\d\d:\d\d)$")
"""As NukeViet writes times into its pages: 2024-03-05+0715:30:00, where PHP takes the T for the name of the zone."""
_MERIDIEM = ("am", "pm", "a.m.", "p.m.")
_COMMENT = re.compile(r"\((?![^)]*[+-]\s*\d)[^)]*\)|\[[a-z/_]+\]")
_ASP_NET = re.compile(r"^/date\((\d+)(?:[+-]\d{4})?\)/$")
_VIETNAM = ("asia/ho_chi_minh", "asia/saigon", "asia/hanoi", "asia/bangkok")
_DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_WEEKDAYS = {
    "mon": 0,
    "tue": 1,
    "wed": 2,
    "thu": 3,
    "fri": 4,
    "sat": 5,
    "sun": 6,
    "thứ hai": 0,
    "thứ ba": 1,
    "thứ tư": 2,
    "thứ năm": 3,
    "thứ sáu": 4,
    "thứ bảy": 5,
    "chủ nhật": 6,
}


@dataclass(frozen=True)
class ReadTime:
    """A time as its source has it; `at` is None if it is unknown, and without a zone it is in the zone of the site."""

    at: datetime | None = None
    precision: DatePrecision = "unknown"
    was_given: bool = False
    """The source has a value, even if it is not a time."""

    @property
    def is_unreadable(self) -> bool:
        """Whether the source has a value that is not a time."""
        return self.was_given and self.at is None

    def in_zone(self, zone: tzinfo) -> datetime | None:
        """Return the time in UTC; one without a zone is read in `zone`."""
        if self.at is None:
            return None
        return (self.at if self.at.tzinfo else self.at.replace(tzinfo=zone)).astimezone(UTC)


TIME_CHARACTERS_MAX = 300
UNKNOWN = ReadTime(was_given=True)
ABSENT = ReadTime()


def read_time(value: object) -> ReadTime:
    """Read a time in ISO 8601, RFC 5322, Vietnamese or English notation, or in seconds or milliseconds since 1970."""
    if value is None or isinstance(value, bool):
        return ABSENT
    if isinstance(value, date):
        is_exact = isinstance(value, datetime)
        at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
        return _checked(at, "exact" if is_exact else "day")
    if isinstance(value, int | float):
        return _from_number(value)
    return _from_text(visible_line(str(value)))


def _from_text(text: str) -> ReadTime:
    if len(text) > TIME_CHARACTERS_MAX:
        return UNKNOWN
    if not text or text in ("0", "null", "~", "None") or re.fullmatch(r"0{4}-00-00.*|-|0+", text):
        return ABSENT
    if re.fullmatch(r"\d+(\.0*)?", text):
        return _from_digits(text.partition(".")[0])
    text = _ZONE_INSIDE.sub(r"\1T\3 \2", text)
    return _from_iso(text) or _from_words(text.casefold())


def read_first(*values: object) -> ReadTime:
    """Return the first time of several fields that can be read; unreadable if only unreadable ones are given."""
    found = [read_time(value) for value in values]
    return next((one for one in found if one.at), next((one for one in found if one.was_given), ABSENT))


def _checked(at: datetime, precision: DatePrecision) -> ReadTime:
    if not YEAR_MIN <= at.year <= YEAR_MAX or at.date() in _NULL_DAYS:
        return UNKNOWN
    if at.tzinfo is not None:
        try:
            at = at.astimezone(UTC)
        except (OverflowError, ValueError):
            return UNKNOWN
    return ReadTime(at, precision, was_given=True)


def _from_number(number: float) -> ReadTime:
    if number == 0:
        return ABSENT
    if not isfinite(number) or number < 0:
        return UNKNOWN
    return _from_digits(str(int(number)))


def _from_digits(text: str) -> ReadTime:
    if len(text) in _DIGITS and text[:2] in ("19", "20"):  # a number of seconds has nine or ten digits
        try:
            read = datetime.strptime(text, _DIGITS[len(text)])  # noqa: DTZ007 - in the site's zone
        except ValueError:
            return UNKNOWN
        return _checked(read, "day" if len(text) == 8 else "exact")
    divisor = {9: 1, 10: 1, 12: 1_000, 13: 1_000, 15: 1_000_000, 16: 1_000_000}.get(len(text))
    if divisor is None or text.startswith("0"):
        return UNKNOWN
    return _checked(datetime.fromtimestamp(int(text) / divisor, UTC), "exact")


def _from_iso(text: str) -> ReadTime | None:
    if not re.match(r"\d{4}-?\d\d-?\d\d([T ]|$)", text):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _checked(read, "day" if len(text) <= len("2024-03-05") else "exact")


def _from_words(text: str) -> ReadTime:
    asp_net = _ASP_NET.match(text)
    if asp_net is not None:
        return _from_digits(asp_net[1])
    text = re.sub(r"(?<=\d)z\b", " z", _COMMENT.sub(" ", text))
    found = next((found for pattern in _DATES if (found := pattern.search(text))), None)
    if found is None:
        return UNKNOWN
    given = found.groupdict()
    before, after = text[: found.start()], re.sub(r"^t(?=\d)", " ", text[found.end() :])
    if given.get("clock"):
        before, after = "", f"{given['clock']} {given.get('zone') or ''}"
    clock = _CLOCK.search(after) or _CLOCK.search(before)
    day = _day(given, f"{before} {after}", clock)
    if day is None:
        return UNKNOWN
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - in the site's zone
    if clock is None:
        return _checked(midnight, "day")
    return _with_clock(midnight, clock)


def _with_clock(midnight: datetime, clock: re.Match[str]) -> ReadTime:
    moment = _moment(midnight, clock)
    zone = _zone(clock.string[clock.end() :])
    if moment is None:
        return UNKNOWN
    if zone is None:  # a name that nobody knows: the day is known, the hour is not
        return _checked(midnight, "day")
    return _checked(moment if zone == "" else moment.replace(tzinfo=zone), "exact")


def _day(given: dict[str, str | None], rest: str, clock: re.Match[str] | None) -> date | None:
    year_text = given["year"] or ""
    year = int(year_text)
    if len(year_text) == 2:
        year += 2000 if year < 69 else 1900  # as RFC 5322 reads years of two digits
    if given.get("first"):
        return _day_or_month_first(int(given["first"] or 0), int(given["second"] or 0), year, rest, clock)
    if given.get("name"):
        month = _MONTHS[(given["name"] or "")[:3]]
    elif given.get("thang"):
        said = given["thang"] or ""
        month = int(said) if said.isdigit() else _VIETNAMESE_MONTHS[said]
    else:
        month = int(given["month"] or 0)
    return _date(year, month, int(given["day"] or 0))


def _day_or_month_first(first: int, second: int, year: int, rest: str, clock: re.Match[str] | None) -> date | None:
    """The day is first, as everywhere in Vietnam. With "AM" or "PM" it may be American: then only one sense will do."""
    day_first, month_first = _date(year, second, first), _date(year, first, second)
    weekday = next((number for name, number in _WEEKDAYS.items() if re.search(rf"(?<![a-zà-ỹ]){name}", rest)), None)
    if weekday is not None:
        fitting = [one for one in (day_first, month_first) if one is not None and one.weekday() == weekday]
        return fitting[0] if len({*fitting}) == 1 else None
    is_american = clock is not None and clock["half"] in _MERIDIEM
    if not is_american:
        return day_first
    senses = {one for one in (day_first, month_first) if one is not None}
    return senses.pop() if len(senses) == 1 else None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _moment(midnight: datetime, clock: re.Match[str]) -> datetime | None:
    hour, minute, second = int(clock["hour"]), int(clock["minute"] or 0), int(clock["second"] or 0)
    half = clock["half"]
    if half in ("pm", "p.m.", "ch", "chiều", "tối"):
        hour += 12 if hour < 12 else 0
    elif half in ("am", "a.m.", "sa", "sáng") and hour == 12:
        hour = 0
    elif half == "trưa" and hour in (1, 2):
        hour += 12
    second = min(second, 59) if second == 60 else second  # a leap second
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute, second) != (0, 0)):
        return None
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second)


def _zone(text: str) -> timezone | Literal[""] | None:
    """Return the zone in the text after a time of day; "" if there is none, None if its name is not known."""
    text = text.strip(" \n\t,;.|-–")
    offset = _OFFSET.match(text.lstrip("([ "))
    if offset is not None:
        hours, minutes = int(offset["hours"]), int(offset["minutes"] or 0)
        if hours > 14:
            return None
        east = timedelta(hours=hours, minutes=minutes)
        return timezone(east if offset["sign"] == "+" else -east)
    name = text.strip("()[] ")
    if name in _ZONES:
        return timezone(timedelta(hours=_ZONES[name]))
    if name in _VIETNAM:
        return timezone(timedelta(hours=7))
    return None if re.fullmatch(r"[a-z]{2,5}|[a-z]+/[a-z_/]+", name) else ""

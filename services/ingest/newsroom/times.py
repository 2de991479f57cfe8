"""Times as editors read them: in the site's zone, with the weekday and the distance from now. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.translations import LANGUAGES, Message, ngettext, pgettext, translate

WEEKDAYS = translate(
    {
        "days": [
            pgettext("weekday", "Mon"),
            pgettext("weekday", "Tue"),
            pgettext("weekday", "Wed"),
            pgettext("weekday", "Thu"),
            pgettext("weekday", "Fri"),
            pgettext("weekday", "Sat"),
            pgettext("weekday", "Sun"),
        ],
        "now": pgettext("time", "just now"),
    }
)
AGO: tuple[tuple[int, Message], ...] = (
    (60, ngettext("{count} minute ago", "{count} minutes ago")),
    (3_600, ngettext("{count} hour ago", "{count} hours ago")),
    (86_400, ngettext("{count} day ago", "{count} days ago")),
)
AHEAD: tuple[tuple[int, Message], ...] = (
    (60, ngettext("in {count} minute", "in {count} minutes")),
    (3_600, ngettext("in {count} hour", "in {count} hours")),
    (86_400, ngettext("in {count} day", "in {count} days")),
)
DAYS_MAX = 60
"""A longer distance says nothing that the date does not say."""


class Moment(NamedTuple):
    """A time, as a page shows it."""

    iso: str
    day: str
    """With the weekday, and the year if it is another one."""
    clock: str
    distance: str
    """From now; "" if it is long."""


def moment(at: datetime, zone: ZoneInfo, now: datetime, language: str) -> Moment:
    """Return a time in a zone, as people who speak a language write it."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    year = f"/{local.year}" if local.year != today.year else ""
    day = f"{WEEKDAYS[language]['days'][local.weekday()]} {local.day}/{local.month}{year}"
    return Moment(at.astimezone(UTC).isoformat(), day, f"{local:%H:%M}", distance(at, now, language))


def distance(at: datetime, now: datetime, language: str) -> str:
    """Return how long ago a time was, or how far ahead it is; "" if that is longer than DAYS_MAX."""
    seconds = (at - now).total_seconds()
    size = abs(seconds)
    if size < 60:
        return str(WEEKDAYS[language]["now"])
    if size > DAYS_MAX * 86_400:
        return ""
    units = AHEAD if seconds > 0 else AGO
    unit, message = next(one for one in reversed(units) if size >= one[0])
    count = int(size // unit)
    return LANGUAGES[language].plural(message, count).format(count=count)


def parse_time(text: object) -> datetime | None:
    """Return a time of the API."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def form_value(text: object, zone: ZoneInfo) -> str:
    """Return a time of the API as `<input type="datetime-local">` has it, in a zone; what is no time stays as it is."""
    try:
        at = parse_time(text)
        return "" if at is None else f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"
    except (ValueError, OverflowError):  # it was sent by a form, and the API has refused it
        return str(text)


def api_value(text: str, zone: ZoneInfo) -> str | None:
    """Return what a form has as a time for the API; None if it is empty.

    Raises:
        ValueError: it is no time.
    """
    return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat() if text else None

"""One record in the reference model: its event, whether it can be counted, and its buckets. Pure."""

import re
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from shared.events import PageEvent
from shared.sites import Site

FUTURE_MS = 5 * 60_000
OLD_MS = 48 * 3_600_000
VALUE_BYTES_MAX = 8_192
WHOLE_SITE = ""
OTHER_HOSTS = "(other)"
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
VISITOR_ID = re.compile("[0-9a-fA-F]{16}")

Grain = Literal["5m", "hour", "day", "total"]


class Bucket(NamedTuple):
    """A site (article is empty) or an article in one bucket. `start`: seconds since 1970 UTC; 0 for the total."""

    site: str
    article: str
    grain: Grain
    start: int


class CountedView(Protocol):
    """What the buckets of a view depend on."""

    @property
    def site(self) -> str:
        """Its slug."""

    @property
    def article(self) -> str | None:
        """None if it is of no article."""

    @property
    def at(self) -> int:
        """Its own time, in milliseconds since 1970 UTC."""


class InvalidRecord(Exception):  # noqa: N818 - its text is the reason of the dead letter
    """A record that cannot be counted."""


_decode = msgspec.json.Decoder(PageEvent).decode


def read_event(value: bytes | None) -> PageEvent:
    """Return the event of a record's value.

    Raises:
        InvalidRecord: null, oversize, not-json or schema.
    """
    if value is None:
        raise InvalidRecord("null")
    if len(value) > VALUE_BYTES_MAX:
        raise InvalidRecord("oversize")
    try:
        event = _decode(value)
    except msgspec.ValidationError as error:
        raise InvalidRecord("schema") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRecord("not-json") from error
    keys = [key for key in (event.visitor, event.visitor_prev, event.client) if key is not None]
    if not UUID.fullmatch(event.id) or not all(VISITOR_ID.fullmatch(key) for key in keys):
        raise InvalidRecord("schema")
    return event


def check_text(event: PageEvent) -> None:
    """Check that Postgres can store the event's article and bot.

    Raises:
        InvalidRecord: nul-character.
    """
    for text in (event.article, event.bot):
        if text is None:
            continue
        try:
            invalid = b"\0" in text.encode()
        except UnicodeEncodeError:
            invalid = True
        if invalid:
            raise InvalidRecord("nul-character")


def check_time(event: PageEvent, arrived: int) -> None:
    """Check that the event's own time is near its arrival.

    Raises:
        InvalidRecord: future or too-old.
    """
    if event.at > arrived + FUTURE_MS:
        raise InvalidRecord("future")
    if event.at < arrived - OLD_MS:
        raise InvalidRecord("too-old")


def referrer_host(referrer: str | None, site: Site) -> str:
    """Return the host of another site, without "www."; empty for none, "(other)" if it is not a host name."""
    if referrer is None:
        return ""
    host = referrer.lower().removeprefix("www.")
    for origin in site.origins:
        if (urlsplit(origin).hostname or "").removeprefix("www.") == host:
            return ""
    labels = host.split(".")
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    well_formed = 2 <= len(labels) <= 10 and all(1 <= len(one) <= 63 and set(one) <= letters for one in labels)
    return host if well_formed else OTHER_HOSTS


def buckets_of(event: CountedView, day: int) -> list[Bucket]:
    """Return the buckets of a view, by its own time; `day` is the start of its local day, in seconds."""
    seconds = event.at // 1000
    buckets = [
        Bucket(event.site, WHOLE_SITE, "5m", seconds // 300 * 300),
        Bucket(event.site, WHOLE_SITE, "hour", day + (seconds - day) // 3600 * 3600),
        Bucket(event.site, WHOLE_SITE, "day", day),
        Bucket(event.site, WHOLE_SITE, "total", 0),
    ]
    if event.article:
        buckets += [Bucket(event.site, event.article, "day", day), Bucket(event.site, event.article, "total", 0)]
    return buckets


def day_start(timestamp_ms: int, zone: tzinfo) -> int:
    """Return the first instant of the local day, in seconds since 1970 UTC."""
    return first_instant(datetime.fromtimestamp(timestamp_ms // 1000, zone).date(), zone)


@lru_cache(maxsize=1_024)
def first_instant(day: date, zone: tzinfo) -> int:
    """Return when a local date begins, in seconds since 1970 UTC.

    Through UTC: where summer time skips midnight, the day begins at the first instant after it.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp())

"""Who a sign comes from, without keeping who that is. Pure: salts and times are handed in.

A visitor key is HMAC(random salt of the site's local day, site, address, user agent), so that nobody can join
two days, not even we once the salt is dropped. In the first hour after local midnight yesterday's key
travels along, so that a reader who stays over midnight is neither two people online nor a second visit.
Rules: ARCHITECTURE.md, "Counting rules".
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

VISITOR_HEX_DIGITS = 16
MIDNIGHT_OVERLAP = timedelta(hours=1)
QUARTER_MILLISECONDS = 15 * 60_000


class Sender(NamedTuple):
    """Where a request came from; it lives for one request and is stored nowhere."""

    address: str
    user_agent: str
    keeps_private: bool = False
    """The reader's browser sends `Sec-GPC: 1`: count the view, make no key."""
    prefetches: bool = False
    """The browser fetches ahead: nobody has seen the page yet."""


class Reader(NamedTuple):
    """What is known of a sender on one site: enough to count, too little to tell who it is."""

    place: int
    """See `place_of`."""
    key: str | None
    key_before: str | None
    bot: str | None


@dataclass(frozen=True)
class LocalDays:
    """The site's local day of an instant, and the day before while the midnight overlap lasts."""

    today: date
    yesterday: date | None


def local_days(at_milliseconds: int, zone: ZoneInfo) -> LocalDays:
    """Return the local days whose salts make the keys of an event at `at_milliseconds`."""
    return _days_of_quarter(at_milliseconds // QUARTER_MILLISECONDS, zone)


@lru_cache(maxsize=10_000)
def _days_of_quarter(quarter: int, zone: ZoneInfo) -> LocalDays:
    # All zones are whole quarters of an hour from UTC, so a quarter lies within one local day.
    local = datetime.fromtimestamp(quarter * QUARTER_MILLISECONDS / 1000, zone)
    before = (local - MIDNIGHT_OVERLAP).date()
    return LocalDays(local.date(), before if before != local.date() else None)


def visitor_key(salt: bytes, site: str, address: str, user_agent: str) -> str:
    """Return the 16 hex digits that stand for one reader on one site on one local day."""
    return _digest(salt, site, address, user_agent).hex()[:VISITOR_HEX_DIGITS]


def place_of(secret: bytes, site: str, address: str, user_agent: str) -> int:
    """Return 64 bits that are the same for all of a reader's events, today and tomorrow: they choose the partition."""
    return int.from_bytes(_digest(secret, site, address, user_agent)[:8])


def _digest(key: bytes, *parts: str) -> bytes:
    # A zero byte between parts: ("a", "bc") and ("ab", "c") must differ.
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogateescape"), hashlib.sha256)

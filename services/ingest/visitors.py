"""Who a sign comes from, without keeping who that is. Pure: salts and times are handed in.

A visitor key is HMAC(random salt of the site's local day, site, address, user agent), so that nobody can join
two days, not even we once the salt is dropped. In the first hour after local midnight yesterday's key
travels along, so that a reader who stays over midnight is neither two people online nor a second visit.
Rules: ARCHITECTURE.md, "Counting rules".
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

VISITOR_HEX_DIGITS = 16
MIDNIGHT_OVERLAP = timedelta(hours=1)
HEADLESS = re.compile(r"HeadlessChrome|PhantomJS|Selenium|Playwright|Puppeteer")

_crawlers = [re.compile(entry["pattern"]) for entry in CRAWLER_USER_AGENTS_DATA]


@dataclass(frozen=True)
class LocalDays:
    """The site's local day of an instant, and the day before while the midnight overlap lasts."""

    today: date
    yesterday: date | None


def local_days(at_milliseconds: int, zone: ZoneInfo) -> LocalDays:
    """Return the local days whose salts make the keys of an event at `at_milliseconds`."""
    local = datetime.fromtimestamp(at_milliseconds / 1000, zone)
    before = (local - MIDNIGHT_OVERLAP).date()
    return LocalDays(local.date(), before if before != local.date() else None)


def visitor_key(salt: bytes, site: str, address: str, user_agent: str) -> str:
    """Return the 16 hex digits that stand for one reader on one site on one local day."""
    return _digest(salt, site, address, user_agent).hex()[:VISITOR_HEX_DIGITS]


def partition_of(secret: bytes, site: str, address: str, user_agent: str, partitions: int) -> int:
    """Return the partition that all of a reader's events go to, today and tomorrow."""
    return int.from_bytes(_digest(secret, site, address, user_agent)[:8]) % partitions


def _digest(key: bytes, *parts: str) -> bytes:
    # A zero byte between parts: ("a", "bc") and ("ab", "c") must differ.
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogateescape"), hashlib.sha256)


@lru_cache(maxsize=10_000)
def bot_reason(user_agent: str, *, count_headless: bool = False) -> str | None:
    """Tell why a user agent is a program rather than a person: a short reason, or None.

    Args:
        user_agent: The header as it came.
        count_headless: Treat browsers that drive themselves as people (to try the system).
    """
    if not user_agent.strip():
        return "no-user-agent"
    if HEADLESS.search(user_agent):
        return None if count_headless else "headless"
    if any(pattern.search(user_agent) for pattern in _crawlers):
        return "crawler"
    return None

"""Pseudonymous visitor IDs and partition hashes. Pure.

A visitor ID is HMAC(random salt of the site's local day, site, address, user agent). IDs of different days cannot be
linked, not even by the operator once the salts are deleted. In the first hour after local midnight an event also
carries the previous day's ID, so that a visitor who stays over midnight is not counted twice online or as a new visit.
Rules: ARCHITECTURE.md, "Counting rules".
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from ipaddress import ip_network
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.events import CLIENT_CLASSES
from shared.http.client_address import parse_address

VISITOR_HEX_DIGITS = 16
AGENT_HEX_DIGITS, NETWORK_HEX_DIGITS = 7, 8
_APPS = ("FBAN", "FBAV", "Zalo", "Instagram", "TikTok", "musical_ly", "BytedanceWebview", "Line/", "; wv)")
_BROWSERS = (
    ("coc_coc", "coccoc"),
    ("SamsungBrowser", "samsung"),
    ("OPR/", "opera"),
    ("Opera", "opera"),
    ("Edg", "edge"),
    ("Firefox", "firefox"),
    ("FxiOS", "firefox"),
    ("Chrome", "chrome"),
    ("CriOS", "chrome"),
    ("Safari", "safari"),
)
"""Parts of user agents and the classes that they mean, the first one that is found."""
MIDNIGHT_OVERLAP = timedelta(hours=1)
QUARTER_HOUR_MS = 15 * 60_000


class ClientInfo(NamedTuple):
    """The client of a request; it is never stored."""

    address: str
    user_agent: str
    has_gpc: bool = False
    """The browser sends `Sec-GPC: 1`: the view is counted without a visitor ID."""
    is_prefetch: bool = False
    """The browser prefetches or prerenders: the page has not been seen."""
    limit_key: str | None = None
    """The unit of limits per address, see `rate_limit.rate_limit_key`; None for no limit."""
    is_exact: bool = True
    """False: the address is that of a proxy, which named no visitor."""
    own_site: str | None = None
    """The site whose own traffic the client says to be, with a signed cookie."""


class VisitorIdentity(NamedTuple):
    """The pseudonymous identity of a client on one site."""

    partition_hash: int
    """See `derive_partition_hash`."""
    visitor_id: str | None
    previous_visitor_id: str | None
    bot: str | None
    is_limited: bool = False
    """The address has made too many visitors on that day: this one has no visitor ID."""
    client: str | None = None
    """See `derive_client`."""


@dataclass(frozen=True)
class LocalDays:
    """The local day of an instant, and the previous day during the overlap after midnight."""

    today: date
    yesterday: date | None

    @cached_property
    def all(self) -> tuple[date, ...]:
        """Both, as far as there are two."""
        return (self.today, self.yesterday) if self.yesterday else (self.today,)


def local_days(timestamp_ms: int, zone: ZoneInfo) -> LocalDays:
    """Return the local days whose salts the visitor IDs of an event at `timestamp_ms` need."""
    return _days_of_quarter_hour(timestamp_ms // QUARTER_HOUR_MS, zone)


@lru_cache(maxsize=10_000)
def _days_of_quarter_hour(quarter: int, zone: ZoneInfo) -> LocalDays:
    # All UTC offsets are multiples of a quarter hour, so each quarter hour is within one local day.
    # The hour before is an hour of time, not of the clock: summer time may skip midnight, and the day begins at 01:00.
    instant = datetime.fromtimestamp(quarter * QUARTER_HOUR_MS / 1000, UTC)
    today, before = instant.astimezone(zone).date(), (instant - MIDNIGHT_OVERLAP).astimezone(zone).date()
    return LocalDays(today, before if before != today else None)


def derive_visitor_id(salt: bytes, site: str, address: str, user_agent: str) -> str:
    """Return the visitor ID on one site and local day: 16 hex digits."""
    return _digest(salt, site, address, user_agent).hex()[:VISITOR_HEX_DIGITS]


def derive_client(salt: bytes, site: str, address: str, user_agent: str) -> str:
    """Return what groups a client with others of one site and local day: 16 hex digits, see `shared.events.ClientKey`.

    The user agent and the address prefix have keyed hashes of their own, so that neither can be read from it. They have
    the lifetime of the salt, as the visitor ID has: once it is deleted, nobody can compute them again.
    """
    agent = _digest(salt + b"agent", site, user_agent).hex()[:AGENT_HEX_DIGITS]
    network = _digest(salt + b"network", site, _network(address)).hex()[:NETWORK_HEX_DIGITS]
    return f"{client_class(user_agent):x}{agent}{network}"


def _network(address: str) -> str:
    """Return the IPv4 /24 or IPv6 /48 of an address: what one provider gives to one place."""
    ip = parse_address(address)
    if ip is None:
        return address
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def client_class(user_agent: str) -> int:
    """Return the class of a browser: an index of `shared.events.CLIENT_CLASSES`."""
    if any(part in user_agent for part in _APPS):
        return CLIENT_CLASSES.index("app")
    for part, name in _BROWSERS:
        if part in user_agent:
            is_phone = "Mobile" in user_agent or "Android" in user_agent
            return CLIENT_CLASSES.index(
                name if name in CLIENT_CLASSES else f"{name}-{'phone' if is_phone else 'computer'}"
            )
    return 0


def derive_partition_hash(secret: bytes, site: str, address: str, user_agent: str) -> int:
    """Return 64 bits that choose the partition: the same for all events of a visitor, on every day."""
    return int.from_bytes(_digest(secret, site, address, user_agent)[:8])


def _digest(key: bytes, *parts: str) -> bytes:
    # A NUL byte between the parts, so that ("a", "bc") and ("ab", "c") differ.
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogateescape"), hashlib.sha256)

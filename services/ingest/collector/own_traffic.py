"""Own traffic: views of a site's own staff, by their address or by a signed cookie of their browser. Pure.

A link and a cookie are the site, when they end, and a keyed hash of both. They name nobody: all cookies of a day are
the same. The key is derived from the collectors' lasting secret, so that all of them know it, also without Postgres.
"""

import base64
import hashlib
import hmac
import re
from typing import Literal, NamedTuple

from services.ingest.collector.visitors import ClientInfo
from shared.http.client_address import ClientAddress, Network, is_proxy
from shared.origins import LOOPBACK, sent_host, without_port
from shared.own_addresses import is_own_address
from shared.sites import Site

COOKIE = "presstally_own"
SECURE_COOKIE = f"__Host-{COOKIE}"
COOKIE_DAYS = 400
"""The longest time that browsers keep a cookie."""
LINK_DAYS_MAX = 90
DAY_SECONDS = 86_400
COOKIE_HEADER_CHARACTERS_MAX = 8_192
MARKS_MAX = 4
"""Cookies of that name whose hash is checked, of one request."""
_MARK = re.compile(r"([a-z0-9-]{1,40})\.([1-9][0-9]{0,10})\.([A-Za-z0-9_-]{22})")
_LABEL = b"presstally own traffic 1"

Kind = Literal["link", "cookie"]


class Mark(NamedTuple):
    """What a link or a cookie says."""

    site: str
    until: int
    """Seconds since 1970 UTC."""


def own_traffic_key(secret: bytes) -> bytes:
    """Return the key of links and cookies, from the collectors' lasting secret."""
    return hmac.digest(secret, _LABEL, hashlib.sha256)


def sign(key: bytes, kind: Kind, mark: Mark) -> str:
    """Return a link's or a cookie's text; one is never valid in place of the other."""
    digest = hmac.digest(key, f"{kind}\0{mark.site}\0{mark.until}".encode(), hashlib.sha256)
    return f"{mark.site}.{mark.until}.{base64.urlsafe_b64encode(digest[:16]).decode().rstrip('=')}"


def verify(key: bytes, kind: Kind, text: str) -> Mark | None:
    """Return what a text says if it was signed with the key; it may have ended."""
    found = _MARK.fullmatch(text)
    if found is None:
        return None
    mark = Mark(found[1], int(found[2]))
    return mark if hmac.compare_digest(sign(key, kind, mark), text) else None


def cookie_end(now: int) -> int:
    """Return when a cookie that is set now ends: with a day, so that it does not say when it was set."""
    return (now // DAY_SECONDS + COOKIE_DAYS) * DAY_SECONDS


def cookie_mark(header: str, host: str, key: bytes, now: int) -> Mark | None:
    """Return what the cookie of a browser says, if it is signed and has not ended.

    Over https its name begins with `__Host-`, so that no neighbouring host can plant one; the plain name is read at
    loopback addresses only.

    Args:
        header: `Cookie` of the request.
        host: `Host` of the request.
        key: See `own_traffic_key`.
        now: Seconds since 1970 UTC.
    """
    if COOKIE not in header:
        return None
    names = {SECURE_COOKIE, COOKIE} if _is_loopback(host) else {SECURE_COOKIE}
    parts = (part.strip().partition("=") for part in header[:COOKIE_HEADER_CHARACTERS_MAX].split(";"))
    values = [value for name, _, value in parts if name in names]
    for value in values[:MARKS_MAX]:
        mark = verify(key, "cookie", value)
        if mark is not None and now < mark.until:
            return mark
    return None


def _is_loopback(host: str) -> bool:
    sent = sent_host(host)
    return sent is not None and without_port(sent) in LOOPBACK


def is_own_traffic(site: Site, client: ClientInfo, trusted_proxies: tuple[Network, ...] = ()) -> bool:
    """Return whether views of a client are a site's own traffic."""
    if client.own_site == site.slug:
        return True
    return is_at_own_address(site, ClientAddress(client.address, client.is_exact), trusted_proxies)


def is_at_own_address(site: Site, client: ClientAddress, trusted_proxies: tuple[Network, ...]) -> bool:
    """Return whether a client is at one of a site's own addresses.

    The address of a proxy that named no visitor is nobody's: all visitors would be own traffic.
    """
    if not site.own_addresses or not client.is_exact:
        return False
    return is_own_address(client.address, tuple(site.own_addresses)) and not is_proxy(client.address, trusted_proxies)

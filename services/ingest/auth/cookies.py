"""Cookies of people's browsers, and the origins from which they may be used. Pure.

Over https a cookie's name begins with `__Host-`: browsers then accept it only from this host, secure and for all paths,
so that no neighbouring host can plant one. Over http the same cookies have plain names, on loopback addresses only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shared.http.problems import Problem
from shared.origins import LOOPBACK, host_of_origin, is_loopback, sent_host, sent_origin, without_port
from shared.sites import Sites

SESSION = "presstally_session"
DEVICE = "presstally_device"
PROVIDER = "presstally_oidc"
SECURE_PREFIX = "__Host-"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEVICE_SECONDS = 400 * 86_400
"""The longest time that browsers keep a cookie."""
COOKIE_HEADER_BYTES_MAX = 8_192


@dataclass(frozen=True)
class AskedOrigin:
    """The origin at which a browser has asked."""

    origin: str

    @property
    def is_secure(self) -> bool:
        """Return whether it is https."""
        return self.origin.startswith("https://")


def read_cookie(request: Request, name: str) -> str | None:
    """Return the value of a cookie; None if there is none, or an empty one.

    The plain name is read only where the browser has asked at a loopback address.

    Raises:
        Problem: 400 if it is sent twice: somebody else may have planted one of them.
    """
    names = [SECURE_PREFIX + name, *([name] if _is_loopback(request) else [])]
    found = []
    for header in request.headers.getlist("cookie"):
        for part in header[:COOKIE_HEADER_BYTES_MAX].split(";"):
            sent, _, value = part.strip().partition("=")
            if sent in names and value:
                found.append((sent, value.strip('"')))
    secure = [value for sent, value in found if sent.startswith(SECURE_PREFIX)]
    values = secure or [value for _, value in found]
    if len(values) > 1:
        raise Problem(400, "The session's cookie was sent twice.", code="ambiguous_cookie")
    return values[0] if values else None


def _is_loopback(request: Request) -> bool:
    host = sent_host(request.headers.get("host", ""))
    return host is not None and without_port(host) in LOOPBACK


def set_cookie(response: Response, origin: AskedOrigin, name: str, value: str, seconds: float | None = None) -> None:
    """Set a cookie that only this host's pages send, and that no script can read.

    Args:
        response: The response that sets it.
        origin: Where the browser has asked.
        name: Without its prefix.
        value: Visible ASCII without separators; empty deletes the cookie.
        seconds: How long the browser keeps it; None: until it is closed.
    """
    response.set_cookie(
        SECURE_PREFIX + name if origin.is_secure else name,
        value,
        max_age=None if seconds is None else int(seconds),
        path="/",
        secure=origin.is_secure,
        httponly=True,
        samesite="lax",
    )


def delete_cookies(response: Response, *names: str, is_loopback: bool) -> None:
    """Delete cookies, under both names where the plain ones are read."""
    for name in names:
        response.delete_cookie(SECURE_PREFIX + name, path="/", secure=True, httponly=True, samesite="lax")
        if is_loopback:
            response.delete_cookie(name, path="/", httponly=True, samesite="lax")


def asked_origin(request: Request, sites: Sites, extra: Iterable[str] = ()) -> AskedOrigin:
    """Return the installation's origin whose page sends a request.

    A browser says where a request comes from (`Origin`, `Sec-Fetch-Site`). It must be the host that was asked, and one
    that a site declares. Programs send neither: they use tokens.

    Args:
        request: With a method that changes something.
        sites: The installation's sites.
        extra: Further origins of the installation.

    Raises:
        Problem: 403 if the request comes from elsewhere, or does not say from where; 403 for plain http anywhere but on
            a loopback address.
    """
    fetched_from = request.headers.get("sec-fetch-site")
    origin = sent_origin(request.headers.get("origin", ""))
    host = sent_host(request.headers.get("host", ""))
    known = {one for site in sites.values() for one in site.origins} | set(extra)
    is_same = origin is not None and _same_host(host_of_origin(origin), host)
    if origin is None or not is_same or fetched_from not in (None, "same-origin"):
        detail = "The request does not come from a page of this host (Origin, Sec-Fetch-Site)."
        raise Problem(403, detail, code="foreign_origin")
    if origin not in known and not is_loopback(origin):
        raise Problem(403, f"No site declares the origin {origin[:80]}.", code="foreign_origin")
    if not origin.startswith("https://") and not is_loopback(origin):
        raise Problem(403, "Log in over https: a password would be readable on the way.", code="https_required")
    return AskedOrigin(origin)


def _same_host(origin_host: str, host: str | None) -> bool:
    """Return whether an origin's host is the one that was asked; `sent_host` drops the default ports."""
    return host is not None and origin_host.removesuffix(":443") == host


def origin_of_host(request: Request, sites: Sites, extra: Iterable[str] = ()) -> AskedOrigin:
    """Return the installation's origin that a browser has opened, by its Host: for navigations, which send no origin.

    Raises:
        Problem: 403 if no site declares the host.
    """
    host = sent_host(request.headers.get("host", ""))
    known = [one for site in sites.values() for one in site.origins] + list(extra)
    found = [one for one in known if _same_host(host_of_origin(one), host)]
    if not found and host is not None and without_port(host) in LOOPBACK:
        found = [f"http://{host}"]
    if not found:
        raise Problem(403, "No site declares the host that was asked.", code="foreign_origin")
    secure = [one for one in found if one.startswith("https://") or is_loopback(one)]
    if not secure:
        raise Problem(403, "Log in over https: a password would be readable on the way.", code="https_required")
    return AskedOrigin(secure[0])

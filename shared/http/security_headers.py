"""Headers that every response has unless its handler sets them, and redirects that do not repeat the request's host."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope

DENY_ALL_CSP = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of everything but pages: nothing in it runs or loads, and no page frames it."""
STYLED_CSP = f"{DENY_ALL_CSP}; style-src 'unsafe-inline'"
"""Of images and fragments with styles of their own, such as the counter's SVG."""
DOCUMENT_CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Of the pages of documentation, whose inline scripts and styles are constant: everything is from this host."""
DOCUMENTS = ("/api/docs", "/api/redoc", "/asyncapi")


def secure_headers(scope: Scope, message: Message) -> None:
    """Add the security headers to the start of a response, and make a redirect of the router relative to its host.

    A redirect that the framework makes of a trailing slash has the request's `Host`, which a client chooses: a shared
    cache would send others there. Without scheme and host, the client stays at the address that it used.
    """
    headers = MutableHeaders(raw=list(message["headers"]))
    headers.setdefault("x-content-type-options", "nosniff")
    is_document = scope["path"].startswith(DOCUMENTS) and headers.get("content-type", "").startswith("text/html")
    is_image = headers.get("content-type", "").startswith("image/svg+xml")
    policy = DOCUMENT_CSP if is_document else STYLED_CSP if is_image else DENY_ALL_CSP
    headers.setdefault("content-security-policy", policy)
    location = headers.get("location", "")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if host and message["status"] in (307, 308) and urlsplit(location).netloc == host:
        path = location.split("://", 1)[1].removeprefix(host)
        headers["location"] = "/" + path.lstrip("/")
    message["headers"] = headers.raw

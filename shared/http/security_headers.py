"""Headers that every response has unless its handler sets them, and redirects that do not repeat the request's host."""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope

DENY_ALL_CSP = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of everything but pages: nothing in it runs or loads, and no page frames it."""
STYLED_CSP = f"{DENY_ALL_CSP}; style-src 'unsafe-inline'"
"""Of images and fragments with styles of their own, such as the counter's SVG."""
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def document_csp(html: str) -> str:
    """Return the policy of a page of documentation: files of this host, and its inline scripts and styles by checksum.

    Args:
        html: The page. Its inline scripts and styles have no attributes.
    """
    allowed = {"script": "'self'", "style": "'self'"}
    for kind, text in _INLINE.findall(html):
        checksum = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[kind] += f" 'sha256-{checksum}'"
    return (
        f"default-src 'none'; script-src {allowed['script']}; style-src {allowed['style']}; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def secure_headers(scope: Scope, message: Message) -> None:
    """Add the security headers to the start of a response, and make a redirect of the router relative to its host.

    A redirect that the framework makes of a trailing slash has the request's `Host`, which a client chooses: a shared
    cache would send others there. Without scheme and host, the client stays at the address that it used.
    """
    headers = MutableHeaders(raw=list(message["headers"]))
    headers.setdefault("x-content-type-options", "nosniff")
    is_image = headers.get("content-type", "").startswith("image/svg+xml")
    headers.setdefault("content-security-policy", STYLED_CSP if is_image else DENY_ALL_CSP)
    location = headers.get("location", "")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    path = location.partition("://")[2].removeprefix(host)
    if host and message["status"] in (307, 308) and location.partition("://")[2] != path:
        headers["location"] = "/" + path.lstrip("/")
    message["headers"] = headers.raw

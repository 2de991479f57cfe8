"""Security headers of every response, and redirects without the request's host."""

import base64
import hashlib
from typing import Any

import pytest

from shared.http.security_headers import DENY_ALL_CSP, STYLED_CSP, document_csp, secure_headers


def secured(path: str, status: int = 200, host: str = "evil.example:81", **headers: str) -> dict[str, str]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    message: Any = {"type": "http.response.start", "status": status, "headers": raw}
    secure_headers({"type": "http", "path": path, "headers": [(b"host", host.encode())]}, message)
    return {name.decode(): value.decode() for name, value in message["headers"]}


def test_secure_headers_has_a_policy_for_each_kind_and_keeps_the_handlers() -> None:
    """JSON, HTML, SVG and errors run nothing and are not framed; a handler's policy stays."""
    assert secured("/api/articles", content_type="application/json")["content-security-policy"] == DENY_ALL_CSP
    assert secured("/api/docs", content_type="text/html; charset=utf-8")["content-security-policy"] == DENY_ALL_CSP
    assert secured("/x", content_type="image/svg+xml")["content-security-policy"] == STYLED_CSP
    assert secured("/", content_security_policy="x")["content-security-policy"] == "x"
    assert secured("/")["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://evil.example:81/api/articles?q=x", "/api/articles?q=x"),
        ("http://evil.example:81//other.example/a", "/other.example/a"),
        ("https://haihau.example/a", "https://haihau.example/a"),
        ("/a", "/a"),
    ],
)
def test_secure_headers_redirect_does_not_repeat_the_host(location: str, expected: str) -> None:
    """A slash at the end of a path redirected to whatever the client sent as Host."""
    assert secured("/api/articles/", 307, location=location)["location"] == expected


@pytest.mark.parametrize(
    "host", ["[x", "[::1", "evil.example/a", "evil.example?a", "a@evil.example", "%", "EVIL.example"]
)
def test_secure_headers_redirect_of_an_odd_host_is_relative(host: str) -> None:
    """A Host that is no host ended in an error without a response, or was repeated."""
    assert secured("/api/articles/", 307, host, location=f"http://{host}/api/articles")["location"] == "/api/articles"


def test_document_csp_names_inline_parts_by_checksum() -> None:
    """A page of documentation runs its own inline script and style, and no other: nothing is `unsafe-inline`."""
    policy = document_csp("<style>a</style><script src=x></script><script>\nb</script>")
    sources = dict(part.split(" ", 1) for part in policy.split("; "))
    assert sources["style-src"] == "'self' 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"
    checksum = base64.b64encode(hashlib.sha256(b"\nb").digest()).decode()
    assert sources["script-src"] == f"'self' 'sha256-{checksum}'"
    assert "unsafe" not in policy
    assert sources["frame-ancestors"] == sources["default-src"] == "'none'"

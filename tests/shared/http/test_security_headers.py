"""Security headers of every response, and redirects without the request's host."""

from typing import Any

import pytest

from shared.http.security_headers import DENY_ALL_CSP, DOCUMENT_CSP, secure_headers


def secured(path: str, status: int = 200, **headers: str) -> dict[str, str]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    message: Any = {"type": "http.response.start", "status": status, "headers": raw}
    secure_headers({"type": "http", "path": path, "headers": [(b"host", b"evil.example:81")]}, message)
    return {name.decode(): value.decode() for name, value in message["headers"]}


def test_secure_headers_has_a_policy_for_each_kind_and_keeps_the_handlers() -> None:
    """JSON, SVG and errors run nothing and are not framed; documents are of this host; a handler's policy stays."""
    assert secured("/api/articles", content_type="application/json")["content-security-policy"] == DENY_ALL_CSP
    assert secured("/api/docs", content_type="text/html; charset=utf-8")["content-security-policy"] == DOCUMENT_CSP
    assert secured("/api/docs/x", content_type="application/json")["content-security-policy"] == DENY_ALL_CSP
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

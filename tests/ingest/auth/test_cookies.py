"""Cookies, and the origins from which they may be used."""

from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.auth.cookies import (
    SESSION,
    AskedOrigin,
    asked_origin,
    delete_cookies,
    origin_of_host,
    read_cookie,
    set_cookie,
)
from shared.http.problems import Problem
from shared.sites import Site, Sites

SITES = Sites(
    {
        "haihau": Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="UTC"),
        "tin": Site(
            slug="tin", name="Tin", origins=["http://tin.example:8080", "https://xn--tn-iia.example"], timezone="UTC"
        ),
    }
)


def outcome(ask: Callable[[], AskedOrigin]) -> str:
    """Return the origin, or the code of the problem."""
    try:
        return ask().origin
    except Problem as problem:
        return str(problem.extensions["code"])


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": pairs})


@pytest.mark.parametrize(
    ("host", "cookie", "value"),
    [
        ("haihau.example", "__Host-presstally_session=a", "a"),
        ("haihau.example", "other=1; __Host-presstally_session=a; x=y", "a"),
        ("haihau.example", "presstally_session=a", None),
        ("localhost:8080", "presstally_session=a", "a"),
        ("127.0.0.1:8080", "presstally_session=a", "a"),
        ("[::1]:8080", "presstally_session=a", "a"),
        ("localhost:8080", "presstally_session=a; __Host-presstally_session=b", "b"),
        ("localhost.evil.example", "presstally_session=a", None),
        ("haihau.example", "__host-presstally_session=a", None),
        ("haihau.example", "__Host-presstally_session=", None),
        ("haihau.example", "", None),
        ("haihau.example", ";;;=;", None),
    ],
)
def test_read_cookie_takes_the_own_name_only(host: str, cookie: str, value: str | None) -> None:
    """Outside of loopback only the name that no neighbouring host can plant is read."""
    assert read_cookie(request(host=host, cookie=cookie), SESSION) == value


def test_read_cookie_twice_is_refused() -> None:
    """Two cookies of the same name are ambiguous."""
    with pytest.raises(Problem) as refused:
        read_cookie(
            request(host="haihau.example", cookie="__Host-presstally_session=a; __Host-presstally_session=b"), SESSION
        )
    assert refused.value.extensions["code"] == "ambiguous_cookie"


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("haihau.example", "https://haihau.example", "https://haihau.example"),
        ("haihau.example:443", "https://haihau.example", "https://haihau.example"),
        ("HAIHAU.example", "https://haihau.example", "https://haihau.example"),
        ("localhost:8080", "http://localhost:8080", "http://localhost:8080"),
        ("xn--tn-iia.example", "https://xn--tn-iia.example", "https://xn--tn-iia.example"),
        ("tin.example:8080", "http://tin.example:8080", "https_required"),
        ("haihau.example", "http://haihau.example", "foreign_origin"),
        ("haihau.example", "https://tin.example", "foreign_origin"),
        ("haihau.example:8080", "https://haihau.example", "foreign_origin"),
        ("evil.example", "https://evil.example", "foreign_origin"),
        ("localhost:8080", "http://localhost:8081", "foreign_origin"),
        ("haihau.example", "null", "foreign_origin"),
        ("haihau.example", "https://haihau.example@evil.example", "foreign_origin"),
        ("", "https://haihau.example", "foreign_origin"),
    ],
)
def test_asked_origin_is_that_of_the_host(host: str, origin: str, expected: str) -> None:
    """A change comes from a declared origin, at the host that was asked, and over https outside of loopback."""
    assert outcome(lambda: asked_origin(request(host=host, origin=origin), SITES)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("haihau.example", "https://haihau.example"),
        ("localhost:8080", "http://localhost:8080"),
        ("tin.example:8080", "https_required"),
        ("evil.example", "foreign_origin"),
        ("", "foreign_origin"),
    ],
)
def test_origin_of_host_is_declared(host: str, expected: str) -> None:
    """A navigation is answered at declared hosts only, so that no link leads elsewhere."""
    assert outcome(lambda: origin_of_host(request(host=host), SITES)) == expected


def test_set_and_delete_cookies_have_the_same_attributes() -> None:
    """Browsers delete a cookie of this prefix only with its attributes."""
    response = Response()
    set_cookie(response, AskedOrigin("https://haihau.example"), SESSION, "a", 60)
    set_cookie(response, AskedOrigin("http://localhost:8080"), SESSION, "b")
    delete_cookies(response, SESSION, is_loopback=True)
    made, local, gone, local_gone = response.headers.getlist("set-cookie")
    assert made == "__Host-presstally_session=a; HttpOnly; Max-Age=60; Path=/; SameSite=lax; Secure"
    assert local == "presstally_session=b; HttpOnly; Path=/; SameSite=lax"
    assert gone.startswith('__Host-presstally_session="";')
    assert "Max-Age=0" in gone
    assert "Secure" in gone
    assert local_gone.startswith('presstally_session="";')

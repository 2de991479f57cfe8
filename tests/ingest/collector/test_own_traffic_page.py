"""The page on which staff take their browser out of the numbers of people."""

import time
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.collector.own_traffic import (
    COOKIE,
    SECURE_COOKIE,
    Mark,
    cookie_end,
    cookie_mark,
    own_traffic_key,
    sign,
)
from services.ingest.collector.own_traffic_page import PATH, OwnTrafficPage
from shared.sites import Site, Sites

KEY = own_traffic_key(b"p" * 32)
NOW = int(time.time())
LINK = sign(KEY, "link", Mark("haihau", NOW + 86_400))
EXPIRED = sign(KEY, "link", Mark("haihau", NOW - 1))
OF_ANOTHER_SITE = sign(KEY, "link", Mark("giao-thuy", NOW + 86_400))
OF_NO_SITE = sign(KEY, "link", Mark("nowhere", NOW + 86_400))
OWN = sign(KEY, "cookie", Mark("haihau", cookie_end(NOW)))


@pytest.fixture
def page(site: Site) -> OwnTrafficPage:
    """The page of two sites, one of which has addresses of its own."""
    sites = Sites(
        haihau=msgspec.structs.replace(
            site, slug="haihau", origins=["https://haihau.example"], own_addresses=["203.0.113.0/24"]
        ),
        **{
            "giao-thuy": msgspec.structs.replace(
                site, slug="giao-thuy", name="Giao Thủy", origins=["https://giaothuy.example"]
            )
        },
    )
    return OwnTrafficPage(sites, cast("Any", SimpleNamespace(own_traffic_key=KEY)), ())


async def ask(
    page: OwnTrafficPage, method: str = "GET", *, query: str = "", body: bytes = b"", peer: str = "::1", **headers: str
) -> Response:
    """Send a request as a browser at the site's own address does."""
    named = {"host": "haihau.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": PATH,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": (peer, 1),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request(scope, receive)
    return await (page.choose(request) if method == "POST" else page.show(request))


async def choose(page: OwnTrafficPage, *, fields: dict[str, str] | None = None, **headers: str) -> Response:
    """Press the button."""
    body = urlencode(fields if fields is not None else {"action": "own", "link": LINK}).encode()
    return await ask(page, "POST", body=body, **{"origin": "https://haihau.example", **headers})


def text(response: Response) -> str:
    return bytes(response.body).decode()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers", [{}, {"sec_purpose": "prefetch"}, {"purpose": "prefetch"}, {"sec_fetch_dest": "image"}]
)
async def test_opening_a_link_changes_nothing(page: OwnTrafficPage, method: str, headers: dict[str, str]) -> None:
    """Previews, prefetches and images of a link get a page with a button, and set no cookie."""
    response = await ask(page, method, query=urlencode({"link": LINK}), **headers)
    assert response.status_code == 200
    assert "set-cookie" not in response.headers
    assert 'name="link"' in text(response)
    assert response.headers["cache-control"] == "private, no-store"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_button_sets_a_cookie_that_marks_events(page: OwnTrafficPage) -> None:
    """The cookie is the site's, signed, out of reach of scripts and other hosts; the page then shows it."""
    response = await choose(page)
    assert (response.status_code, response.headers["location"]) == (303, "own-traffic")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=haihau.")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    value = cookie.partition(";")[0]
    mark = cookie_mark(value, "haihau.example", KEY, NOW)
    assert mark is not None
    assert mark.site == "haihau"
    shown = await ask(page, cookie=value)
    assert 'value="count"' in text(shown)
    assert 'name="link"' not in text(shown)


async def test_button_back_deletes_the_cookie(page: OwnTrafficPage) -> None:
    """Who is own traffic becomes a person again without any link."""
    response = await choose(page, fields={"action": "count"}, cookie=f"{SECURE_COOKIE}={OWN}")
    assert response.status_code == 303
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert 'value="count"' not in text(await ask(page))


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (EXPIRED, "This link has expired"),
        (OF_NO_SITE, "not valid"),
        (LINK + "x", "not valid"),
        (OWN, "not valid"),
        ("", "not valid"),
        ("<script>alert(1)</script>", "not valid"),
        ("\0", "not valid"),
        ("ệ" * 500, "not valid"),
    ],
    ids=["expired", "of no site", "longer", "a cookie", "none", "a script", "NUL", "long"],
)
async def test_link_that_is_not_valid_is_refused(page: OwnTrafficPage, link: str, words: str) -> None:
    """It is refused when it is opened and when it is sent, with the reason, and is not repeated in the page."""
    opened = await ask(page, query=urlencode({"link": link, "lang": "en"}))
    assert opened.status_code == 403
    assert words in text(opened)
    assert 'name="link"' not in text(opened)
    assert "<script>" not in text(opened)
    pressed = await choose(page, fields={"action": "own", "link": link})
    assert (pressed.status_code, "set-cookie" in pressed.headers) == (403, False)


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"origin": "https://evil.example"}, None),
        ({"origin": "null"}, None),
        ({"origin": ""}, None),
        ({"origin": "https://haihau.example.evil.example"}, None),
        ({"origin": "https://giaothuy.example"}, None),
        ({"origin": "https://haihau.example", "sec_fetch_site": "cross-site"}, None),
        ({"origin": "https://haihau.example", "sec_fetch_site": "same-site"}, None),
        ({}, {"action": "own", "link": OF_ANOTHER_SITE}),
        ({}, {"action": "own"}),
        ({}, {"link": EXPIRED}),
        ({"host": "haihau.example", "origin": "http://haihau.example"}, None),
        ({}, {f"x{number}": "y" for number in range(40)}),
        ({}, {"action": "own", "link": LINK, "more": "x" * 4_000}),
    ],
)
async def test_choice_of_a_foreign_page_or_with_another_link_is_refused(
    page: OwnTrafficPage, headers: dict[str, str], fields: dict[str, str] | None
) -> None:
    """Only a page of the link's own portal, over https, can set the cookie."""
    response = await choose(page, fields=fields, **headers)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


async def test_choice_of_one_field_sent_twice_is_refused(page: OwnTrafficPage) -> None:
    """What is ambiguous is no link."""
    body = urlencode([("action", "own"), ("link", LINK), ("link", LINK)]).encode()
    response = await ask(page, "POST", body=body, origin="https://haihau.example")
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"%", b"&" * 2_000, b"=" * 5_000, b"link=%00", b"link=%ff%fe"])
async def test_unreadable_form_is_refused(page: OwnTrafficPage, body: bytes) -> None:
    """A body that is no form sets nothing and fails nothing."""
    response = await ask(page, "POST", body=body, origin="https://haihau.example")
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


async def test_page_says_that_the_address_is_own_traffic(page: OwnTrafficPage) -> None:
    """Who comes from one of the site's own addresses reads it, in the language that is asked for."""
    own = text(await ask(page, query="lang=en", peer="203.0.113.9"))
    assert "Your address belongs" in own
    assert "This browser is counted" not in own
    assert "Your address belongs" not in text(await ask(page, query="lang=en", peer="203.0.114.9"))
    assert "Địa chỉ mạng của bạn" in text(await ask(page, query="lang=vi", peer="203.0.113.9"))


async def test_cookie_of_another_site_is_shown_as_that_of_the_other(page: OwnTrafficPage) -> None:
    """A link of one site is not taken for the cookie of another one on the same host."""
    cookie = sign(KEY, "cookie", Mark("giao-thuy", cookie_end(NOW)))
    response = await ask(page, query=urlencode({"link": LINK}), host="localhost", cookie=f"{COOKIE}={cookie}")
    assert 'name="link"' in text(response)

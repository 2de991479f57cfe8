"""How documents are answered: in which form, with which headers, and how caches find out that they have them."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.render.pages.themes import read_theme
from shared.articles import Paragraph
from shared.http.negotiation import accepted_codings

PLAIN = {None: "identity", "br": "br", "gzip": "gzip"}
UNPACK = {None: bytes, "br": brotli.decompress, "gzip": gzip.decompress}
SETTLED_SECONDS = 1.7


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, ("identity", "br", "gzip")),
        ("", ("identity",)),
        ("gzip, deflate, br, zstd", ("br", "gzip", "identity")),
        ("br;q=0.5, gzip", ("gzip", "br", "identity")),
        ("GZIP ; Q=0.8 , br;q=0", ("gzip", "identity")),
        ("*", ("br", "gzip", "identity")),
        ("*;q=0.5, br;q=0", ("gzip", "identity")),
        ("identity, gzip;q=0.5", ("identity", "gzip")),
        ("gzip, identity;q=0", ("gzip",)),
        ("*;q=0", ("identity",)),
        ("br;q=much", ("identity",)),
    ],
)
def test_accepted_codings_best_first(accepted: str | None, expected: tuple[str, ...]) -> None:
    """Accept-Encoding is read with its weights; what is refused is not sent, and plain bytes are the last resort."""
    assert accepted_codings(accepted, ("br", "gzip")) == expected


@given(st.text(alphabet='brgzip*;q=,.01 "', max_size=40))
def test_accepted_codings_of_any_header_has_a_result(accepted: str) -> None:
    """Whatever is sent, there is at least one form, each at most once."""
    taken = accepted_codings(accepted, ("br", "gzip"))
    assert taken
    assert len(set(taken)) == len(taken)


async def test_etag_differs_between_codings(portal: Any) -> None:
    """A document has one body in three encodings with three strong ETags; each gives 304 to a client that has it."""
    await portal.add(5, body=[Paragraph("Thân bài dài. " * 60)])
    pictures = [address for address in read_theme("").assets if address.endswith(".png")]
    assert len(pictures) == 3
    for address in pictures:  # they are compressed already
        sent = await portal.get(address, accept_encoding="br, gzip")
        assert (sent.body[:4], sent.headers.get("content-encoding")) == (b"\x89PNG", None)
    for address in ("/", "/bai-so-5-5.html", "/rss.xml", *sorted(read_theme("").assets.keys() - {*pictures})):
        plain = await portal.get(address)
        forms = {coding: await portal.get(address, accept_encoding=coding or "identity") for coding in PLAIN}
        if len(plain.body) < 600:
            continue
        for coding, form in forms.items():
            assert form.headers.get("content-encoding") == coding
            assert UNPACK[coding](form.body) == plain.body, (address, coding)
            assert form.headers["vary"] == "accept-encoding"
        assert len(forms["br"].body) < len(forms["gzip"].body) < len(plain.body)
        tags = {coding: form.headers["etag"] for coding, form in forms.items()}
        assert len(set(tags.values())) == 3
        assert all(tag.startswith('"') for tag in tags.values())
        for tag in tags.values():
            known = await portal.get(address, accept_encoding="br, gzip", if_none_match=f'"x", W/{tag}')
            assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
            assert known.headers["vary"] == "accept-encoding"
            assert known.headers["cache-control"] == plain.headers["cache-control"]
            assert "content-encoding" not in known.headers
        assert (await portal.get(address, if_none_match="*")).status == 304
        assert (await portal.get(address, if_none_match='"x"')).status == 200
        # An encoding that a client does not accept never gives 304.
        assert (await portal.get(address, accept_encoding="gzip", if_none_match=tags["br"])).status == 200


async def test_last_modified_identifies_one_state(portal: Any) -> None:
    """A request by date alone gets 304 once the second of the change is over, and never for a changed document."""
    await portal.add(5)
    first = await portal.get("/bai-so-5-5.html")
    await portal.change(5, title="Lần hai")
    second = await portal.get("/bai-so-5-5.html", if_modified_since=first.headers["last-modified"])
    assert (second.status, "Lần hai" in second.text) == (200, True)
    await asyncio.sleep(SETTLED_SECONDS)
    third = await portal.get("/bai-so-5-5.html", if_modified_since=second.headers["last-modified"])
    assert third.status == 200
    date = third.headers["last-modified"]
    assert datetime.now(UTC) - parsedate_to_datetime(date) < timedelta(seconds=30)
    assert (await portal.get("/bai-so-5-5.html", if_modified_since=date)).status == 304
    for strange in ("yesterday", "Mon, 32 Foo 2026 99:99:99 +99999999999", "", date.replace("GMT", "-0000")):
        assert (await portal.get("/bai-so-5-5.html", if_modified_since=strange)).status == 200, strange
    assert (await portal.get("/bai-so-5-5.html", if_modified_since=date, if_none_match='"x"')).status == 200


SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "cross-origin-opener-policy": "same-origin",
}


async def test_security_headers_on_every_kind_of_response(portal: Any) -> None:
    """Pages, files, feeds, redirects and errors have security headers and a cache lifetime."""
    await portal.add(5, slug="moi")
    await portal.add(6)
    await portal.change(6, state="killed")
    style, *_ = (path for path in read_theme("").assets if path.endswith(".css"))
    ask_first, for_ever = "public, max-age=0, must-revalidate", "public, max-age=31536000, immutable"
    tag = (await portal.get("/moi-5.html")).headers["etag"]

    async def check(status: int, cache_control: str, got: Any) -> None:
        assert got.status == status, got.text
        assert {name: got.headers.get(name) for name in SAFE} == SAFE, got.headers
        assert got.headers["cache-control"] == cache_control
        policy = got.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert got.headers["cross-origin-resource-policy"] in ("same-origin", "cross-origin")
        if status >= 400:
            assert got.headers["content-type"] in ("text/html; charset=utf-8", "application/problem+json")

    for _ in "made", "from memory":
        await check(200, ask_first, await portal.get("/moi-5.html"))
        await check(304, ask_first, await portal.get("/moi-5.html", if_none_match=tag))
        for address in ("/", "/tin-tuc/", "/tim-kiem?q=bai", "/rss.xml", "/atom.xml", "/sitemap.xml", "/robots.txt"):
            await check(200, ask_first, await portal.get(address))
        await check(200, for_ever, await portal.get(style))
        await check(304, for_ever, await portal.get(style, if_none_match="*"))
        await check(200, "public, max-age=86400", await portal.get("/favicon.ico"))
        await check(301, "no-cache", await portal.get("/x-5.html"))
        await check(404, "no-store", await portal.get("/khong-co"))
        await check(404, "no-store", await portal.get("/media/khong-co.webp"))
        await check(410, "no-store", await portal.get("/bai-so-6-6.html"))
    for address in ("/", "/moi-5.html", "/media/x.webp", style, "/khong-co"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            got = await portal.request(method, address)
            await check(405, "no-store", got)
            assert got.headers["allow"] == "GET, HEAD"
    portal.looking.terminate()
    portal.pool.terminate()
    away = await portal.get("/luu-tru/")
    await check(503, "no-store", away)
    assert away.headers["retry-after"] == "5"
    await check(200, ask_first, await portal.get("/moi-5.html"))


async def test_page_works_under_its_csp(portal: Any) -> None:
    """The only inline script of a page is the one that the policy allows."""
    await portal.add(5)
    for address in ("/", "/bai-so-5-5.html", "/khong-co"):
        page = await portal.get(address)
        assert page.text.count("<script>") == 1
        assert " style=" not in page.text
        assert " onclick=" not in page.text


async def test_head_has_the_headers_of_get(portal: Any) -> None:
    """`HEAD` has the headers of `GET`, rendered and cached."""
    await portal.add(5)
    for address in ("/bai-so-5-5.html", "/", "/tim-kiem?q=bai", "/khong-co", "/x-5.html"):
        head, got = await portal.request("HEAD", address), await portal.get(address)
        again = await portal.request("HEAD", address)
        assert head.headers == got.headers == again.headers, address
        assert head.status == got.status == again.status


async def test_unusual_url_is_not_taken_for_another(portal: Any) -> None:
    """A cached page is served for its own URL only, not for a similar one."""
    for number in range(1, 26):
        await portal.add(number)
    first, second = await portal.get("/tin-tuc/"), await portal.get("/tin-tuc/?trang=2")
    assert first.body != second.body
    assert (await portal.get("/tin-tuc/?utm_source=x&fbclid=y")).body == first.body
    assert (await portal.get("/tin-tuc/?%74rang=2")).body == second.body
    assert (await portal.get("/tin-tuc/?trang=1&trang=2")).body == second.body
    for path in ("/tin-tuc/?2", "/tin-tuc/?trang=2", "/tin-tuc/?"):
        assert (await portal.send("GET", path, "")).status == 404
    assert (await portal.get("/?trang=2")).status == 200

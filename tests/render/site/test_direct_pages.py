"""Pages over real connections: the server's own thread and the event loop send the same to the same bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

from services.render.roles.site import site_role
from services.render.site.files import Files
from services.render.site.images import Images
from services.render.site.preview_source import PreviewSource
from services.render.site.previews import Previews
from services.render.site.representations import LAST_MODIFIED_FINAL_SECONDS
from services.render.site.saved_copies import SavedCopies
from shared.http.app import HttpApp, http_server
from shared.object_store import open_store
from shared.sites import Sites
from tests.shared.http.sockets import connect, exchange


@asynccontextmanager
async def servers(portal: Any, port: int) -> AsyncIterator[None]:
    """Serve a portal by two servers: with its direct handler, and without."""
    running, tasks = [], []
    for number in (0, 1):
        media = open_store(portal.media)
        files = Files(portal.pools, Sites({portal.site.slug: portal.site}), media)
        previews, copies = Previews(portal.portal, PreviewSource("")), SavedCopies(portal.portal, media)
        role = site_role(portal.portal, Images(media), files, previews, copies)
        if number:
            role.direct = None
        app = HttpApp()
        app.starting = ["site"]
        app.open(role)
        running.append(http_server(app, "127.0.0.1", port + number))
        tasks.append(asyncio.create_task(running[-1].serve()))
    yield
    for server in running:
        server.stop()
    await asyncio.wait(tasks, timeout=10)


def request(target: str, *lines: str, method: str = "GET", host: str = "haihau.example") -> bytes:
    """Return a request that ends its connection."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    return "\r\n".join(head).encode("utf-8") + b"\r\n\r\n"


PAGE = "/bai-so-1-1.html"
TARGETS = (
    *(PAGE, f"{PAGE}?utm_source=a", f"{PAGE}?", "/bai%2Dso-1-1.html", f"/.{PAGE}", f"http://haihau.example{PAGE}"),
    *("/tin-tuc/", "/tin-tuc/?trang=1", "/tin-tuc/?trang=2", "/tin-tuc/?trang=%D9%A1", "/tin-tuc/?trang=\u0661"),
    *(
        "/",
        "/?a=1",
        "/tin-tuc",
        "//",
        "*",
        "/tin-tuc/?trang=1&trang=2",
        "/B\u00e0i.html",
        "/none.html",
        "/tim-kiem?q=a",
    ),
    *("/feed.xml", "/sitemap.xml", "/robots.txt"),
)
ENCODINGS = ("gzip", "br", "zstd", "identity", "gzip, br;q=0.1", "*;q=0", "gzip;q=nan", "br;q=0, *", "", ",;,", "GZIP")
DATES = ("Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", "nonsense", "0")
HOSTS = ("", "HAIHAU.EXAMPLE", "haihau.example:80", "other.example", "h\u1ea3i", "a" * 5_000)


def requests(method: str, tag: str, date: str) -> list[bytes]:
    """Return requests of a page that has this entity tag and date."""

    def ask(*lines: str) -> bytes:
        return request(PAGE, *lines, method=method)

    tags = (tag, f"W/{tag}", "*", f'"x", {tag}', '"x"', tag.strip('"'), "", "\u1ea3")
    asked = [request(target, method=method) for target in TARGETS]
    asked += [request(PAGE, method=method, host=host) for host in HOSTS]
    asked += [ask(f"Accept-Encoding: {coding}") for coding in ENCODINGS]
    asked += [ask(f"If-None-Match: {one}", f"Accept-Encoding: {coding}") for one in tags for coding in ("gzip", "br")]
    asked += [ask(f"If-Modified-Since: {one}") for one in (date, *DATES)]
    asked += [ask("Range: bytes=0-9"), ask("Range: bytes=0-9", f"If-Range: {tag}"), ask("Content-Length: 3") + b"abc"]
    return [
        *asked,
        ask("Accept-Encoding: gzip", "Accept-Encoding: br"),
        ask('If-None-Match: "x"', f"If-None-Match: {tag}"),
    ]


def under_a_lease(portal: Any) -> bool:
    """Return whether cached pages are served without a query now."""
    site = portal.site.slug
    return bool(portal.portal._leases.hold(site, portal.portal._versions._last.get(site)))


async def test_pages_get_the_same_from_both_ways(portal: Any, free_ports: Callable[[int], int]) -> None:
    """Status, headers and body are equal, whatever a client asks for; a withdrawn page is gone for both."""
    port = free_ports(2)
    for number in range(1, 40):
        await portal.add(number)
    await portal.pool.execute("UPDATE render.sites SET changed_at = now() - interval '1 hour'")
    async with servers(portal, port):
        await exchange(port + 1, request(PAGE))
        await asyncio.sleep(LAST_MODIFIED_FINAL_SECONDS)
        page = await exchange(port + 1, request(PAGE, "Accept-Encoding: gzip"))
        named = dict(line.decode().split(": ", 1) for line in page.headers)
        asked = requests("GET", named["etag"], named["last-modified"])
        asked += requests("HEAD", named["etag"], named["last-modified"])
        asked += [request(PAGE, method=method) for method in ("POST", "OPTIONS", "PUT", "BREW")]
        statuses, leased = set(), 0
        for sent in chain(asked, (one for one in asked * 20 if not leased)):  # a busy machine may have no lease at once
            leased += under_a_lease(portal)
            loop = await exchange(port + 1, sent)  # what can be cached is from now on
            assert (sent, await exchange(port, sent)) == (sent, loop)
            statuses.add(loop.status)
        assert statuses >= {b"200", b"301", b"304", b"404", b"405"}
        assert leased > 0
        await portal.change(1, state="killed")
        gone = [await exchange(port + number, request(PAGE)) for number in (0, 1)]
        assert gone[0] == gone[1]
        assert gone[0].status == b"410"


async def test_icon_of_a_site_whose_theme_is_not_read_yet_is_not_found(portal: Any) -> None:
    """A change of the sites is known a moment before their themes are: such a request is no failure."""
    assert (await portal.get("/favicon.ico")).status == 200
    portal.portal._icons.clear()
    assert (await portal.get("/favicon.ico")).status == 404


async def test_pipelined_requests_get_their_responses_in_order(portal: Any, free_ports: Callable[[int], int]) -> None:
    """A page from memory, one that is rendered and one that is not there, on one connection and sent at once."""
    port = free_ports(2)
    for number in range(1, 11):
        await portal.add(number)
    await portal.pool.execute("UPDATE render.sites SET changed_at = now() - interval '1 hour'")
    numbers = [number for other in range(2, 11) for number in (1, other, 1)]
    sent = [f"GET /bai-so-{number}-{number}.html HTTP/1.1\r\nHost: haihau.example\r\n\r\n" for number in numbers]
    async with servers(portal, port):
        for _ in range(3):
            reader, writer = await connect(port)
            writer.write("".join(sent).encode() + request("/khong-co.html"))
            received = (await asyncio.wait_for(reader.read(), 20)).decode()
            writer.close()
            titles = [part.partition("</title>")[0] for part in received.split("<title>")[1:]]
            assert [one.split(" ")[2] for one in titles[:-1]] == [str(number) for number in numbers]
            assert received.count("HTTP/1.1 200 ") == len(numbers)
            assert received.count("HTTP/1.1 404 ") == 1

"""Counters over real connections: the server's own thread and the event loop send the same to the same bytes."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from starlette.routing import Route

from services.stats.counter_api.counter_cache import CounterKey
from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.endpoints import FORMS, CounterEndpoints
from shared.http.app import HttpApp, http_server
from shared.role import Role
from shared.sites import Section, Site, Sites
from tests.shared.http.sockets import exchange

SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
NUMBERS: dict[str, Any] = {"online": 1, "today": 2, "week": 3, "total": 4, "as_of": "2026-11-24T10:00:00+07:00"}


class Read(NamedTuple):
    """What was read of a counter."""

    values: CounterValues
    fresh_until: float


class Counters:
    """A cache that has every counter, fresh for a minute."""

    async def get(self, key: CounterKey) -> Read:
        values = CounterValues(
            site=key.site,
            article=key.article,
            measure=key.measure,
            window=key.window,
            timezone=SITE.timezone,
            stale=key.article == "stale",
            **NUMBERS,
        )
        return Read(values, time.monotonic() + 60)


def request(method: str, target: str, *lines: str) -> bytes:
    """Return a request that ends its connection."""
    head = [f"{method} {target} HTTP/1.1", "Host: haihau.example", "Connection: close", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n"


async def test_counters_get_the_same_from_both_ways(free_ports: Callable[[int], int]) -> None:
    """Status, headers and body are equal, in every form, with and without an entity tag, whatever the parameters."""
    port = free_ports(2)
    endpoints = CounterEndpoints(Sites({SITE.slug: SITE}), cast("Any", Counters()), cast("Any", None))
    places = ("/stats/{site}/counter", "/stats/{site}/articles/{article}/counter")
    routes = [Route(place + form, partial(endpoints.counter, form=form)) for place in places for form in FORMS]
    servers, tasks = [], []
    for number, direct in enumerate((endpoints.serve_direct, None)):
        app = HttpApp()
        app.starting = ["widget"]
        app.open(Role("widget", direct=direct, routes=routes))
        servers.append(http_server(app, "127.0.0.1", port + number))
        tasks.append(asyncio.create_task(servers[-1].serve()))
    paths = ("haihau/counter", "haihau/articles/a-1/counter", "haihau/articles/stale/counter", "other/counter")
    queries = ("", "?measure=views", "?measure=x", "?measure=views&measure=views", "?a=1", "?", "?%6Deasure=views")
    statuses = set()
    for target in [f"/stats/{path}{form}{query}" for path in paths for form in FORMS for query in queries]:
        first = await exchange(port + 1, request("GET", target))
        tag = next((one[6:].decode() for one in first.headers if one.startswith(b"etag: ")), '"x"')
        for lines in ((), (f"If-None-Match: {tag}",), ("If-None-Match: *",), ('If-None-Match: "x"',)):
            for method in ("GET",) if "?" in target else ("GET", "HEAD"):
                sent = request(method, target, *lines)
                loop = await exchange(port + 1, sent)
                assert (sent, await exchange(port, sent)) == (sent, loop)
                statuses.add(loop.status)
    assert statuses == {b"200", b"304", b"404", b"422"}
    for server in servers:
        server.stop()
    await asyncio.wait(tasks, timeout=10)

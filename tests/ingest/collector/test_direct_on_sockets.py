"""Events over real connections: the server's own thread and the event loop send the same to the same bytes."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any, cast
from uuid import uuid4

import pytest
import uvloop

from services.ingest.collector import bodies as bodies_module
from services.ingest.collector.direct_events import DirectEvents, _EventsRequest
from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.event_queue import EventQueue
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.spool import SpooledEvent
from services.ingest.metrics import COLLECT_EVENTS
from shared.http.app import HttpApp, http_server
from shared.http.direct import ServerLoop
from shared.metrics import HTTP_SECONDS
from shared.role import Role
from shared.sites import Site, Sites
from tests.ingest.collector.test_direct_events import Salts
from tests.ingest.collector.test_publisher import until
from tests.ingest.collector.test_visitors import CHROME
from tests.shared.http.sockets import Answer, connect, exchange


class Collector:
    """One collector behind two servers: one with its direct handler, and one without."""

    def __init__(self, site: Site, port: int) -> None:
        self.port = port
        self.queue, self.stored = EventQueue(), list[SpooledEvent]()
        self.queue.gathers = False
        self.endpoints = CollectorEndpoints(
            Sites({site.slug: site}),
            cast("Any", Salts()),
            cast("Any", self),
            cast("Any", None),
            RateLimiter(0, 1),
            (ip_network("127.0.0.0/8"),),
        )
        self.apps = HttpApp(), HttpApp()

    def publish(self, events: list[SpooledEvent]) -> asyncio.Future[None]:
        return self.queue.add(events)

    def publish_direct(self, events: list[SpooledEvent], respond: Any, request: Any) -> None:
        self.queue.add_direct(events, respond, request)

    async def _store(self) -> None:
        while True:
            batch = await self.queue.take()
            self.stored += batch.events
            batch.complete()
            self.queue.end()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        servers = []
        for number, (app, direct) in enumerate(zip(self.apps, (DirectEvents(self.endpoints).serve, None), strict=True)):
            app.starting = ["collector"]
            app.open(Role("collector", raw_routes={"/e": self.endpoints.events}, direct=direct))
            servers.append(http_server(app, "127.0.0.1", self.port + number))
        tasks = [asyncio.create_task(server.serve()) for server in servers]
        chores = [asyncio.create_task(one) for one in (self._store(), self.endpoints.bodies.cancel_slow())]
        for number in (0, 1):
            (await self.connect(number))[1].close()
        yield
        assert [one.done() for one in chores] == [False, False]
        for chore in chores:
            chore.cancel()
        for server in servers:
            server.stop()
        await asyncio.wait(tasks, timeout=10)

    async def connect(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await connect(self.port + number)

    async def exchange(self, number: int, sent: bytes) -> Answer:
        """Return what one of the servers sends."""
        return await exchange(self.port + number, sent)


def run(collector: Callable[[], Collector], scenario: Callable[[Collector], Awaitable[None]]) -> None:
    """Run a scenario on the loop of the services."""

    async def running() -> None:
        one = collector()
        async with one.running():
            await scenario(one)

    uvloop.run(running(), loop_factory=ServerLoop)


@pytest.fixture
def collector(site: Site, free_ports: Callable[[int], int]) -> Callable[[], Collector]:
    port = free_ports(2)
    return lambda: Collector(site, port)


EVENT = {"id": str(uuid4()), "site": "haihau", "kind": "view", "path": "/tin-tuc/"}
BODY = json.dumps(EVENT).encode()


def request(body: bytes = BODY, *lines: str, method: str = "POST", length: str | None = None, **headers: str) -> bytes:
    """Return a request that ends its connection."""
    named = {
        "content-type": "text/plain;charset=UTF-8",
        "origin": "https://haihau.example",
        "host": "haihau.example",
        "user-agent": CHROME,
        "x-forwarded-for": "203.0.113.9",
        "connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "content-length": str(len(body)) if length is None else length,
    }
    head = [f"{method} /e HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value), *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


MANY = json.dumps([{**EVENT, "id": str(uuid4())} for _ in range(100)]).encode()
TOO_MANY = json.dumps([{**EVENT, "id": str(uuid4())} for _ in range(101)]).encode()
REQUESTS = {
    "one": request(),
    "many": request(MANY),
    "too many": request(TOO_MANY),
    "empty array": request(b"[]"),
    "spaces": request(b"  \n[" + BODY + b"]"),
    "not JSON": request(b"{"),
    "not UTF-8": request(b'{"id":"\xff"}'),
    "nested": request(b"[" * 30_000),
    "NUL": request(BODY.replace(b"tin", rb"\u0000")),
    "surrogate": request(BODY.replace(b"tin", rb"\ud800")),
    "empty": request(b""),
    "other site": request(BODY.replace(b"haihau", b"other")),
    "other origin": request(origin="https://other.example"),
    "no origin": request(origin=""),
    "null origin": request(origin="null"),
    "own origin": request(origin="https://a.example", host="a.example"),
    "two origins": request(BODY, "Origin: https://other.example"),
    "origin that is not ASCII": request(origin="https://h\xe0.example"),
    "referrer only": request(origin="", referer="https://other.example/a"),
    "cross-site": request(BODY, "Sec-Fetch-Site: cross-site", origin=""),
    "GPC": request(sec_gpc="1"),
    "bot": request(user_agent="Googlebot/2.1"),
    "no agent": request(user_agent=""),
    "agent that is not ASCII": request(user_agent="\xe0gent"),
    "long agent": request(user_agent="a" * 60_000),
    "prefetch": request(sec_purpose="prefetch;prerender"),
    "forwarded twice": request(BODY, "X-Forwarded-For: 127.0.0.1"),
    "forwarded not ASCII": request(x_forwarded_for="\xe0"),
    "forwarded nonsense": request(x_forwarded_for="unknown"),
    "no forwarded": request(x_forwarded_for=""),
    "cookie": request(cookie="presstally_own=haihau.2000000000.AAAAAAAAAAAAAAAAAAAAAA"),
    "type": request(content_type="image/png"),
    "no type": request(content_type=""),
    "HEAD": request(b"", method="HEAD", length=""),
    "GET": request(b"", method="GET", length=""),
    "PUT": request(method="PUT"),
    "OPTIONS": request(b"", method="OPTIONS", length=""),
    "other method": request(method="BREW"),
    "length lies": request(BODY + b"GET /e HTTP/1.1\r\n\r\n", length=str(len(BODY))),
    "length with zeros": request(length=f"000{len(BODY)}"),
    "length with a sign": request(length=f"+{len(BODY)}"),
    "two lengths": request(BODY, f"Content-Length: {len(BODY) + 1}"),
    "the same length twice": request(BODY, f"Content-Length: {len(BODY)}"),
    "chunked": request(chunked(BODY), "Transfer-Encoding: chunked", length=""),
    "chunked after a length": request(chunked(BODY), "Transfer-Encoding: chunked", length="5"),
    "chunked and a large body": request(chunked(b"x" * 70_000), "Transfer-Encoding: chunked", length=""),
    "chunked and a large body after a length": request(
        chunked(b"x" * 70_000), "Transfer-Encoding: chunked", length="5"
    ),
    "large": request(b"[" + b" " * 65_534 + b"]"),
    "too large": request(b"x" * 65_537),
    "pipelined": request(connection="keep-alive") + request(b"{", connection="keep-alive") + request(),
    "continue": request(expect="100-continue"),
    "HTTP/1.0": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "query": request().replace(b"/e HTTP", b"/e?a=1 HTTP"),
    "escaped": request().replace(b"/e HTTP", b"/%65 HTTP"),
}


def counts() -> Counter[str]:
    """Return how many requests and events there were, by all labels."""
    samples = [one for metric in (HTTP_SECONDS, COLLECT_EVENTS) for kind in metric.collect() for one in kind.samples]
    counted = [one for one in samples if one.name.endswith(("_count", "_total"))]
    return Counter({f"{one.name} {sorted(one.labels.items())}": int(one.value) for one in counted})


def test_requests_get_the_same_from_both_ways(collector: Callable[[], Collector]) -> None:
    """Status, headers and body are equal, and so are stored events and all counts, whatever a client sends."""

    async def scenario(one: Collector) -> None:
        different = {}
        for name, sent in REQUESTS.items():
            results = []
            for number in (0, 1):
                one.stored.clear()
                before = counts()
                answer = await one.exchange(number, sent)
                events = [{**json.loads(event.value), "at": 0} for event in one.stored]
                results.append((answer, events, counts() - before))
            if results[0] != results[1]:
                different[name] = results
            assert one.endpoints.bodies.reserved_bytes == 0
        assert different == {}

    run(collector, scenario)


def test_requests_of_a_draining_collector_get_the_same(collector: Callable[[], Collector]) -> None:
    """A collector that stops takes events until its connections have ended, and says that they end."""

    async def scenario(one: Collector) -> None:
        for app in one.apps:
            app.draining = True
        for sent in (request(connection="keep-alive"), request(b"{", connection="keep-alive")):
            assert await one.exchange(0, sent) == await one.exchange(1, sent)
        assert len(one.stored) == 2
        assert one.endpoints.bodies.reserved_bytes == 0

    run(collector, scenario)


def test_slow_bodies_get_408_and_free_their_memory(
    collector: Callable[[], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that stays away is given up, and later requests are served."""
    monkeypatch.setattr(bodies_module, "BODY_SECONDS", 0.2)

    async def scenario(one: Collector) -> None:
        part = request(length="60000")
        answers = await asyncio.gather(*(one.exchange(number, part) for number in (0, 1)))
        assert answers[0] == answers[1]
        assert answers[0].status == b"408"
        assert one.endpoints.bodies.reserved_bytes == 0
        assert (await one.exchange(0, request())).status == b"202"

    run(collector, scenario)


def test_slow_bodies_give_up_their_memory_to_others(
    collector: Callable[[], Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only as many as are needed: those that were given up take no memory again."""
    monkeypatch.setattr(bodies_module, "BODIES_BYTES_MAX", 50_000)
    monkeypatch.setattr(bodies_module, "BODY_SECONDS_UNDER_PRESSURE", 0.2)

    async def scenario(one: Collector) -> None:
        slow = []
        for _ in range(4):
            slow.append(await one.connect(0))
            slow[-1][1].write(request(length="12000"))
        await until(lambda: one.endpoints.bodies.reserved_bytes == 48_000)
        await asyncio.sleep(0.4)
        assert (await one.exchange(0, request(BODY + b" " * 8_000))).status == b"202"
        await until(lambda: slow[0][0]._buffer)
        ended = [reader._buffer.startswith(b"HTTP/1.1 408") for reader, _ in slow]  # type: ignore[attr-defined]
        assert ended == [True, False, False, False]
        assert one.endpoints.bodies.reserved_bytes == 36_000
        for _, writer in slow:
            writer.close()
        await until(lambda: not one.endpoints.bodies.reserved_bytes)

    run(collector, scenario)


def test_clients_that_leave_are_no_failures_of_the_collector(
    collector: Callable[[], Collector], capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that leaves in the middle of a body, or before the response, is in no log, and in no memory."""

    async def scenario(one: Collector) -> None:
        for number in (0, 1):
            for sent, is_received in (
                (request(length="60000"), lambda: one.endpoints.bodies.reserved_bytes),
                (request(), lambda stored=number + 1: len(one.stored) == stored),  # type: ignore[misc]
            ):
                _, writer = await one.connect(number)
                writer.write(sent)
                await until(is_received)
                writer.transport.abort()
                await until(lambda: not one.endpoints.bodies.reserved_bytes)
        await until(lambda: gc.collect() >= 0 and not any(type(held) is _EventsRequest for held in gc.get_objects()))
        assert len(one.stored) == 2

    run(collector, scenario)
    said = capsys.readouterr()
    assert "failed" not in said.out + said.err

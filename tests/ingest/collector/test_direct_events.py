"""Events that are received in the server's thread get the same responses as on the event loop."""

import asyncio
import gc
import json
import time
import weakref
from datetime import date
from typing import Any, cast
from uuid import uuid4

import pytest

from services.ingest.collector import bodies as bodies_module
from services.ingest.collector.bodies import BodyReader, BodyReaders
from services.ingest.collector.direct_events import DirectEvents
from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.spool import SpooledEvent
from services.ingest.metrics import COLLECT_EVENTS
from shared.http.direct import DirectRequest, ReceivedBody, ReceivedProtocol
from shared.kafka.producer import KafkaUnavailable
from shared.sites import Site, Sites
from tests.ingest.collector.test_visitors import CHROME
from tests.shared.http.fakes import FakeProtocol, FakeRequest


class Salts:
    """The secrets of a collector, with its salts or without any yet."""

    partition_secret = b"p" * 32
    own_traffic_key = b"o" * 32
    has_salts = True

    def salt(self, site: str, day: date) -> bytes | None:
        return f"{site} {day}".encode() if self.has_salts else None

    async def get_or_create_salt(self, site: str, day: date) -> bytes:
        self.has_salts = True
        return f"{site} {day}".encode()


class Publisher:
    """Has everything stored at once, or nothing."""

    def __init__(self) -> None:
        self.events: list[SpooledEvent] = []
        self.error: KafkaUnavailable | None = None

    async def publish(self, events: list[SpooledEvent]) -> None:
        if self.error:
            raise self.error
        self.events += events

    def publish_direct(self, events: list[SpooledEvent], respond: Any, request: Any) -> None:
        self.events += [] if self.error else events
        respond([request], self.error)


class Body:
    """A future of granian."""

    def __init__(self, result: bytes | BaseException) -> None:
        self._result = result
        self.was_cancelled = False

    def result(self) -> bytes:
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result

    def cancel(self) -> None:
        self.was_cancelled = True

    def add_done_callback(self, callback: Any) -> None:
        self.callback = callback  # granian's keeps it, too
        callback(self)


class Sent:
    """A request of a page, by both ways to one collector."""

    def __init__(self, site: Site, limit: int = 0) -> None:
        self.salts, self.publisher = Salts(), Publisher()
        unused = cast("Any", None)
        self.endpoints = CollectorEndpoints(
            Sites({site.slug: site}),
            cast("Any", self.salts),
            cast("Any", self.publisher),
            unused,
            RateLimiter(limit, max(limit, 1)),
            (),
        )
        self.left: list[ReceivedBody | None] = []

    async def directly(self, request: FakeRequest, body: bytes | BaseException) -> tuple[bool, FakeProtocol]:
        """Return whether it was taken over, and the response, also of the loop if it was left with its body."""
        protocol: Any = FakeProtocol()
        received = Body(body)
        asked: Any = type("Asked", (), {"__call__": lambda _: received, "response_bytes": protocol.response_bytes})()
        served = DirectEvents(self.endpoints).serve(
            DirectRequest(request.path, cast("Any", request), asked, self.left.append)
        )
        for left in self.left:
            assert left is not None
            await self.endpoints.events(cast("Any", request), cast("Any", ReceivedProtocol(protocol, left)))
        return served, protocol

    async def on_the_loop(self, request: FakeRequest, body: bytes) -> FakeProtocol:
        """Return the response of the loop."""
        protocol = FakeProtocol()
        received: Any = ReceivedProtocol(cast("Any", protocol), ReceivedBody(body))
        await self.endpoints.events(cast("Any", request), received)
        return protocol


def event(site: Site, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "site": site.slug, "kind": "view", "path": "/tin-tuc/?a=1", **fields}


def post(site: Site, body: bytes, **headers: str | None) -> FakeRequest:
    named = {
        "content-type": "text/plain;charset=UTF-8",
        "content-length": str(len(body)),
        "origin": site.origins[0],
        "host": "haihau.example",
        "user-agent": CHROME,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return FakeRequest("/e", "POST", headers={name: value for name, value in named.items() if value is not None})


@pytest.mark.parametrize(
    "headers", [{}, {"sec_gpc": "1"}, {"user_agent": "Googlebot/2.1"}, {"purpose": "prefetch"}, {"origin": None}]
)
@pytest.mark.parametrize("events", [1, 3])
async def test_direct_response_and_events_are_those_of_the_loop(
    site: Site, events: int, headers: dict[str, str | None]
) -> None:
    """Both ways store the same events and send the same status, headers and body."""
    body = json.dumps([event(site, article=f"a-{number}") for number in range(events)]).encode()
    if events == 1:
        body = body[1:-1]
    sent = Sent(site)
    before = COLLECT_EVENTS.labels(site.slug, "accepted")._value.get()
    served, direct = await sent.directly(post(site, body, **headers), body)
    counted = COLLECT_EVENTS.labels(site.slug, "accepted")._value.get() - before
    loop = await sent.on_the_loop(post(site, body, **headers), body)
    assert (served, sent.left) == (True, [])
    assert (direct.status, direct.headers, direct.body) == (loop.status, loop.headers, loop.body)
    assert direct.status == 202
    assert counted == (0 if set(headers) & {"user_agent", "purpose"} else events)
    stored = [{**json.loads(one.value), "at": 0} for one in sent.publisher.events]
    assert (len(stored), stored[:events]) == (2 * events, stored[events:])
    hashes = {one.partition_hash for one in sent.publisher.events}
    assert len(hashes) == 1


async def test_unusual_request_is_left_to_the_loop_with_its_body(site: Site) -> None:
    """What is refused, waits for a salt or names two sites is served on the loop, once."""
    good = json.dumps(event(site)).encode()
    for body, headers, status in (
        (good, {"origin": "https://elsewhere.example"}, 403),
        (good, {"origin": None, "referer": "https://elsewhere.example/a"}, 403),
        (good, {"origin": None, "sec_fetch_site": "cross-site"}, 403),
        (b'{"id"', {}, 400),
        (json.dumps({**event(site), "kind": "click"}).encode(), {}, 422),
        (json.dumps({**event(site), "site": "unknown"}).encode(), {}, 422),
        (json.dumps([event(site), {**event(site), "site": "unknown"}]).encode(), {}, 422),
    ):
        sent = Sent(site)
        served, protocol = await sent.directly(post(site, body, **headers), body)
        assert (served, len(sent.left), protocol.status) == (True, 1, status)
    sent = Sent(site)
    sent.salts.has_salts = False
    served, protocol = await sent.directly(post(site, good), good)
    assert (served, len(sent.left), protocol.status, len(sent.publisher.events)) == (True, 1, 202, 1)


async def test_request_without_a_usual_length_or_type_is_not_taken_over(site: Site) -> None:
    """Its body is not touched: the loop reads it within its bounds, or refuses it."""
    body = json.dumps(event(site)).encode()
    for headers in (
        {"content_length": None},
        {"content_length": "0"},
        {"content_length": "65537"},
        {"content_length": "-5"},
        {"content_length": "9" * 5_000},
        {"content_type": "image/png"},
    ):
        served, protocol = await Sent(site).directly(post(site, body, **headers), body)
        assert (served, protocol.status) == (False, 0)
    request = post(site, body)
    request.method = "PUT"
    assert not (await Sent(site).directly(request, body))[0]


async def test_rate_limit_of_direct_requests_is_that_of_the_loop(site: Site) -> None:
    """Both ways take from one bucket, and a refused request takes nothing."""
    body = json.dumps(event(site)).encode()
    sent = Sent(site, limit=2)
    request = post(site, body)
    request.client = "203.0.113.7:4000"
    assert (await sent.directly(request, body))[1].status == 202
    assert (await sent.on_the_loop(request, body)).status == 202
    refused = (await sent.directly(request, body))[1]
    assert (refused.status, dict(refused.headers)["retry-after"]) == (429, "1")


async def test_slow_body_and_unstored_events_get_their_problems(site: Site) -> None:
    """A body that was given up is a 408; events that neither Kafka nor the disk has are a 503, counted once."""
    body = json.dumps(event(site)).encode()
    slow = (await Sent(site).directly(post(site, body), asyncio.CancelledError()))[1]
    assert (slow.status, dict(slow.headers)["x-presstally"]) == (408, "ignored because slow")
    sent = Sent(site)
    sent.publisher.error = KafkaUnavailable("full")
    before = COLLECT_EVENTS.labels(site.slug, "unavailable")._value.get()
    direct = (await sent.directly(post(site, body), body))[1]
    assert COLLECT_EVENTS.labels(site.slug, "unavailable")._value.get() == before + 1
    loop = await sent.on_the_loop(post(site, body), body)
    assert (direct.status, direct.headers, direct.body) == (loop.status, loop.headers, loop.body)
    assert direct.status == 503


async def test_request_that_has_its_response_is_kept_by_nothing(site: Site) -> None:
    """Granian's futures are not searched for garbage: a circle of references through one would never be freed."""
    body = json.dumps(event(site)).encode()
    bodies = [Body(body)]
    kept, protocol = weakref.ref(bodies[0]), FakeProtocol()
    asked: Any = type("Asked", (), {"__call__": lambda _: bodies.pop(), "response_bytes": protocol.response_bytes})()
    gc.disable()
    try:
        request = DirectRequest("/e", cast("Any", post(site, body)), asked, lambda _: None)
        assert DirectEvents(Sent(site).endpoints).serve(request)
        del request
        assert (protocol.status, kept()) == (202, None)
    finally:
        gc.enable()


async def test_body_that_waits_for_the_loop_takes_memory_until_it_is_read(site: Site) -> None:
    """A busy loop leaves many of them waiting: their bound is that of bodies that are being received."""
    body = b'{"id"'
    sent = Sent(site)
    asked: Any = type("Asked", (), {"__call__": lambda _: Body(body)})()
    assert DirectEvents(sent.endpoints).serve(
        DirectRequest("/e", cast("Any", post(site, body)), asked, sent.left.append)
    )
    assert (len(sent.left), sent.endpoints.bodies.reserved_bytes) == (1, len(body))
    assert sent.left[0] is not None
    assert sent.left[0].get() == body
    assert sent.endpoints.bodies.reserved_bytes == 0


async def test_direct_bodies_share_the_memory_of_all_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that finds no memory is left to the loop, and one that takes too long is cancelled."""
    monkeypatch.setattr(bodies_module, "BODIES_BYTES_MAX", 100)
    monkeypatch.setattr(bodies_module, "BODY_SECONDS", 0.0)
    readers = BodyReaders()
    first = BodyReader(time.monotonic(), Body(b""))
    assert readers.begin(first, 80)
    assert not readers.begin(BodyReader(time.monotonic()), 30)
    assert readers.begin(
        BodyReader(time.monotonic()), 10
    )  # nothing receives it yet, as when a process is stopped right there
    watch = asyncio.create_task(readers.cancel_slow())
    async with asyncio.timeout(60):
        while not first.source.was_cancelled:  # noqa: ASYNC110 - the check is the readers' own
            await asyncio.sleep(0.05)
    await asyncio.sleep(0)
    assert not watch.done()
    watch.cancel()
    assert readers.reserved_bytes == 0
    readers.end(first)
    assert readers.reserved_bytes == 0

"""Requests of visitors and servers at a steady rate, and a record of what was acknowledged.

Events without a 202 are sent again under the same ID until they get one. Only the pixel cannot be repeated, because
the collector creates its ID: pixels without a response are recorded separately, since they may or may not be counted.
"""

import asyncio
import itertools
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import PERSON
from tests.soak.client import NO_RESPONSE, Client, Reply
from tests.streams import Stream, StreamMessage, open_stream

SITE = "haihau"
READERS = 3_000
"""Visitors per kind of request. So few that a counter's state of them does not look like a leak."""
STREAMS = 30
RETRY_SECONDS = 0.5
REQUEST_SECONDS = 20.0
TWICE = 0.05
"""Share of the acknowledged events that is sent once more."""
SEARCHES = ("thu+vien", "h%E1%BB%99i+ngh%E1%BB%8B", "soak", "b%C3%A0i+s%E1%BB%91")
PAGES = ("/", "/tin-tuc/", "/rss.xml", "/sitemap.xml", "/so-do-site", "/t.js", "/stats/haihau")
COUNTERS = ("counter", "counter?measure=views&window=rolling", "counter.svg", "counter.html", "top?period=today")
RATES = {"single": 60.0, "batch": 4.0, "server": 1.0, "pixel": 5.0, "counter": 20.0, "page": 12.0, "search": 2.0}
"""Requests per second. A batch has 10 events of one visitor; a server sends 100 events of 100 visitors."""
EVENTS_PER_SECOND = RATES["single"] + 10 * RATES["batch"] + 100 * RATES["server"] + RATES["pixel"]


@dataclass
class LoadResults:
    """Acknowledged events, and failed requests."""

    views: Counter[str] = field(default_factory=Counter)
    """Acknowledged views by article; each kind of request uses its own article."""
    other_events: int = 0
    """Acknowledged pings and leaves."""
    unanswered_pixels: int = 0
    """Pixels without a response."""
    requests: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[float, str, str]] = field(default_factory=list)
    """[(time.monotonic(), kind of request, status or error)]"""

    @property
    def events(self) -> int:
        return sum(self.views.values()) + self.other_events

    def note(self, kind: str, outcome: Reply | BaseException) -> bool:
        """Record a response or an error; return whether it is a response other than 5xx."""
        self.requests[kind] += 1
        if isinstance(outcome, Reply) and not outcome.is_server_error:
            return True
        self.failures.append(
            (time.monotonic(), kind, str(outcome.status) if isinstance(outcome, Reply) else repr(outcome))
        )
        return False


class Load:
    """Many visitors and one server, until `stop`.

    Args:
        port: Of the gateway.
        token: With the scope `events`.
        seed: Of what is sent.
        events_per_second: All rates are changed in proportion.
    """

    def __init__(self, port: int, token: str, seed: int, events_per_second: float = EVENTS_PER_SECOND) -> None:
        self._share = events_per_second / EVENTS_PER_SECOND
        self._client = Client(port)
        self._port = port
        self._token = token
        self._chance = random.Random(seed)
        self._made = itertools.count()
        self._stop = asyncio.Event()
        self._sending: set[asyncio.Task[Any]] = set()
        self.results = LoadResults()
        self.live: list[str] = []
        """Paths of live articles, which visitors request."""
        self.messages = 0
        self.streams = 0

    async def run(self) -> None:
        """Send requests until `stop`; then repeat events until all are acknowledged."""
        kinds: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "single": self._single,
            "batch": self._batch,
            "server": self._server,
            "pixel": self._pixel,
            "counter": self._counter,
            "page": self._page,
            "search": self._search,
        }
        async with asyncio.TaskGroup() as group:
            for kind, send in kinds.items():
                group.create_task(self._pace(RATES[kind] * self._share, send))
            for number in range(STREAMS):
                group.create_task(self._listen(number))
        await asyncio.gather(*self._sending)
        self._client.close()

    def stop(self) -> None:
        self._stop.set()

    async def _pace(self, per_second: float, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        begun = time.monotonic()
        for number in itertools.count(1):
            task = asyncio.create_task(send())
            self._sending.add(task)
            task.add_done_callback(self._ended)
            delay = begun + number / per_second - time.monotonic()
            try:
                await asyncio.wait_for(self._stop.wait(), max(delay, 0.001))
            except TimeoutError:
                continue
            return

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]

    def _event(self, kind: str, **more: Any) -> dict[str, Any]:
        number = uuid.UUID(int=self._chance.getrandbits(128))
        return {"id": str(number), "site": SITE, "kind": kind, "path": f"/soak/{next(self._made) % 500}", **more}

    def _agent(self) -> str:
        return f"{PERSON} person/{self._chance.randrange(READERS)}"

    async def _ask(self, kind: str, method: str, path: str, body: bytes = b"", **headers: str) -> Reply | None:
        """Send one request and record its outcome; return the response unless it failed."""
        try:
            outcome: Any = await self._client.request(method, path, body, seconds=REQUEST_SECONDS, **headers)
        except NO_RESPONSE as error:
            outcome = error
        return outcome if self.results.note(kind, outcome) else None

    async def _deliver(self, kind: str, path: str, events: list[dict[str, Any]], **headers: str) -> None:
        """Send events until they are acknowledged, and sometimes once more."""
        begun = time.time_ns() // 1_000_000
        while True:
            age = 0 if "at" in events[0] else time.time_ns() // 1_000_000 - begun
            body = json.dumps([{**event, "age": age} for event in events] if age else events).encode()
            reply = await self._ask(kind, "POST", path, body, content_type="application/json", **headers)
            if reply is not None and reply.status == 202:
                break
            assert reply is None or reply.status == 429, reply
            await asyncio.sleep(RETRY_SECONDS)
        for event in events:
            if event["kind"] == "view":
                self.results.views[event["article"]] += 1
            else:
                self.results.other_events += 1
        if self._chance.random() < TWICE:
            await self._ask(kind, "POST", path, body, content_type="application/json", **headers)

    async def _single(self) -> None:
        kind = self._chance.choices(("view", "ping", "leave"), (80, 15, 5))[0]
        await self._deliver("single", "/e", [self._event(kind, article="soak-single")], user_agent=self._agent())

    async def _batch(self) -> None:
        events = [self._event("view", article="soak-batch") for _ in range(10)]
        await self._deliver("batch", "/e", events, user_agent=self._agent())

    async def _server(self) -> None:
        now = time.time_ns() // 1_000_000
        readers = self._chance.choices(range(READERS), k=100)
        events = [
            self._event(
                "view", article="soak-server", at=now, agent=f"{PERSON} person/{one}", ip=f"203.0.113.{one % 250}"
            )
            for one in readers
        ]
        await self._deliver("server", "/e/batch", events, authorization=f"Bearer {self._token}")

    async def _pixel(self) -> None:
        path = f"/p.gif?site={SITE}&path=/soak/pixel&article=soak-pixel"
        reply = await self._ask("pixel", "GET", path, user_agent=self._agent())
        if reply is not None and reply.status == 200:
            self.results.views["soak-pixel"] += 1
        else:
            self.results.unanswered_pixels += 1

    async def _counter(self) -> None:
        await self._ask("counter", "GET", f"/stats/{SITE}/{self._chance.choice(COUNTERS)}")

    async def _page(self) -> None:
        path = self._chance.choice([*PAGES, *self.live[-20:]])
        await self._ask("page", "GET", path, accept_encoding="gzip")

    async def _search(self) -> None:
        await self._ask("search", "GET", f"/tim-kiem?q={self._chance.choice(SEARCHES)}")

    async def _listen(self, number: int) -> None:
        """Keep a live stream open; open it again when it ends, as a browser does."""
        while not self._stop.is_set():
            try:
                stream = await open_stream(self._port, f"/stats/{SITE}/live", self._hear, user_agent=PERSON)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.streams += 1
            stream.keep = False
            while not (self._stop.is_set() or has_ended(stream)):  # noqa: ASYNC110 - two things end it
                await asyncio.sleep(RETRY_SECONDS)
            stream.close()
            await asyncio.sleep(0.1 + number * 0.05)

    def _hear(self, _: Any) -> None:
        self.messages += 1


def has_ended(stream: Stream) -> bool:
    """Return whether a stream has ended or failed: without an upstream the gateway answers with an error."""
    return stream.ended or stream.status not in (0, 200)


async def streamed_totals(port: int, site: str) -> AsyncIterator[tuple[float, int]]:
    """Yield (time.monotonic(), total views) from a site's live stream, reopening the stream as often as needed."""
    while True:
        messages: asyncio.Queue[StreamMessage] = asyncio.Queue()
        try:
            stream = await open_stream(port, f"/stats/{site}/live?measure=views", messages.put_nowait)
        except OSError:
            await asyncio.sleep(RETRY_SECONDS)
            continue
        stream.keep = False
        while not has_ended(stream):
            try:
                one = await asyncio.wait_for(messages.get(), RETRY_SECONDS)
            except TimeoutError:
                continue
            yield one.at, one.numbers["total"]
        stream.close()

"""Server-Sent Events: one reader of Postgres for each counter that somebody watches, however many watch it.

Postgres is looked at rather than listened to: a NOTIFY in the counter's transaction would take a lock that all
committing transactions of the database share, and so make counting slower. A look costs what a reader's request
costs; while messages flow there is one look for each message.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.stats.counter_api.counter_cache import Away, CounterKey, Counters
from services.stats.counter_api.counter_query import CounterNumbers
from services.stats.metrics import COUNTER_REFUSALS, LIVE_STREAMS
from shared.http.client_address import address_prefix
from shared.http.problems import Problem
from shared.role import Process

MESSAGE_SECONDS_MIN = 0.95
"""One message a second, less what a view needs to be counted and sent: so even a view that just misses a message is on
the open page within a second."""
LOOK_SECONDS = 0.1
"""Between two looks at a quiet counter, so that a first change shows at once."""
LOOKS_PER_SECOND_MAX = 100
"""Of all watched counters together; with more of them each is looked at less often."""
HEARTBEAT_SECONDS = 15.0
STREAM_SECONDS = (1_500.0, 2_100.0)
"""A stream's life: then its browser comes again. It bounds what is kept for a reader who has stopped reading, and
spreads the readers over new processes."""
RETRY_MILLISECONDS = (2_000, 5_000)
"""How long a browser waits before it comes again: spread, so that a restart is no stampede."""

HEARTBEAT: Message = {"type": "http.response.body", "body": b": still here\n\n", "more_body": True}
END: Message = {"type": "http.response.body", "body": b""}


class Listener:
    """One open stream."""

    __slots__ = ("life", "send", "sent_at", "tag")

    def __init__(self, send: Send, life: asyncio.Timeout, sent_at: float) -> None:
        self.send = send
        self.life = life
        self.sent_at = sent_at
        self.tag = ""
        """Of the last numbers that it was told."""


class Watch:
    """The newest numbers of one counter, and everybody who watches it."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.tag = ""
        self.message: Message = HEARTBEAT

    def renew(self, numbers: CounterNumbers) -> None:
        """Take new numbers, if they are new."""
        tag = tag_of(numbers)
        if tag != self.tag:
            self.tag = tag
            body = b"id: %b\ndata: %b\n\n" % (tag.encode(), msgspec.json.encode(numbers))
            self.message = {"type": "http.response.body", "body": body, "more_body": True}

    async def tell(self, now: float) -> float:
        """Send what is due at `now` (loop time), and return when the next message may be sent."""
        earliest = now + MESSAGE_SECONDS_MIN
        for listener in list(self.listeners):
            if listener.tag != self.tag and now >= listener.sent_at + MESSAGE_SECONDS_MIN:
                listener.tag, listener.sent_at = self.tag, now
                await listener.send(self.message)  # never blocks: granian takes it and sends it when the reader reads
            elif now >= listener.sent_at + HEARTBEAT_SECONDS:
                listener.sent_at = now
                await listener.send(HEARTBEAT)
            earliest = min(earliest, listener.sent_at + MESSAGE_SECONDS_MIN)
        return earliest


def tag_of(numbers: CounterNumbers) -> str:
    """Return the id of a message: it tells the numbers, not their time, so that any process knows it again."""
    plain = msgspec.json.encode(msgspec.structs.replace(numbers, as_of=""))
    return hashlib.sha256(plain).hexdigest()[:16]


class Live:
    """All the counters that are being watched from this process."""

    def __init__(self, counters: Counters, process: Process, *, streams_max: int, per_address_max: int) -> None:
        self._counters = counters
        self._process = process
        self._streams_max = streams_max
        self._per_address_max = per_address_max
        self._watches: dict[CounterKey, Watch] = {}
        self._streams: Counter[str] = Counter()
        process.spawn(self._end_on_stop(), "end live streams")

    def stream(self, key: CounterKey, address: str, last_id: str, headers: Mapping[str, str]) -> Response:
        """Return the endless answer for one listener.

        Args:
            key: What to watch; no article.
            address: Who asks.
            last_id: What the listener says it was told last; nothing is repeated that it knows.
            headers: Of the answer.

        Raises:
            Problem: 429 when the address has too many streams, 503 when the process has.
        """
        household = address_prefix(address)
        refusal = dict(headers) | {"cache-control": "no-store", "retry-after": "30"}
        if self._streams[household] >= self._per_address_max:
            COUNTER_REFUSALS.labels("streams_of_address").inc()
            raise Problem(429, f"At most {self._per_address_max} streams from one address.", headers=refusal)
        if self._streams.total() >= self._streams_max or self._process.stop.is_set():
            COUNTER_REFUSALS.labels("streams_of_process").inc()
            raise Problem(503, "No more streams can be opened here now.", headers=refusal)
        return _Stream(self, key, household, last_id, headers)

    async def serve(self, key: CounterKey, household: str, last_id: str, receive: Receive, send: Send) -> None:
        """Keep one listener until it goes, its time is over, or the process stops."""
        self._streams[household] += 1
        LIVE_STREAMS.inc()
        try:
            await self._listen(key, last_id, receive, send)
        finally:
            LIVE_STREAMS.dec()
            self._streams[household] -= 1
            if not self._streams[household]:
                del self._streams[household]

    async def _listen(self, key: CounterKey, last_id: str, receive: Receive, send: Send) -> None:
        first = Watch()
        with suppress(Away):  # then it is told when Postgres is back
            first.renew((await self._counters.get(key)).numbers)
        hello = b"retry: %d\n\n" % random.randint(*RETRY_MILLISECONDS)  # noqa: S311 - spreads load
        await send({"type": "http.response.body", "body": hello, "more_body": True})
        try:
            async with asyncio.timeout(random.uniform(*STREAM_SECONDS)) as life:  # noqa: S311 - the same
                listener = Listener(send, life, asyncio.get_running_loop().time())
                listener.tag = first.tag
                if first.tag and first.tag != last_id:
                    await send(first.message)
                watch = self._watch(key)
                watch.listeners.add(listener)
                try:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                finally:
                    watch.listeners.discard(listener)
        except TimeoutError:
            await send(END)

    def _watch(self, key: CounterKey) -> Watch:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch()
            self._process.spawn(self._look(key, watch), "watch a counter")
        return watch

    async def _look(self, key: CounterKey, watch: Watch) -> None:
        """Read a counter while somebody watches it, and tell what changed."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # the first listener joins
        while watch.listeners:
            with suppress(Away):  # the streams stay open, with heartbeats
                watch.renew(await self._counters.look(key))
            due = await watch.tell(loop.time())
            pause = max(LOOK_SECONDS, len(self._watches) / LOOKS_PER_SECOND_MAX)
            await asyncio.sleep(max(pause, due - loop.time()))
        del self._watches[key]

    async def _end_on_stop(self) -> None:
        await self._process.stop.wait()
        now = asyncio.get_running_loop().time()
        for watch in self._watches.values():
            for listener in watch.listeners:
                listener.life.reschedule(now)


class _Stream(Response):
    """The answer of one listener. It is no StreamingResponse, which needs two more tasks for each."""

    def __init__(self, live: Live, key: CounterKey, household: str, last_id: str, headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = "text/event-stream"
        self.init_headers(headers)
        self._live = live
        self._who = (key, household, last_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers and whatever happens."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send(END)
            return
        await self._live.serve(*self._who, receive, send)

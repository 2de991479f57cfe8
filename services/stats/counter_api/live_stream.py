"""Server-Sent Events: Postgres is polled once for each counter with subscribers, however many they are.

Postgres is polled, without LISTEN: a NOTIFY in the counter's transaction would take a lock that all committing
transactions of the database share, and so make counting slower. A poll asks how far everything is counted, once for all
counters. Only when that has changed are counters read, and once a second, since visitors leave and days end; while
messages are sent there is one poll for each message.
"""

import asyncio
import hashlib
import math
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.stats.counter_api.counted_position import CountedPosition
from services.stats.counter_api.counter_cache import CounterCache, CounterKey, CountsUnavailable
from services.stats.counter_api.counter_query import SITE_VALID_SECONDS, CounterValues
from services.stats.metrics import COUNTER_REJECTIONS, LIVE_STREAMS
from shared.http.client_address import address_prefix
from shared.http.problems import Problem
from shared.role import Process

MESSAGE_SECONDS_MIN = 0.9
"""One message a second, less what a view needs to be counted and sent: so a view that just misses a message is still on
the open page within a second, unless it waits for others (`counting.pace`)."""
POLL_SECONDS = 0.1
"""Between two polls, so that a first change is sent at once."""
UNCHANGED_SECONDS = 1.0
"""Between two reads of a counter while nothing is counted."""
POLLS_PER_SECOND_MAX = 100
"""Of all channels together; with more channels each one is polled less often."""
HEARTBEAT_SECONDS = 15.0
STREAM_SECONDS = (1_500.0, 2_100.0)
"""Lifetime of a stream: then its browser reconnects. It limits the buffer of a client that has stopped reading, and
distributes clients over new processes."""
RETRY_MS = (2_000, 5_000)
"""Time until a browser reconnects: random, so that not all reconnect at once after a restart."""

HEARTBEAT: Message = {"type": "http.response.body", "body": b": still here\n\n", "more_body": True}
END: Message = {"type": "http.response.body", "body": b""}


class Subscriber:
    """One open stream."""

    __slots__ = ("life", "send", "sent_at", "tag")

    def __init__(self, send: Send, life: asyncio.Timeout, sent_at: float) -> None:
        self.send = send
        self.life = life
        self.sent_at = sent_at
        self.tag = ""
        """Id of the last message that it was sent."""


class Channel:
    """The newest values of one counter, and its subscribers."""

    def __init__(self) -> None:
        self.subscribers: set[Subscriber] = set()
        self.tag = ""
        self.message: Message = HEARTBEAT

    def update(self, values: CounterValues) -> None:
        """Set new values, if they have changed."""
        tag = message_id(values)
        if tag != self.tag:
            self.tag = tag
            body = b"id: %b\ndata: %b\n\n" % (tag.encode(), msgspec.json.encode(values))
            self.message = {"type": "http.response.body", "body": body, "more_body": True}

    async def send_due(self, now: float) -> float:
        """Send what is due at `now` (loop time), and return when the next message may be sent."""
        earliest = now + MESSAGE_SECONDS_MIN
        for subscriber in list(self.subscribers):
            if subscriber.tag != self.tag and now >= subscriber.sent_at + MESSAGE_SECONDS_MIN:
                subscriber.tag, subscriber.sent_at = self.tag, now
                await subscriber.send(self.message)  # never blocks: granian buffers it until the client reads
            elif now >= subscriber.sent_at + HEARTBEAT_SECONDS:
                subscriber.sent_at = now
                await subscriber.send(HEARTBEAT)
            earliest = min(earliest, subscriber.sent_at + MESSAGE_SECONDS_MIN)
        return earliest


def message_id(values: CounterValues) -> str:
    """Return the id of a message: a hash of the values without their time, so that it is the same in any process."""
    plain = msgspec.json.encode(msgspec.structs.replace(values, as_of=""))
    return hashlib.sha256(plain).hexdigest()[:16]


class LiveStreams:
    """All channels of this process."""

    def __init__(
        self,
        counters: CounterCache,
        counted: CountedPosition,
        process: Process,
        *,
        streams_max: int,
        per_address_max: int,
    ) -> None:
        self._counters = counters
        self._counted = counted
        self._process = process
        self._streams_max = streams_max
        self._per_address_max = per_address_max
        self._channels: dict[CounterKey, Channel] = {}
        self._streams: Counter[str] = Counter()
        process.spawn(self._end_on_stop(), "end live streams")

    def open_stream(self, key: CounterKey, address: str, last_id: str, headers: Mapping[str, str]) -> Response:
        """Return the endless response for one subscriber.

        Args:
            key: A counter of a site.
            address: Of the client.
            last_id: Id of the last message that the client received; that one is not repeated.
            headers: Of the response.

        Raises:
            Problem: 429 when the address has too many streams, 503 when the process has.
        """
        prefix = address_prefix(address)
        rejection_headers = dict(headers) | {"cache-control": "no-store", "retry-after": "30"}
        if self._streams[prefix] >= self._per_address_max:
            COUNTER_REJECTIONS.labels("streams_of_address").inc()
            raise Problem(429, f"At most {self._per_address_max} streams from one address.", headers=rejection_headers)
        if self._streams.total() >= self._streams_max or self._process.stop.is_set():
            COUNTER_REJECTIONS.labels("streams_of_process").inc()
            raise Problem(503, "Live stream limit reached; retry later.", headers=rejection_headers)
        return _EventStream(self, key, prefix, last_id, headers)

    async def serve(self, key: CounterKey, prefix: str, last_id: str, receive: Receive, send: Send) -> None:
        """Serve one subscriber until it disconnects, its lifetime is over, or the process stops."""
        self._streams[prefix] += 1
        LIVE_STREAMS.inc()
        try:
            await self._subscribe(key, last_id, receive, send)
        finally:
            LIVE_STREAMS.dec()
            self._streams[prefix] -= 1
            if not self._streams[prefix]:
                del self._streams[prefix]

    async def _subscribe(self, key: CounterKey, last_id: str, receive: Receive, send: Send) -> None:
        first = Channel()
        with suppress(CountsUnavailable):  # then it gets values when Postgres is available again
            first.update((await self._counters.get(key)).values)
        hello = b"retry: %d\n\n" % random.randint(*RETRY_MS)  # noqa: S311 - spreads load
        await send({"type": "http.response.body", "body": hello, "more_body": True})
        try:
            async with asyncio.timeout(random.uniform(*STREAM_SECONDS)) as life:  # noqa: S311 - the same
                subscriber = Subscriber(send, life, asyncio.get_running_loop().time())
                subscriber.tag = first.tag
                if first.tag and first.tag != last_id:
                    await send(first.message)
                channel = self._channel(key)
                channel.subscribers.add(subscriber)
                try:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                finally:
                    channel.subscribers.discard(subscriber)
        except TimeoutError:
            await send(END)

    def _channel(self, key: CounterKey) -> Channel:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel()
            self._process.spawn(self._poll(key, channel), "poll a counter")
        return channel

    async def _poll(self, key: CounterKey, channel: Channel) -> None:
        """Read a counter while it has subscribers, and send changes."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # the first subscriber joins
        position, read_until, read_at = None, 0.0, -math.inf
        while channel.subscribers:
            pause = max(POLL_SECONDS, len(self._channels) / POLLS_PER_SECOND_MAX)
            before, position = position, await self._counted.read()
            now = loop.time()
            if position != before:
                read_until = now + SITE_VALID_SECONDS + pause  # what is read at first may be from before the change
            if now < read_until or now >= read_at + UNCHANGED_SECONDS:
                read_at = now
                with suppress(CountsUnavailable):  # the streams stay open, with heartbeats
                    channel.update(await self._counters.refresh(key))
            due = await channel.send_due(loop.time())
            await asyncio.sleep(max(pause, due - loop.time()))
        del self._channels[key]

    async def _end_on_stop(self) -> None:
        await self._process.stop.wait()
        now = asyncio.get_running_loop().time()
        for channel in self._channels.values():
            for subscriber in channel.subscribers:
                subscriber.life.reschedule(now)


class _EventStream(Response):
    """The response of one subscriber. A StreamingResponse would need two more tasks for each."""

    def __init__(
        self, live: LiveStreams, key: CounterKey, prefix: str, last_id: str, headers: Mapping[str, str]
    ) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = "text/event-stream"
        self.init_headers(headers)
        self._live = live
        self._arguments = (key, prefix, last_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, and messages until the end."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send(END)
            return
        await self._live.serve(*self._arguments, receive, send)

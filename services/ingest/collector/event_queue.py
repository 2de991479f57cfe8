"""Gathers the events of many requests into batches; each request learns what became of its batch.

Events come from the event loop and from the server's own thread (`shared.http.direct`). Batches are taken on the loop.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.ingest.collector.group_commit import ENOUGH_EVENTS, GroupCommit
from services.ingest.collector.spool import SpooledEvent
from shared.kafka.producer import KafkaUnavailable

PENDING_MAX = 50_000
"""Maximum of unacknowledged events; above it new ones are rejected, which bounds memory."""

Respond = Callable[[list[Any], KafkaUnavailable | None], None]
"""Responds to the requests whose events are stored, or are not if there is an error. It must not raise."""


@dataclass(slots=True)
class Batch:
    """Events that share one acknowledgement, and who waits for it."""

    events: list[SpooledEvent] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    requests: dict[Respond, list[Any]] = field(default_factory=dict)
    """Those of the server's thread, by what responds to them: all with one call."""

    def complete(self, error: KafkaUnavailable | None = None) -> None:
        """Tell all who wait, once."""
        requests, self.requests = self.requests, {}
        for respond, those in requests.items():
            respond(those, error)
        for waiter in self.waiters:
            if not waiter.done():
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error)


class EventQueue:
    """The events of one collector that are not in a batch yet."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        """Held to change the next batch."""
        self._next = Batch()
        self._in_flight = 0
        self._wake = asyncio.Event()
        self._is_woken = False
        """Whether another thread has asked the loop to take the next batch."""
        self._gathers_until: asyncio.Future[None] | None = None
        """While the next batch gathers: to be completed when it has enough events."""
        self._group_commit = GroupCommit()
        self.gathers = True
        """False: batches are taken at once, as the collector stops."""

    @property
    def pending_events(self) -> int:
        """Number of unacknowledged events."""
        return self._in_flight + len(self._next.events)

    def add(self, events: Sequence[SpooledEvent]) -> asyncio.Future[None]:
        """Queue events from the loop, and return a future of their batch, which may raise KafkaUnavailable."""
        completed = self._loop.create_future()
        with self._lock:
            error = self._append(events)
            if error is None:
                self._next.waiters.append(completed)
            gathered = self._gathered()
        if error is None:
            self._wake.set()
        else:
            completed.set_exception(error)
        if gathered is not None:
            _complete(gathered)
        return completed

    def add_direct(self, events: Sequence[SpooledEvent], respond: Respond, request: Any) -> None:
        """Queue the events of a request from any thread, and respond to it with the others of its batch."""
        with self._lock:
            error = self._append(events)
            if error is None:
                self._next.requests.setdefault(respond, []).append(request)
            wakes = error is None and not self._is_woken
            self._is_woken |= wakes
            gathered = self._gathered()
        if error is not None:
            respond([request], error)
        elif wakes:
            self._loop.call_soon_threadsafe(self._wake.set)
        if gathered is not None:
            self._loop.call_soon_threadsafe(_complete, gathered)

    def _append(self, events: Sequence[SpooledEvent]) -> KafkaUnavailable | None:
        batch = self._next
        if self._in_flight + len(batch.events) > PENDING_MAX:
            return KafkaUnavailable(f"{PENDING_MAX} events are already queued")
        if not batch.waiters and not batch.requests:
            self._group_commit.note_first_event(time.monotonic())
        batch.events += events
        return None

    def _gathered(self) -> asyncio.Future[None] | None:
        """Return what is to be completed, once, if the next batch gathers and has enough events; under the lock."""
        if self._gathers_until is None or len(self._next.events) < ENOUGH_EVENTS:
            return None
        gathered, self._gathers_until = self._gathers_until, None
        return gathered

    async def _gather(self, seconds: float) -> None:
        """Wait until the next batch has enough events, for so many seconds at most."""
        until = self._loop.create_future()
        with self._lock:
            if len(self._next.events) >= ENOUGH_EVENTS:
                return
            self._gathers_until = until
        timer = self._loop.call_later(seconds, _complete, until)
        try:
            await until
        finally:
            timer.cancel()

    async def take(self) -> Batch:
        """Wait for events and gather others, and return the batch; it is in flight until `end`."""
        while True:
            await self._wake.wait()
            seconds = self._group_commit.pause_seconds(time.monotonic())
            if seconds > 0 and self.gathers:
                await self._gather(seconds)
            self._wake.clear()
            with self._lock:
                batch, self._next = self._next, Batch()
                self._in_flight = len(batch.events)
                self._is_woken = False
                self._gathers_until = None
            if batch.waiters or batch.requests:  # else the batch before had all for which the loop was woken
                return batch

    def note_stored(self, batch: Batch, began_at: float) -> None:
        """Take note of a batch that was stored since `began_at`, in monotonic seconds."""
        self._group_commit.note_batch(len(batch.events), began_at, time.monotonic())

    def end(self) -> None:
        """Take note that no batch is in flight."""
        self._in_flight = 0

    def refuse(self, error: KafkaUnavailable) -> None:
        """Refuse all events that are in no batch yet."""
        self._next.complete(error)


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""Server-Sent Events: one reader of Postgres for each site that somebody watches, however many watch it."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import asyncpg
import msgspec
from starlette.responses import StreamingResponse

from services.stats.metrics import LIVE_STREAMS
from services.stats.reading import CounterNumbers, read_counter
from shared.logs import log
from shared.postgres import POSTGRES_AWAY
from shared.process import Process
from shared.sites import Site

LOOK_SECONDS = 0.25
"""Looks are more frequent than messages may be, so that the first change shows soon."""
MESSAGE_SECONDS_MIN = 1.0
HEARTBEAT_SECONDS = 15.0


class Watch:
    """The newest numbers of one site, and everybody who waits for newer ones."""

    def __init__(self) -> None:
        self.listeners = 0
        self.number = 0
        self.data = b""
        self.closed = False
        self._changed = asyncio.Condition()

    async def publish(self, data: bytes) -> None:
        """Hand new numbers to all listeners."""
        async with self._changed:
            self.number += 1
            self.data = data
            self._changed.notify_all()

    async def close(self) -> None:
        """Send all listeners away; their browsers come again."""
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    async def next_after(self, number: int) -> None:
        """Wait until there is something newer than message `number`, or nothing will come any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.number > number or self.closed)


class Live:
    """All the sites that are being watched from this process."""

    def __init__(self, pool: asyncpg.Pool, process: Process) -> None:
        self._pool = pool
        self._process = process
        self._watches: dict[str, Watch] = {}
        self.problem: str | None = None
        process.spawn(self._close_on_stop(), "close live streams")

    def stream(self, site: Site, headers: Mapping[str, str]) -> StreamingResponse:
        """Return the endless answer for one listener."""
        return StreamingResponse(self._messages(site), headers=dict(headers), media_type="text/event-stream")

    async def _messages(self, site: Site) -> AsyncIterator[bytes]:
        watch = self._watches.get(site.slug)
        if watch is None:
            watch = self._watches[site.slug] = Watch()
            self._process.spawn(self._look(site, watch), f"watch {site.slug}")
        watch.listeners += 1
        LIVE_STREAMS.inc()
        try:
            yield b"retry: 3000\n\n"
            number = 0
            while not watch.closed:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await watch.next_after(number)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if watch.number > number:
                    number = watch.number
                    yield b"id: %d\ndata: %b\n\n" % (number, watch.data)
                    await asyncio.sleep(MESSAGE_SECONDS_MIN)
        finally:
            watch.listeners -= 1
            LIVE_STREAMS.dec()

    async def _look(self, site: Site, watch: Watch) -> None:
        """Read the site's counter while somebody listens, and publish what changed."""
        known: CounterNumbers | None = None
        while watch.listeners and not watch.closed:
            try:
                numbers = await read_counter(self._pool, site, None, site.default_measure, "calendar")
                self.problem = None
            except POSTGRES_AWAY as error:
                if self.problem is None:
                    log.warning("The counts cannot be read; watchers wait", reason=repr(error))
                self.problem = "the counts cannot be read"
            else:
                timeless = msgspec.structs.replace(numbers, as_of="")
                if timeless != known:
                    known = timeless
                    await watch.publish(msgspec.json.encode(numbers))
            await asyncio.sleep(LOOK_SECONDS)
        del self._watches[site.slug]

    async def _close_on_stop(self) -> None:
        await self._process.stop.wait()
        for watch in self._watches.values():
            await watch.close()

"""Lists of public articles: cached for a moment, each read once, and a few at a time, so that editors never wait."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from shared.http.problems import Problem
from shared.single_flight import SingleFlight

CACHED_SECONDS = 1.0
"""Less than the two seconds in which a withdrawn article leaves every surface."""
CACHED_LISTS_MAX = 64
READS_MAX = 2
"""Concurrent reads of the pool's connections: the others stay free for editors."""
WAIT_SECONDS_MAX = 2.0


class PublicLists:
    """Reads lists for callers without a token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cached: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._reads = SingleFlight[Hashable, bytes]("read a public list")
        self._slots = asyncio.Semaphore(READS_MAX)

    async def read(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Return a list from the cache, or fetch it.

        Raises:
            Problem: 503 if too many others are read.
        """
        known = self._cached.get(key)
        if known is not None and self._clock() - known[0] < CACHED_SECONDS:
            return known[1]
        return await self._reads.run(key, lambda: self._fetch(key, fetch))

    async def _fetch(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Problem(
                503, "Too many lists are read at the moment; retry later.", headers={"retry-after": "2"}
            ) from error
        try:
            content = await fetch()
        finally:
            self._slots.release()
        self._cached[key] = (self._clock(), content)
        self._cached.move_to_end(key)
        if len(self._cached) > CACHED_LISTS_MAX:
            self._cached.popitem(last=False)
        return content

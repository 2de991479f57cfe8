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
CACHED_BYTES_MAX = 16 * 1024 * 1024
"""Of all cached lists: a hundred whole articles may have many megabytes."""
READS_MAX = 2
"""Concurrent reads of the pool's connections: the others stay free for editors."""
WAIT_SECONDS_MAX = 2.0


class PublicLists:
    """Reads lists for callers without a token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cached: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._cached_bytes = 0
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
                503, "Too many lists are read at the moment; retry later.", headers={"retry-after": "2"}, code="busy"
            ) from error
        try:
            content = await fetch()
        finally:
            self._slots.release()
        self._keep(key, content)
        return content

    def _keep(self, key: Hashable, content: bytes) -> None:
        """Cache a list, and drop those that are too old or too many."""
        now = self._clock()
        self._cached_bytes -= len(self._cached.pop(key, (0.0, b""))[1])
        self._cached[key] = (now, content)
        self._cached_bytes += len(content)
        while self._cached:
            read_at, oldest = next(iter(self._cached.values()))
            is_fresh = now - read_at < CACHED_SECONDS
            if is_fresh and len(self._cached) <= CACHED_LISTS_MAX and self._cached_bytes <= CACHED_BYTES_MAX:
                return
            self._cached.popitem(last=False)
            self._cached_bytes -= len(oldest)

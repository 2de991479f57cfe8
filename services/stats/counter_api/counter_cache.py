"""A cache of counters in one process: each is read a few times a second, however many clients request it.

Values are returned for as long as all widgets return them (`shared_reads`), so no number falls for a visitor whose
requests alternate between widgets. Clients never wait long. While Postgres is unavailable they get the last good
values, marked stale, and none of them waits for the next attempt. The counters of sites are few and are kept
permanently. Clients can invent any number of articles, so these have limits in memory, in concurrent queries and in
waiting clients; a flood of them is rejected without an effect on the counters of sites.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
import msgspec

from services.stats.counter_api.counter_query import CounterValues, Window, read_shared_counter
from services.stats.metrics import COUNTER_READS
from shared.events import Measure
from shared.http.fair_limit import CALLER, FairLimit
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.role import Process
from shared.sites import Sites

RETRY_SECONDS = 1.0
"""Between two attempts while Postgres is unavailable."""
WAIT_SECONDS = 1.0
"""Longest that a client waits before it gets the last good values."""
STALE_SECONDS_MAX = 86_400.0
"""Older values are not returned: yesterday's 'today' would be wrong."""
ARTICLES_MAX = 4_096
ARTICLE_READS_MAX = 2
"""Of the pool's connections; the others are reserved for sites. The callers take turns."""
ARTICLES_WAITING_MAX = 200
"""As many as are read while a client waits."""
ARTICLES_WAITING_OF_CALLER_MAX = 50


class CounterKey(NamedTuple):
    """A counter, its measure and its window."""

    site: str
    article: str | None
    measure: Measure
    window: Window


class CachedCounter(NamedTuple):
    """A counter's values, and until when (time.monotonic) they are fresh."""

    values: CounterValues
    fresh_until: float


class CountsUnavailable(Exception):  # noqa: N818 - it names what happened
    """Postgres is unavailable, and there are no good values."""


class TooManyReads(Exception):  # noqa: N818 - it names what happened
    """Too many articles are requested at once: by the caller itself, or by all together."""

    def __init__(self, *, of_caller: bool) -> None:
        super().__init__()
        self.of_caller = of_caller


@dataclass(slots=True)
class _CacheEntry:
    values: CounterValues | None = None
    read_at: float = float("-inf")
    """When the read of `values` was begun."""
    fresh_until: float = float("-inf")
    retry_at: float = float("-inf")
    """When the next read is due, after a failed one."""
    failing: bool = False
    reading: asyncio.Task[None] | None = None
    """Not a `SingleFlight`: callers wait for WAIT_SECONDS only, and the read fills this entry, which may be evicted."""

    def is_current(self, arrived: float) -> bool:
        """Return whether the values are for a request of this time: still valid, or read after it."""
        return self.values is not None and (time.monotonic() < self.fresh_until or arrived <= self.read_at)


class CounterCache:
    """All counters that were requested lately."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites, process: Process) -> None:
        self._pool = pool
        self._sites = sites
        self._process = process
        self._of_sites: dict[CounterKey, _CacheEntry] = {}
        self._of_articles: OrderedDict[CounterKey, _CacheEntry] = OrderedDict()
        self._article_reads = FairLimit("article counters", running_max=ARTICLE_READS_MAX)
        self._articles_waiting: Counter[str] = Counter()
        self.problem: str | None = None

    async def get(self, key: CounterKey) -> CachedCounter:
        """Return a counter's values, at most a second old, or the last good ones marked stale.

        Raises:
            CountsUnavailable: Postgres does not answer and no good values of the last day are known.
            TooManyReads: it is an article's counter that is not cached, and too many of them are being read.
        """
        if key.article and key not in self._of_articles:  # before it is in memory: a flood does not evict cached ones
            if self._articles_waiting[CALLER.get()] >= ARTICLES_WAITING_OF_CALLER_MAX:
                raise TooManyReads(of_caller=True)
            if self._articles_waiting.total() >= ARTICLES_WAITING_MAX:
                raise TooManyReads(of_caller=False)
        counter, arrived = self._find(key), time.monotonic()
        while not counter.is_current(arrived):
            now = time.monotonic()
            if counter.failing and now < counter.retry_at:
                break
            if counter.reading is None:
                self._start_read(key, counter)
            if counter.failing:
                break
            reading = counter.reading
            assert reading is not None, "it was just started or is in progress"
            done, _ = await asyncio.wait([reading], timeout=max(0.0, arrived + WAIT_SECONDS - now))
            if not done:
                counter.failing = True
        return _cached(counter)

    async def refresh(self, key: CounterKey) -> CounterValues:
        """Return a counter's values, and never the last good ones.

        Raises:
            CountsUnavailable: Postgres does not answer.
        """
        counter, arrived = self._find(key), time.monotonic()
        while counter.failing or not counter.is_current(arrived):
            if counter.reading is None:
                self._start_read(key, counter)
            assert counter.reading is not None
            await asyncio.wait([counter.reading])
            if counter.failing:
                raise CountsUnavailable
        assert counter.values is not None, "it is current"
        return counter.values

    def _find(self, key: CounterKey) -> _CacheEntry:
        if key.article is None:
            return self._of_sites.setdefault(key, _CacheEntry())
        counter = self._of_articles.get(key)
        if counter is None:
            counter = self._of_articles[key] = _CacheEntry()
            if len(self._of_articles) > ARTICLES_MAX:
                self._of_articles.popitem(last=False)
        else:
            self._of_articles.move_to_end(key)
        return counter

    def _start_read(self, key: CounterKey, counter: _CacheEntry) -> None:
        kind = "site" if key.article is None else "article"
        if key.article is not None:
            self._articles_waiting[CALLER.get()] += 1
        counter.reading = self._process.spawn(self._read_with_limit(key, counter), f"read the counter of a {kind}")

    async def _read_with_limit(self, key: CounterKey, counter: _CacheEntry) -> None:
        if key.article is None:
            await self._read(key, counter)
            return
        try:
            async with self._article_reads.admit():
                await self._read(key, counter)
        finally:
            self._articles_waiting -= Counter({CALLER.get(): 1})  # drops a caller that waits for nothing

    async def _read(self, key: CounterKey, counter: _CacheEntry) -> None:
        started, site = time.monotonic(), self._sites.get(key.site)
        if site is None:  # it was removed from the configuration while somebody watched its counter
            counter.values, counter.failing, counter.retry_at, counter.reading = (
                None,
                True,
                started + RETRY_SECONDS,
                None,
            )
            return
        try:
            values, fresh_until = await read_shared_counter(self._pool, site, key.article, key.measure, key.window)
        except POSTGRES_UNAVAILABLE as error:
            COUNTER_READS.labels("failed").inc()
            if self.problem is None:
                log.warning("counts cannot be read; clients get the last ones", reason=repr(error))
            self.problem = "the counts cannot be read"
            counter.failing = True
            counter.retry_at = time.monotonic() + RETRY_SECONDS
        else:
            COUNTER_READS.labels("read").inc()
            self.problem = None
            counter.values, counter.read_at, counter.failing = values, started, False
            counter.fresh_until = fresh_until
        finally:
            counter.reading = None


def _cached(counter: _CacheEntry) -> CachedCounter:
    now = time.monotonic()
    if counter.values is None or now - counter.read_at > STALE_SECONDS_MAX:
        raise CountsUnavailable
    if not counter.failing:
        return CachedCounter(counter.values, counter.fresh_until)
    soon = now + RETRY_SECONDS / 4  # the read in progress may end at any moment
    return CachedCounter(msgspec.structs.replace(counter.values, stale=True), max(counter.retry_at, soon))

"""Counters as this process knows them: each is read at most once a second, however many ask.

Readers never wait long. While Postgres does not answer they get the last good numbers, marked stale, and nobody
waits for the next try. A site's own counters are few and kept for good. Articles are as many as somebody cares
to invent, so they have a bound in memory, in queries at once and in readers who wait; a flood of them is refused
and the sites' counters do not feel it.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
import msgspec

from services.stats.counter_api.counter_query import CounterNumbers, Window, read_counter
from services.stats.metrics import COUNTER_READS
from shared.events import Measure
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.role import Process
from shared.sites import Sites

FRESH_SECONDS = 1.0
WAIT_SECONDS = 1.0
"""Longest that a reader waits before the last good numbers have to do."""
STALE_SECONDS_MAX = 86_400.0
"""Older numbers are no answer: yesterday's 'today' would be a lie."""
ARTICLES_MAX = 4_096
ARTICLE_READS_MAX = 2
"""Of the pool's connections; the others are for sites."""
ARTICLES_WAITING_MAX = 100


class CounterKey(NamedTuple):
    """Which counter, and how it counts."""

    site: str
    article: str | None
    measure: Measure
    window: Window


class Known(NamedTuple):
    """A counter's numbers, and until when (time.monotonic) they need not be read again."""

    numbers: CounterNumbers
    until: float


class Away(Exception):  # noqa: N818 - it names what happened
    """Postgres does not answer, and nothing good is known."""


class Busy(Exception):  # noqa: N818 - it names what happened
    """Too many articles are being asked for at once."""


@dataclass(slots=True)
class _Counter:
    numbers: CounterNumbers | None = None
    read_at: float = float("-inf")
    until: float = float("-inf")
    """When the next look is due, after a good one as after a failed one."""
    failing: bool = False
    reading: asyncio.Task[None] | None = None
    """Not a `SingleFlight`: callers wait for WAIT_SECONDS only, and the read fills this entry, which may be evicted."""


class Counters:
    """All counters that were asked for lately."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites, process: Process) -> None:
        self._pool = pool
        self._sites = sites
        self._process = process
        self._of_sites: dict[CounterKey, _Counter] = {}
        self._of_articles: OrderedDict[CounterKey, _Counter] = OrderedDict()
        self._article_reads = asyncio.Semaphore(ARTICLE_READS_MAX)
        self._articles_waiting = 0
        self.problem: str | None = None

    async def get(self, key: CounterKey) -> Known:
        """Return a counter's numbers, at most a second old, or the last good ones marked stale.

        Raises:
            Away: Postgres does not answer and no good numbers of the last day are known.
            Busy: it is an article's counter that is not known, and too many of them are being read.
        """
        if self._articles_waiting >= ARTICLES_WAITING_MAX and key.article and key not in self._of_articles:
            raise Busy  # before it is in memory: a flood does not wash out what is known
        counter = self._find(key)
        if time.monotonic() < counter.until:
            return _known(counter)
        if counter.reading is None:
            self._begin(key, counter)
        if not counter.failing:
            reading = counter.reading
            assert reading is not None, "it has just begun or goes on"
            done, _ = await asyncio.wait([reading], timeout=WAIT_SECONDS)
            if not done:
                counter.failing = True
        return _known(counter)

    async def look(self, key: CounterKey) -> CounterNumbers:
        """Read a counter now, however fresh the known numbers are.

        Raises:
            Away: Postgres does not answer.
        """
        counter = self._find(key)
        if counter.reading is None:
            self._begin(key, counter)
        assert counter.reading is not None
        await asyncio.wait([counter.reading])
        if counter.failing or counter.numbers is None:
            raise Away
        return counter.numbers

    def _find(self, key: CounterKey) -> _Counter:
        if key.article is None:
            return self._of_sites.setdefault(key, _Counter())
        counter = self._of_articles.get(key)
        if counter is None:
            counter = self._of_articles[key] = _Counter()
            if len(self._of_articles) > ARTICLES_MAX:
                self._of_articles.popitem(last=False)
        else:
            self._of_articles.move_to_end(key)
        return counter

    def _begin(self, key: CounterKey, counter: _Counter) -> None:
        kind = "site" if key.article is None else "article"
        if key.article is not None:
            self._articles_waiting += 1
        counter.reading = self._process.spawn(self._read(key, counter), f"read the counter of a {kind}")

    async def _read(self, key: CounterKey, counter: _Counter) -> None:
        if key.article is None:
            await self._read_now(key, counter)
            return
        try:
            async with self._article_reads:
                await self._read_now(key, counter)
        finally:
            self._articles_waiting -= 1

    async def _read_now(self, key: CounterKey, counter: _Counter) -> None:
        begun = time.monotonic()
        try:
            numbers = await read_counter(self._pool, self._sites[key.site], key.article, key.measure, key.window)
        except POSTGRES_UNAVAILABLE as error:
            COUNTER_READS.labels("failed").inc()
            if self.problem is None:
                log.warning("The counts cannot be read; readers get the last ones", reason=repr(error))
            self.problem = "the counts cannot be read"
            counter.failing = True
            counter.until = time.monotonic() + FRESH_SECONDS
        else:
            COUNTER_READS.labels("read").inc()
            self.problem = None
            counter.numbers, counter.read_at, counter.failing = numbers, begun, False
            counter.until = begun + FRESH_SECONDS
        finally:
            counter.reading = None


def _known(counter: _Counter) -> Known:
    now = time.monotonic()
    if counter.numbers is None or now - counter.read_at > STALE_SECONDS_MAX:
        raise Away
    if not counter.failing:
        return Known(counter.numbers, counter.until)
    soon = now + FRESH_SECONDS / 4  # the read that goes on may end at any moment
    return Known(msgspec.structs.replace(counter.numbers, stale=True), max(counter.until, soon))

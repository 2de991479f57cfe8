"""Pages in memory, each served only while Postgres says that nothing has changed, or while Postgres is away.

One look at a site's generation is shared by all requests that came before it began, so that a page is never older
than what was committed when it was asked for. No message could promise that: it would reach one replica before another.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.render.documents import Document
from services.render.metrics import CACHE_BYTES, PAGES
from services.render.reading import Look
from shared.logs import log
from shared.postgres import POSTGRES_AWAY

LOOK_SECONDS_MAX = 1.5
"""After which Postgres counts as away."""
PROBE_SECONDS = 0.5
ENTRY_BYTES = 600
"""What an entry takes beside its bytes."""


@dataclass
class Entry:
    """A document, and what it was made of. `look`: when that was last found to be so."""

    document: Document
    key: Any
    look: Look
    changed_at: datetime | None
    until: datetime

    @property
    def bytes_size(self) -> int:
        """Memory that it takes."""
        return len(self.document.body) + len(self.document.gzipped or b"") + ENTRY_BYTES

    def is_over(self) -> bool:
        """Tell whether it must not be served any more, whatever else."""
        return datetime.now(UTC) >= self.until


class Shelf:
    """Entries by site and address; those not asked for longest go first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()

    def get(self, key: tuple[str, str]) -> Entry | None:
        """Return an entry, if it is there."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: tuple[str, str], entry: Entry) -> None:
        """Keep an entry."""
        self.drop(key)
        self._entries[key] = entry
        self._bytes += entry.bytes_size
        while self._bytes > self._bytes_max:
            self.drop(next(iter(self._entries)))
        CACHE_BYTES.set(self._bytes)

    def drop(self, key: tuple[str, str]) -> None:
        """Forget an entry."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.bytes_size


class Looks:
    """Asks Postgres how a site stands, once for all who want to know at the moment."""

    def __init__(self, ask: Callable[[str], Awaitable[Look]]) -> None:
        self._ask = ask
        self._running: dict[str, asyncio.Task[Look]] = {}
        self._next: dict[str, asyncio.Task[Look]] = {}
        self._probe: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self.away: str | None = None
        """Why Postgres does not answer; None when it does."""

    async def now(self, site: str) -> Look | None:
        """Return how a site stands, by a question that began after this call; None while Postgres is away."""
        if self.away is not None:
            self._probe_soon(site)
            return None
        task = self._next.get(site)
        if task is None:
            task = self._next[site] = asyncio.create_task(self._in_turn(site, self._running.get(site)))
        try:
            return await asyncio.shield(task)
        except POSTGRES_AWAY as error:
            self.went_away(error)
            return None

    async def _in_turn(self, site: str, before: asyncio.Task[Look] | None) -> Look:
        if before is not None:
            await asyncio.wait([before])
        self._running[site] = self._next.pop(site)
        async with asyncio.timeout(LOOK_SECONDS_MAX):
            return await self._ask(site)

    def went_away(self, error: BaseException) -> None:
        """Note that Postgres does not answer."""
        if self.away is None:
            log.warning("Postgres does not answer: pages come from memory", reason=repr(error))
        self.away = repr(error)

    def _probe_soon(self, site: str) -> None:
        if (self._probe is None or self._probe.done()) and time.monotonic() - self._asked_at > PROBE_SECONDS:
            self._asked_at = time.monotonic()
            self._probe = asyncio.create_task(self._try(site))

    async def _try(self, site: str) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                await self._ask(site)
        except POSTGRES_AWAY as error:
            self.away = repr(error)
        else:
            log.info("Postgres answers again")
            self.away = None


def count(result: str) -> None:
    """Count how a page came to be served."""
    PAGES.labels(result).inc()

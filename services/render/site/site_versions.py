"""Site versions in Postgres, read once for all requests that need them at the same moment.

A query is shared by the requests that arrived before it began, so a page is never older than what was committed when
it was requested. A message could not guarantee that: it would reach one replica before another.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from services.render.queries import GENERATIONS, SCHEMAS
from services.render.site.leases import Leases
from services.render.site.page_reader import SiteVersion
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection

QUERY_SECONDS_MAX = 1.5
"""A query that takes longer counts as Postgres being unavailable."""

_Waiter = asyncio.Future[Mapping[str, SiteVersion] | None]


class SiteVersionQuery:
    """Reads all sites' versions on a connection of its own: a pool adds a query to reset it. One query at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._statement: PreparedStatement | None = None
        self.leases = Leases()
        """How long what was read may be relied on."""
        self._schema = SCHEMAS[0]  # the schema that was live last: it seldom changes, so it is read first

    async def query(self) -> Mapping[str, SiteVersion]:
        """Return the versions of all sites, by slug.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        try:
            while True:
                if self._connection is None:
                    self._connection = await self._pool.acquire()
                if self._statement is None:
                    self._statement = await self._connection.prepare(GENERATIONS[self._schema]["site_versions"])
                begun_at = time.monotonic()
                rows = await self._statement.fetch()
                if not rows or rows[0]["schema_name"] == self._schema:
                    versions = {row["site"]: (row["version"], row["changed_at"]) for row in rows}
                    seconds = {row["site"]: row["lease_seconds"] for row in rows}
                    self.leases.renew(begun_at, versions, seconds, are_writing=not rows or rows[0]["are_writing"])
                    return versions
                self._schema, self._statement = rows[0]["schema_name"], None
        except BaseException:
            await self._discard_connection()
            raise

    async def _discard_connection(self) -> None:
        # Terminated before its release: the pool would wait for the response that never came.
        connection, self._connection, self._statement = self._connection, None, None
        self.leases.end()
        if connection is not None:
            connection.terminate()
            await self._pool.release(connection)


class SiteVersionWatcher:
    """Shares site version queries among concurrent requests."""

    def __init__(self, query: Callable[[], Awaitable[Mapping[str, SiteVersion]]]) -> None:
        self._query = query
        self._loop = asyncio.get_running_loop()
        self._waiters: list[_Waiter] = []
        self._calls: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        """Of other threads, too: single steps on a deque are not divided."""
        self._is_woken = False
        self._serving: asyncio.Task[None] | None = None
        self._last: Mapping[str, SiteVersion] = {}
        self.unavailable_reason: str | None = None
        """Why Postgres does not answer; None when it does."""

    def current(self) -> Awaitable[Mapping[str, SiteVersion] | None]:
        """Return all sites' versions, by a query that begins after this call; None while Postgres is unavailable.

        A site that never had an article is missing. Not a coroutine: creating one would cost a request as much as all
        the rest of this call.
        """
        waiter: _Waiter = self._loop.create_future()
        if self.unavailable_reason is not None:
            waiter.set_result(None)
            return waiter
        self._waiters.append(waiter)
        self._serve()
        return waiter

    def call_with_current(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call on the event loop with what `current` returns, then the arguments. Any thread may ask for it."""
        self._calls.append((call, arguments))
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def refresh(self) -> None:
        """Have the versions read, although no request waits for them. Any thread may ask for it."""
        self.call_with_current(_ignore)

    def _wake(self) -> None:
        self._is_woken = False  # before the calls are taken: a later call wakes the loop again
        self._serve()

    def _serve(self) -> None:
        if self._serving is None:
            self._serving = self._loop.create_task(self._serve_waiters())

    def may_be_current(self, site: str, version: SiteVersion) -> bool:
        """Return False if a later version of the site is known. True does not say that there is none."""
        return self._last.get(site, version) == version

    async def recheck(self) -> Mapping[str, SiteVersion] | None:
        """Return the same as `current`, and ask Postgres even if it was unavailable."""
        return await (self._read() if self.unavailable_reason else self.current())

    async def _serve_waiters(self) -> None:
        # A request that arrives during a query waits for the next one: this one began before it.
        while self._waiters or self._calls:
            waiters, self._waiters = self._waiters, []
            calls = [self._calls.popleft() for _ in range(len(self._calls))]
            versions = None if self.unavailable_reason else await self._read()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(versions)
            for call, arguments in calls:
                try:
                    call(versions, *arguments)
                except Exception as error:  # noqa: BLE001 - the other requests wait; the server says 500 to this one
                    log.error("a cached page was not sent", exc_info=error)
        self._serving = None

    async def _read(self) -> Mapping[str, SiteVersion] | None:
        try:
            async with asyncio.timeout(QUERY_SECONDS_MAX):
                self._last = await self._query()
        except Exception as error:  # noqa: BLE001 - requests are waiting, whatever went wrong
            if self.unavailable_reason is None:
                trace = None if isinstance(error, POSTGRES_UNAVAILABLE) else error
                log.warning("Postgres is unavailable; serving cached pages", reason=repr(error), exc_info=trace)
            self.unavailable_reason = repr(error)
            return None
        if self.unavailable_reason is not None:
            log.info("Postgres is available again")
            self.unavailable_reason = None
        return self._last


def _ignore(versions: Mapping[str, SiteVersion] | None) -> None:
    """Do nothing with what was read."""

"""How sites stand in Postgres, asked once for all requests that want to know at the moment.

A look is shared by the requests that came before it began, so that a page is never older than what was committed when
it was asked for. No message could promise that: it would reach one replica before another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from services.render.queries import GENERATIONS, PLACES
from services.render.site.page_reader import Look
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection

LOOK_SECONDS_MAX = 1.5
"""After which Postgres counts as away."""

_Waiter = asyncio.Future[Mapping[str, Look] | None]


class Lookout:
    """A connection that is kept for looks: a pool would ask twice, to look and to clean up. One look at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._statement: PreparedStatement | None = None
        self._place = PLACES[0]  # the generation that readers got last: it seldom changes, so it is asked first

    async def look(self) -> Mapping[str, Look]:
        """Return how all sites stand now.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is away.
        """
        try:
            while True:
                if self._connection is None:
                    self._connection = await self._pool.acquire()
                if self._statement is None:
                    self._statement = await self._connection.prepare(GENERATIONS[self._place]["looks"])
                rows = await self._statement.fetch()
                if not rows or rows[0]["place"] == self._place:
                    return {site: (generation, at) for _, site, generation, at in rows}
                self._place, self._statement = rows[0]["place"], None
        except BaseException:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        # Ended, not handed back as it is: the pool would wait for the answer that never came.
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()
            await self._pool.release(connection)


class Looks:
    """Shares looks among all who want one."""

    def __init__(self, ask: Callable[[], Awaitable[Mapping[str, Look]]]) -> None:
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiter] = []
        self._answering: asyncio.Task[None] | None = None
        self._last: Mapping[str, Look] = {}
        self.away: str | None = None
        """Why Postgres does not answer; None when it does."""

    def now(self) -> Awaitable[Mapping[str, Look] | None]:
        """Tell how all sites stand, by a look that begins after this call; None while Postgres is away.

        A site that never had an article is missing. No coroutine: each would cost a request as much as all else here.
        """
        waiter: _Waiter = self._loop.create_future()
        if self.away is not None:
            waiter.set_result(None)
            return waiter
        self._waiting.append(waiter)
        if self._answering is None:
            self._answering = self._loop.create_task(self._answer_all())
        return waiter

    def may_stand(self, site: str, look: Look) -> bool:
        """Tell whether a site may still stand so: no later look is known. To be sure takes a look of one's own."""
        return self._last.get(site, look) == look

    async def again(self) -> Mapping[str, Look] | None:
        """Tell the same, and find out whether Postgres is back."""
        return await (self._look() if self.away else self.now())

    async def _answer_all(self) -> None:
        # Whoever comes while a look is under way waits for the next one: this one began before they came.
        while self._waiting:
            waiters, self._waiting = self._waiting, []
            looks = None if self.away else await self._look()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(looks)
        self._answering = None

    async def _look(self) -> Mapping[str, Look] | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                self._last = await self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, they wait for an answer
            if self.away is None:
                trace = None if isinstance(error, POSTGRES_UNAVAILABLE) else error
                log.warning("Postgres does not answer: pages come from memory", reason=repr(error), exc_info=trace)
            self.away = repr(error)
            return None
        if self.away is not None:
            log.info("Postgres answers again")
            self.away = None
        return self._last

"""Answers kept for some seconds: however many ask, Postgres is asked once; while it is away, the last answer stands."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from shared.postgres import POSTGRES_UNAVAILABLE
from shared.single_flight import SingleFlight

_Answer = TypeVar("_Answer")
ANSWERS_MAX = 500
LAST_GOOD_SECONDS = 3_600
"""An older answer is no answer any more."""
AT_ONCE = 3
"""Different questions that Postgres is asked at the same time, so that counters are never short of it."""
WAIT_SECONDS = 15.0


class Fresh:
    """A small cache in one process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._reads = SingleFlight[Hashable, Any]("read statistics")
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, key: Hashable, seconds: float, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return an answer that is at most so old, or the last good one while Postgres is away.

        Args:
            key: Of the question, complete: equal keys have equal answers.
            seconds: How old the answer may be.
            ask: Asks Postgres.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is away and there is no
                answer of the last hour.
        """
        known = self._kept.get(key)
        if known is not None and time.monotonic() - known[0] < seconds:
            self._kept.move_to_end(key)
            answer: _Answer = known[1]
            return answer
        try:
            answer = await self._reads.run(key, lambda: self._ask(key, ask))
        except POSTGRES_UNAVAILABLE:
            if known is None or time.monotonic() - known[0] > LAST_GOOD_SECONDS:
                raise
            answer = known[1]
        return answer

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        async with asyncio.timeout(WAIT_SECONDS), self._turns:
            answer = await ask()
        self._kept[key] = (time.monotonic(), answer)
        self._kept.move_to_end(key)
        while len(self._kept) > ANSWERS_MAX:
            self._kept.popitem(last=False)
        return answer

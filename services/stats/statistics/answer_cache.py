"""Query results cached for some seconds: Postgres is read once for all clients; old ones cover an outage."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.http.fair_limit import FairLimit
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.single_flight import SingleFlight

_T = TypeVar("_T")
RESULTS_MAX = 500
LAST_GOOD_SECONDS = 3_600
"""Older results are not returned."""
CONCURRENT_READS = 3
"""Different queries at the same time, so that enough of Postgres is left for counters. The callers take turns."""
WAIT_SECONDS = 15.0


@dataclass(slots=True)
class _Result:
    value: Any
    begun_at: float
    """When its read was begun: a result is no younger than that."""
    fresh_until: float


class AnswerCache:
    """A small cache of query results in one process."""

    def __init__(self) -> None:
        self._results: OrderedDict[Hashable, _Result] = OrderedDict()
        self._reads = SingleFlight[Hashable, Any]("read statistics")
        self._limit = FairLimit("statistics", running_max=CONCURRENT_READS)

    async def get(self, key: Hashable, seconds: float, load: Callable[[], Awaitable[_T]]) -> _T:
        """Return a result that is at most `seconds` old, or the last good one while Postgres is unavailable.

        Args:
            key: Identifies the query and all its arguments.
            seconds: Maximum age of the result.
            load: Reads the result from Postgres.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable and there is
                no result of the last hour.
        """

        async def load_for_seconds() -> tuple[_T, float]:
            begun = time.monotonic()
            return await load(), begun + seconds

        known = self._results.get(key)
        if known is not None and time.monotonic() - known.begun_at >= seconds:
            known.fresh_until = float("-inf")
        return await self.get_valid(key, load_for_seconds)

    async def get_valid(self, key: Hashable, load: Callable[[], Awaitable[tuple[_T, float]]]) -> _T:
        """Return a result that is valid, or the last good one while Postgres is unavailable.

        Args:
            key: Identifies the query and all its arguments.
            load: Reads the result from Postgres, and says until when (time.monotonic) it is valid.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable and there is
                no result of the last hour.
        """
        known = self._results.get(key)
        if known is not None and time.monotonic() < known.fresh_until:
            self._results.move_to_end(key)
            result: _T = known.value
            return result
        try:
            result = await self._reads.run(key, lambda: self._load(key, load))
        except POSTGRES_UNAVAILABLE:
            if known is None or time.monotonic() - known.begun_at > LAST_GOOD_SECONDS:
                raise
            result = known.value
        return result

    async def _load(self, key: Hashable, load: Callable[[], Awaitable[tuple[_T, float]]]) -> _T:
        begun = time.monotonic()
        async with asyncio.timeout(WAIT_SECONDS), self._limit.admit():
            result, fresh_until = await load()
        self._results[key] = _Result(result, begun, fresh_until)
        self._results.move_to_end(key)
        while len(self._results) > RESULTS_MAX:
            self._results.popitem(last=False)
        return result

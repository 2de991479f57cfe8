"""One call for all who want the same result at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")


class SingleFlight(Generic[_Key, _Result]):
    """Shares a running call among its callers. It remembers no results: that is a cache's work.

    The call runs in a task of its own, so that a cancelled caller stops neither the call nor the other callers.

    Args:
        name: Of the tasks.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: dict[_Key, asyncio.Task[_Result]] = {}

    def __len__(self) -> int:
        """Return the number of running calls."""
        return len(self._running)

    async def run(self, key: _Key, call: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Return the result of the running call of this key, or of a new one.

        Args:
            key: Complete: calls of equal keys have equal results.
            call: Called if no call of this key is running. What it raises is raised to all its callers.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(call(), name=self._name)
            task.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(task)

    def _forget(self, key: _Key, task: asyncio.Task[_Result]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # retrieved, in case all callers were cancelled

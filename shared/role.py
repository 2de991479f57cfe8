"""A role: what it offers to its process, and the process that it runs in."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from granian._granian import RSGIHTTPProtocol as HTTPProtocol
from granian.rsgi import Scope as RsgiRequest
from prometheus_client import Counter
from starlette.routing import BaseRoute

from shared.logs import log
from shared.metrics import TASK_FAILURES


def _no_problems() -> list[str]:
    return []


def _not_stuck() -> str | None:
    return None


HotHandler = Callable[[RsgiRequest, HTTPProtocol], Awaitable[int]]
"""Answers an RSGI request of any method, and returns the status. It must not raise."""


class Answer(NamedTuple):
    """A whole answer that is at hand."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    served: Counter
    """HTTP_AT_HAND with its labels: noting a time of microseconds would cost more than the answer."""


async def _nothing_at_hand(request: RsgiRequest) -> Answer | None:
    return None


@dataclass
class Role:
    """What a running role offers to its process."""

    name: str
    routes: Sequence[BaseRoute] = ()
    hot: Mapping[str, HotHandler] = field(default_factory=dict)
    """By path: what is asked for so often that it is answered without a framework."""
    at_hand: Callable[[RsgiRequest], Awaitable[Answer | None]] = field(default=_nothing_at_hand)
    """Finds an answer that is ready in memory, before any routing; it may wait to know that the answer is right. None
    leaves the request to the routes. It must not raise."""
    problems: Callable[[], list[str]] = field(default=_no_problems)
    """Why it cannot do its work now, in words; empty means ready."""
    concerns: Callable[[], list[str]] = field(default=_no_problems)
    """What an operator should know though the work goes on, such as a dependency that is done without for now."""
    stuck: Callable[[], str | None] = field(default=_not_stuck)
    """Why only a restart would help; None while it makes progress. Never a dependency that is away."""


class Process:
    """The process that a role runs in: it starts tasks, and is told of what must not be survived."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.failure: str | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a background task. If it fails, the process stops."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def fail(self, reason: str) -> None:
        """Stop the process loudly: it cannot go on rightly."""
        self.failure = self.failure or reason
        log.critical("Stopping: this cannot go on", reason=reason)
        self.stop.set()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        TASK_FAILURES.labels(task.get_name()).inc()
        log.error("A background task failed", task=task.get_name(), exc_info=task.exception())
        self.fail(f"{task.get_name()}: {task.exception()!r}")


RoleStarter = Callable[[Any, Process], AbstractAsyncContextManager[Role]]

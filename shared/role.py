"""A role: its interface to its process, and the process that it runs in."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from prometheus_client import Counter
from starlette.routing import BaseRoute

from shared.http.direct import DirectHandler
from shared.http.rsgi import RsgiProtocol, RsgiRequest
from shared.logs import log
from shared.metrics import TASK_FAILURES
from shared.settings import Settings
from shared.sites import Sites
from shared.sites_reload import SitesReload, no_check


class OperatorDecision(str):
    """A reason not to be ready that lasts until an operator decides; it names the command to run."""

    __slots__ = ()


def _no_reasons() -> list[str]:
    return []


def _is_alive() -> str | None:
    return None


RawHandler = Callable[[RsgiRequest, RsgiProtocol], Awaitable[int]]
"""Serves an RSGI request of any method, and returns the status. It must not raise."""


class CachedResponse(NamedTuple):
    """A complete response from memory."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    served: Counter
    """HTTP_CACHED_RESPONSES with its labels: observing a duration of microseconds would cost more than the response."""

    def send(self, protocol: RsgiProtocol) -> None:
        """Send it as the response to a request."""
        protocol.response_bytes(self.status, self.headers, self.body)
        self.served.inc()


@dataclass
class Role:
    """The interface of a running role to its process."""

    name: str
    routes: Sequence[BaseRoute] = ()
    raw_routes: Mapping[str, RawHandler] = field(default_factory=dict)
    """By path: handlers that speak RSGI without a framework, for the busiest paths."""
    direct: DirectHandler | None = None
    """Serves everyday requests before any routing, without a task on the event loop."""
    not_ready: Callable[[], list[str]] = field(default=_no_reasons)
    """Why it cannot do its work now, as messages; empty means ready. An `OperatorDecision` does not pass by itself."""
    degraded: Callable[[], list[str]] = field(default=_no_reasons)
    """Warnings for an operator while the work goes on, such as a dependency that is unavailable but not needed yet."""
    liveness_failure: Callable[[], str | None] = field(default=_is_alive)
    """Why only a restart would help; None while it makes progress. Never an unavailable dependency."""


class Process:
    """The process that a role runs in: it starts background tasks, and stops when one fails.

    Args:
        check_sites: See `SitesReload`.
    """

    def __init__(self, check_sites: Callable[[Sites], None] = no_check) -> None:
        self._check_sites = check_sites
        self.sites_reload: SitesReload | None = None
        """The sites, once a role has asked for them."""
        self.stop = asyncio.Event()
        self.failure: str | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a background task. If it fails, or ends by a cancellation that nobody asked for, the process stops."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def follow_sites(self, settings: Settings) -> Sites:
        """Return the sites of this process, the same for all its roles. They follow their configuration from now on.

        Raises:
            SitesError: the configuration is invalid.
        """
        if self.sites_reload is None:
            self.sites_reload = SitesReload(settings.sites, settings.public_url, self._check_sites)
            self.spawn(self.sites_reload.run(), "follow the sites' configuration")
        return self.sites_reload.sites

    def fail(self, reason: str) -> None:
        """Stop the process with exit code 1: its state can no longer be trusted."""
        self.failure = self.failure or reason
        log.critical("stopping after a fatal error", reason=reason)
        self.stop.set()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = _failure(task)
        if error is None:
            return
        if task.cancelled() and self.stop.is_set():  # what it awaited was stopped before it
            log.warning("background task was cancelled from within", task=task.get_name())
            return
        TASK_FAILURES.labels(task.get_name()).inc()
        log.error("background task failed", task=task.get_name(), exc_info=error)
        self.fail(f"{task.get_name()}: {error!r}")


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Return why a task has ended, unless it returned or was asked to stop."""
    if not task.cancelled():
        return task.exception()
    if task.cancelling():
        return None
    return RuntimeError("it was cancelled from within: what it awaited was cancelled, and nobody asked it to stop")


RoleFactory = Callable[[Any, Process], AbstractAsyncContextManager[Role]]


class LazyRole:
    """A role factory whose module is imported when the role runs, so that other roles need not pay for it.

    Args:
        module: Name of the module.
        function: Name of the factory in it.
        help_text: What the role does, in one line.
    """

    def __init__(self, module: str, function: str, help_text: str) -> None:
        self._module = module
        self._function = function
        self.__doc__ = help_text

    def load(self) -> RoleFactory:
        """Import the module and return the factory."""
        factory: RoleFactory = getattr(importlib.import_module(self._module), self._function)
        return factory

    def __call__(self, settings: Any, process: Process) -> AbstractAsyncContextManager[Role]:
        """Return the role's context manager."""
        return self.load()(settings, process)

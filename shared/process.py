"""Run a service: its roles, one HTTP port, and a graceful stop.

A role is an async context manager that yields a `Role`. What stands before its `yield` is its start, what
stands after is its stop. The HTTP port opens first, so that `/livez` answers while a role still waits for
Postgres or Kafka. Roles start side by side and serve as soon as they are up, so that none waits for another.

SIGTERM or SIGINT: readiness goes off, requests under way are answered, the roles commit and leave, all
within STOP_SECONDS. A background task that fails, or an impossible state, stops the process with exit
code 1: the supervisor starts it again from what was committed.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import uvloop
from granian._granian import RSGIHTTPProtocol as HTTPProtocol
from granian.constants import Interfaces
from granian.rsgi import Scope as RsgiRequest
from granian.server.embed import Server
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import __version__
from shared.asgi import serve_asgi
from shared.logs import configure_logs, log
from shared.metrics import BUILD_INFO, HTTP_SECONDS, TASK_FAILURES
from shared.problems import EXCEPTION_HANDLERS, Problem
from shared.settings import Settings
from shared.watching import watch_process

STOP_SECONDS = 9.0
"""Bound on a graceful stop; supervisors wait 10 seconds or more before they kill."""
HOLD_SECONDS = 1.5
"""How long a request waits for a role that is starting. A gateway sends requests as soon as the port is open: an answer
"starting" would be a fault to a reader, though others serve."""
LEFTOVER_SECONDS = 1.0
"""For tasks of libraries that are still there when all roles have stopped."""

CONNECTIONS_MAX = 20_000
"""Requests that are served at once. Granian's own bound is its backlog, which a few hundred open streams fill."""
BACKLOG = 4_096
GC_THRESHOLD = 50_000
"""Requests and batches make many objects that die together and are in no cycle: looking for cycles after every 700
takes a tenth of the time."""

HEALTH = ("/livez", "/readyz", "/metrics")
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


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


def _nothing_at_hand(request: RsgiRequest) -> Answer | None:
    return None


@dataclass
class Role:
    """What a running role offers to its process."""

    name: str
    routes: Sequence[BaseRoute] = ()
    hot: Mapping[str, HotHandler] = field(default_factory=dict)
    """By path: what is asked for so often that it is answered without a framework."""
    at_hand: Callable[[RsgiRequest], Answer | None] = field(default=_nothing_at_hand)
    """Finds an answer that is ready in memory, before any routing; None leaves the request to the routes."""
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


class Front:
    """The process's one HTTP port: health and metrics always, the roles' routes once they run."""

    def __init__(self) -> None:
        self.roles: list[Role] = []
        self.starting: list[str] = []
        self.draining = False
        self._opened = asyncio.Event()
        self._hot: dict[str, HotHandler] = {}
        self._at_hand: list[Callable[[RsgiRequest], Answer | None]] = []
        self._inside: ASGIApp = Starlette(routes=[Route("/{path:path}", _starting, methods=ALL_METHODS)])
        self._health = Starlette(
            routes=[
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
                Route("/metrics", _metrics),
            ]
        )

    def open(self, role: Role) -> None:
        """Route requests to a role that has started; what only a starting one could answer is 503."""
        self.roles.append(role)
        self.starting.remove(role.name)
        self._hot |= {path: _timed_hot(path, handler) for path, handler in role.hot.items()}
        if role.at_hand is not _nothing_at_hand:
            self._at_hand.append(role.at_hand)
        routes = [route for one in self.roles for route in one.routes]
        if self.starting:
            routes.append(Route("/{path:path}", _starting, methods=ALL_METHODS))
        self._inside = _timed(Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS))
        self._opened.set()
        self._opened = asyncio.Event()

    async def __rsgi__(self, request: RsgiRequest, protocol: HTTPProtocol) -> None:
        """Serve one request."""
        if self.starting and request.path not in HEALTH:
            await self._hold(request)
        hot = self._hot.get(request.path)
        if hot is not None:
            await hot(request, protocol)
            return
        for look in self._at_hand:
            answer = look(request)
            if answer is not None:
                protocol.response_bytes(answer.status, answer.headers, answer.body)
                answer.served.inc()
                return
        if request.path in HEALTH:
            await serve_asgi(self._health, request, protocol)
        else:
            await serve_asgi(self._inside, request, protocol)

    async def _hold(self, request: RsgiRequest) -> None:
        """Wait until a role that serves this has started, for HOLD_SECONDS at most."""
        scope = {"type": "http", "path": request.path, "method": request.method, "headers": []}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_SECONDS):
                while self.starting and not self._is_served(request.path, scope):
                    await self._opened.wait()

    def _is_served(self, path: str, scope: Scope) -> bool:
        routes = (route for role in self.roles for route in role.routes)
        return path in self._hot or any(route.matches(scope)[0] is not Match.NONE for route in routes)

    async def _livez(self, request: Request) -> Response:
        stuck = [f"{role.name}: {reason}" for role in self.roles if (reason := role.stuck())]
        return JSONResponse({"alive": not stuck, "stuck": stuck}, 503 if stuck else 200)

    async def _readyz(self, request: Request) -> Response:
        problems = [f"{name}: starting" for name in self.starting]
        problems += [f"{role.name}: {problem}" for role in self.roles for problem in role.problems()]
        if self.draining:
            problems.append("stopping")
        concerns = [f"{role.name}: {concern}" for role in self.roles for concern in role.concerns()]
        answer = {"ready": not problems, "problems": problems, "concerns": concerns}
        return JSONResponse(answer, 503 if problems else 200)


async def _starting(request: Request) -> Response:
    return Problem(503, "The service is starting.", headers={"retry-after": "1"}).response()


async def _metrics(request: Request) -> Response:
    return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _timed_hot(path: str, handler: HotHandler) -> HotHandler:
    observers: dict[tuple[str, int], Callable[[float], None]] = {}

    async def timed(request: RsgiRequest, protocol: HTTPProtocol) -> int:
        begun = time.perf_counter()
        code = await handler(request, protocol)
        method = request.method if request.method in ALL_METHODS else "other"
        observe = observers.get((method, code))
        if observe is None:
            observe = observers[method, code] = HTTP_SECONDS.labels(method, path, code).observe
        observe(time.perf_counter() - begun)
        return code

    return timed


def _timed(app: ASGIApp) -> ASGIApp:
    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        code = 500

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            if not scope.get("presstally.stream"):
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in ALL_METHODS else "other"
                HTTP_SECONDS.labels(method, route, code).observe(time.perf_counter() - begun)

    return timed


def run_service(service: str, roles: Mapping[str, RoleStarter], settings: Settings, wanted: Sequence[str] = ()) -> int:
    """Run a service until it is told to stop, and return the process's exit code.

    Args:
        service: The service's name, for logs and metrics.
        roles: All its roles by name.
        settings: Handed to each role.
        wanted: The roles to run; none named means all.
    """
    configure_logs(service, settings.log_level)
    raise_open_files_limit()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    BUILD_INFO.labels(__version__, service).set(1)
    return uvloop.run(_run({name: roles[name] for name in wanted or roles}, settings))


def raise_open_files_limit() -> int:
    """Let this process open as many files (and connections) as the system lets it, and return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def http_server(app: Any, host: str, port: int, interface: Interfaces = Interfaces.RSGI) -> Server:
    """Return the HTTP server of a process; it serves on the loop that runs its `serve()`."""
    return Server(
        app,
        host,
        port,
        interface=interface,
        websockets=False,
        log_enabled=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
    )


async def _run(roles: Mapping[str, RoleStarter], settings: Settings) -> int:
    process = Process()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop.set)
    front = Front()
    front.starting = list(roles)
    server = http_server(front, settings.http_host, settings.http_port)
    serving = process.spawn(server.serve(), "http")
    stack = AsyncExitStack()
    watching = process.spawn(watch_process(), "watch the process")
    starting = process.spawn(_start_roles(stack, front, roles, settings, process), "start")

    await process.stop.wait()
    front.draining = True
    watching.cancel()
    log.info("Stopping")
    try:
        async with asyncio.timeout(STOP_SECONDS):
            starting.cancel()
            await asyncio.wait([starting])
            server.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait([serving])
            await stack.aclose()
    except TimeoutError:
        log.error("The stop took too long; leaving now. What was committed is safe", bound_seconds=STOP_SECONDS)
        sys.stderr.flush()
        os._exit(1)
    log.info("Stopped")
    code = 1 if process.failure else 0
    loop.call_later(LEFTOVER_SECONDS, _leave_all_the_same, code)
    return code


def _leave_all_the_same(code: int) -> None:
    """End the process though a task of a library does not hear that it is cancelled: all of ours is done."""
    left = sorted(repr(task.get_coro()) for task in asyncio.all_tasks())
    log.warning("Leaving; some tasks did not end", tasks=left)
    sys.stderr.flush()
    os._exit(code)


async def _start_roles(
    stack: AsyncExitStack,
    front: Front,
    roles: Mapping[str, RoleStarter],
    settings: Settings,
    process: Process,
) -> None:
    async def start_role(start: RoleStarter) -> None:
        role = await stack.enter_async_context(start(settings, process))
        front.open(role)
        log.info("Started", role=role.name, port=settings.http_port)

    await asyncio.gather(*(start_role(start) for start in roles.values()))

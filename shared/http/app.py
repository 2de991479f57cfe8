"""The one HTTP port of a process: health, metrics, and the routes of its roles."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.asgi_bridge import serve_asgi
from shared.http.client_address import Network, address_prefix, client_address
from shared.http.direct import DirectHandler, DirectRequest, DirectServer
from shared.http.draining import ClosingProtocol
from shared.http.fair_limit import CALLER
from shared.http.problems import EXCEPTION_HANDLERS, Problem
from shared.http.rsgi import RsgiProtocol, RsgiRequest
from shared.http.security_headers import secure_headers
from shared.metrics import HTTP_SECONDS
from shared.role import OperatorDecision, Process, RawHandler, Role
from shared.tracing import trace_exemplar

STARTUP_WAIT_SECONDS = 1.5
"""How long a request waits for a role that is starting. A gateway sends requests as soon as the port is open, and a 503
would be an error to a visitor, though other replicas serve."""
CONNECTIONS_MAX = 20_000
"""Concurrent requests. Granian's own limit is its backlog, which a few hundred open streams exhaust."""
BACKLOG = 4_096
HEALTH = ("/livez", "/readyz", "/metrics", "/configz")
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class HttpApp:
    """The process's one HTTP port: health and metrics always, the roles' routes once they run.

    Args:
        trusted_proxies: Networks whose X-Forwarded-For names the caller of a request.
        process: Whose sites `/readyz` and `/configz` describe.
    """

    def __init__(self, trusted_proxies: tuple[Network, ...] = (), process: Process | None = None) -> None:
        self._trusted_proxies = trusted_proxies
        self._process = process
        self.roles: list[Role] = []
        self.starting: list[str] = []
        self.draining = False
        self._opened = asyncio.Event()
        self._raw: dict[str, RawHandler] = {}
        self._direct: tuple[DirectHandler, ...] = ()
        starting = Starlette(routes=[Route("/{path:path}", _starting_response, methods=ALL_METHODS)])
        self._inside: ASGIApp = _timed(starting, trusted_proxies)
        self._health = Starlette(
            routes=[
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
                Route("/metrics", _metrics),
                Route("/configz", self._configz),
            ]
        )

    def open(self, role: Role) -> None:
        """Route requests to a role that has started; paths that only a starting one could serve get 503."""
        self.roles.append(role)
        self.starting.remove(role.name)
        self._raw |= {path: _timed_raw(path, handler) for path, handler in role.raw_routes.items()}
        if role.direct is not None:
            self._direct = (*self._direct, role.direct)
        routes = [route for one in self.roles for route in one.routes]
        if self.starting:
            routes.append(Route("/{path:path}", _starting_response, methods=ALL_METHODS))
        self._inside = _timed(Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS), self._trusted_proxies)
        self._opened.set()
        self._opened = asyncio.Event()

    def serve_direct(self, direct: DirectRequest) -> bool:
        """Let a role take over a request that needs no task. Called in the server's thread, not on the event loop."""
        if self.draining:
            direct.protocol = ClosingProtocol(direct.protocol)  # type: ignore[assignment]
        for handler in self._direct:  # noqa: SIM110 - a generator takes longer, for each request
            if handler(direct):
                return True
        return False

    async def __rsgi__(self, request: RsgiRequest, protocol: RsgiProtocol) -> None:
        """Serve one request."""
        path = request.path
        if self.draining:
            protocol = ClosingProtocol(protocol)  # type: ignore[assignment]
        if self.starting and path not in HEALTH:
            await self._wait_for_role(request)
        raw = self._raw.get(path)
        if raw is not None:
            await raw(request, protocol)
            return
        if path in HEALTH:
            await serve_asgi(self._health, request, protocol)
        else:
            await serve_asgi(self._inside, request, protocol)

    async def _wait_for_role(self, request: RsgiRequest) -> None:
        """Wait until a role that serves this has started, for STARTUP_WAIT_SECONDS at most."""
        scope = {"type": "http", "path": request.path, "method": request.method, "headers": []}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STARTUP_WAIT_SECONDS):
                while self.starting and not self._has_route(request.path, scope):
                    await self._opened.wait()

    def _has_route(self, path: str, scope: Scope) -> bool:
        routes = (route for role in self.roles for route in role.routes)
        return path in self._raw or any(route.matches(scope)[0] is not Match.NONE for route in routes)

    async def _livez(self, request: Request) -> Response:
        failures = [f"{role.name}: {reason}" for role in self.roles if (reason := role.liveness_failure())]
        return JSONResponse({"alive": not failures, "failures": failures}, 503 if failures else 200)

    def _selected(self, wanted: str | None) -> tuple[list[Role], list[str]]:
        """Return the wanted role, and its name if it is starting; all, if this process does not run it."""
        if wanted not in {*self.starting, *(role.name for role in self.roles)}:
            return self.roles, self.starting
        return [role for role in self.roles if role.name == wanted], [name for name in self.starting if name == wanted]

    async def _readyz(self, request: Request) -> Response:
        roles, starting = self._selected(request.query_params.get("role"))
        reasons = [(role.name, reason) for role in roles for reason in role.not_ready()]
        problems = [f"{name}: starting" for name in starting]
        problems += [f"{name}: {reason}" for name, reason in reasons]
        if self.draining:
            problems.append("stopping")
        decisions = [f"{name}: {reason}" for name, reason in reasons if isinstance(reason, OperatorDecision)]
        reload = self._process.sites_reload if self._process else None
        warnings = reload.warnings() if reload else []
        warnings += [f"{role.name}: {warning}" for role in roles for warning in role.degraded()]
        response = {"ready": not problems, "problems": problems, "decisions": decisions, "warnings": warnings}
        return JSONResponse(response, 503 if problems else 200)

    async def _configz(self, request: Request) -> Response:
        """The sites in use."""
        reload = self._process.sites_reload if self._process else None
        return JSONResponse(reload.configuration() if reload else {"sites": [], "problem": None})


async def _starting_response(request: Request) -> Response:
    return Problem(503, "The service is starting.", headers={"retry-after": "1"}).response()


async def _metrics(request: Request) -> Response:
    """Return all metrics as Prometheus' text, or as OpenMetrics (which has exemplars) if that is accepted."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(REGISTRY), headers={"content-type": content_type})


def _timed_raw(path: str, handler: RawHandler) -> RawHandler:
    observers: dict[tuple[str, int], Callable[[float], None]] = {}

    async def timed(request: RsgiRequest, protocol: RsgiProtocol) -> int:
        received = getattr(protocol, "received", None)  # by a direct handler
        begun = received.begun_at if received is not None and received.begun_at else time.monotonic()
        code = await handler(request, protocol)
        method = request.method if request.method in ALL_METHODS else "other"
        observe = observers.get((method, code))
        if observe is None:
            observe = observers[method, code] = HTTP_SECONDS.labels(method, path, code).observe
        observe(time.monotonic() - begun)
        return code

    return timed


def _timed(app: ASGIApp, trusted_proxies: tuple[Network, ...]) -> ASGIApp:
    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        code, exemplar = 500, None
        CALLER.set(_address(scope, trusted_proxies))  # of this request only: each has a task of its own

        async def watched(message: Message) -> None:
            nonlocal code, exemplar
            if message["type"] == "http.response.start":
                code, exemplar = message["status"], trace_exemplar()  # the span ends before the request does
                secure_headers(scope, message)
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            if not scope.get("presstally.stream"):
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in ALL_METHODS else "other"
                HTTP_SECONDS.labels(method, route, code).observe(time.perf_counter() - begun, exemplar)

    return timed


def _address(scope: Scope, trusted_proxies: tuple[Network, ...]) -> str:
    """Return the address prefix of a request's client."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return address_prefix(client_address(scope["client"][0], forwarded, trusted_proxies).address)


def http_server(app: Any, host: str, port: int, interface: Interfaces = Interfaces.RSGI) -> Server:
    """Return the HTTP server of a process; it serves on the loop that runs its `serve()`."""
    kind = DirectServer if interface is Interfaces.RSGI else Server
    return kind(
        app,
        host,
        port,
        interface=interface,
        websockets=False,
        log_enabled=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
    )

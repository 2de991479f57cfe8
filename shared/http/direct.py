"""Requests that are served where granian hands them over, in its own thread, without a task on the event loop.

Granian gives each request to Python in a thread of its own. From there a request travels to the event loop and becomes
a task; a body travels once more. Each of these journeys wakes a thread and takes the interpreter's lock from the other:
for a response from memory that is more than all the rest. A direct handler responds in granian's thread, or begins
there and completes many responses together on the event loop.

Direct handlers share their state with the event loop: what they change needs a lock, or single steps that the
interpreter does not divide. They never wait and never raise. What is not an everyday request they leave to the loop.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, Self, cast

import uvloop
from granian._granian import CallbackScheduler, RSGIWorker
from granian.server.embed import AsyncWorker, Server

from shared.http.rsgi import RsgiProtocol, RsgiRequest


class DirectRequest:
    """A request, and how to respond to it.

    Args:
        path: Of its URL.
        request: Reading an attribute of it makes a copy, of all headers too.
        protocol: Takes the response.
        leave: See there.
    """

    __slots__ = ("leave", "path", "protocol", "request")

    def __init__(
        self,
        path: str,
        request: RsgiRequest,
        protocol: RsgiProtocol,
        leave: Callable[["ReceivedBody | None"], None],
    ) -> None:
        self.path = path
        self.request = request
        self.protocol = protocol
        self.leave = leave
        """Has the request served on the event loop after all, from any thread; with its body, if that was received."""


DirectHandler = Callable[[DirectRequest], bool]
"""Takes a request over, or returns False to leave it to the event loop."""


class ReceivedBody:
    """A body that a direct handler has received, or why it has not.

    Args:
        body: Its bytes.
        error: Raised to who reads it.
        begun_at: When the request was taken over, as `time.monotonic` says.
        on_read: Called when somebody reads it: until then it takes memory.
    """

    __slots__ = ("_body", "_error", "_on_read", "begun_at")

    def __init__(
        self,
        body: bytes,
        error: Exception | None = None,
        begun_at: float | None = None,
        on_read: Callable[[], None] | None = None,
    ) -> None:
        self._body = body
        self._error = error
        self._on_read = on_read
        self.begun_at = begun_at

    def get(self) -> bytes:
        """Return the body, or raise the error."""
        if self._on_read is not None:
            self._on_read()
        if self._error is not None:
            raise self._error
        return self._body


class ReceivedProtocol:
    """The protocol of a request whose body was received already."""

    def __init__(self, protocol: RsgiProtocol, received: ReceivedBody) -> None:
        self.received = received
        self.client_disconnect = protocol.client_disconnect
        self.response_bytes = protocol.response_bytes
        self.response_stream = protocol.response_stream

    async def __call__(self) -> bytes:
        """Return the request's whole body."""
        return self.received.get()

    async def __aiter__(self) -> Any:
        yield self.received.get()


class DirectCallback:
    """Called with a future of granian when it is done: in granian's thread, if the loop is a `ServerLoop`.

    On another loop, and when the future was cancelled, it is called on the event loop.
    """

    __slots__ = ()

    def __call__(self, future: Any) -> None:
        """Continue a request."""
        raise NotImplementedError


class ServerLoop(uvloop.Loop):
    """An event loop that runs direct callbacks in the thread that completes their futures."""

    def call_soon_threadsafe(  # type: ignore[override] # granian needs no handle
        self, callback: Any, *arguments: Any, context: Any = None
    ) -> Any:
        """Call on the loop, or at once if it is a direct callback."""
        if isinstance(callback, DirectCallback):
            return callback(*arguments)
        return super().call_soon_threadsafe(callback, *arguments, context=context)


class DirectApp(Protocol):
    """An RSGI application with direct handlers."""

    def serve_direct(self, direct: DirectRequest) -> bool:
        """Take a request over, or return False to have it served on the event loop."""
        ...

    async def __rsgi__(self, request: RsgiRequest, protocol: RsgiProtocol) -> None:
        """Serve a request on the event loop."""
        ...


class _DirectScheduler(CallbackScheduler):
    """Offers each request to the application's direct handlers, and makes a task of what they leave."""

    def __new__(cls, loop: asyncio.AbstractEventLoop, *_: object) -> Self:
        return super().__new__(cls, loop, None, None, None, None)  # type: ignore[call-arg] # not in granian's stub

    def __init__(self, loop: asyncio.AbstractEventLoop, app: DirectApp) -> None:
        super().__init__()

        async def serve(watcher: Any, received: ReceivedBody | None) -> None:
            protocol = watcher.proto
            if received is not None:
                protocol = cast("RsgiProtocol", ReceivedProtocol(protocol, received))
            try:
                await app.__rsgi__(watcher.scope, protocol)
            except BaseException as error:  # noqa: BLE001 - granian logs it, and responds if nothing was sent
                watcher.err(error)
                return
            watcher.done()

        def start(watcher: Any, received: ReceivedBody | None) -> None:
            watcher.taskref(loop.create_task(serve(watcher, received)))

        call_soon: Any = loop.call_soon_threadsafe

        def schedule(watcher: Any) -> None:
            try:
                request = watcher.scope
                leave = partial(call_soon, start, watcher)
                if not app.serve_direct(DirectRequest(request.path, request, watcher.proto, leave)):
                    leave(None)
            except BaseException as error:  # noqa: BLE001 - granian ignores errors, and the client would wait until it gives up
                watcher.err(error)

        self._schedule_fn = schedule


class DirectServer(Server):
    """Granian embedded in the process, for an application with direct handlers."""

    @staticmethod
    @AsyncWorker.wrap_target  # type: ignore[untyped-decorator]
    async def _spawn_rsgi_worker(
        worker_id: int, shutdown: Any, app: DirectApp, socket: Any, loop: asyncio.AbstractEventLoop, *options: Any
    ) -> None:
        """Serve until the shutdown, as granian's own function of this name does with another scheduler."""
        *limits, _tasks, http, http1, http2, websockets, static, _access_log, tls, _scope = options
        protocols = (http, http1, http2, websockets, static)
        stopped = loop.create_future()
        shutdown.add_cb(lambda: loop.call_soon_threadsafe(stopped.set_result, None))
        make_worker: Any = RSGIWorker  # its stub has other parameters
        worker = make_worker(worker_id, socket, None, *limits, *protocols, *tls, (None, None))
        worker.serve_async(_DirectScheduler(loop, app), loop, shutdown)
        await stopped

"""Requests that are served in granian's own thread, on a real socket."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from shared.http.app import HttpApp, http_server
from shared.http.direct import DirectCallback, DirectHandler, DirectRequest, ReceivedBody, ServerLoop
from shared.http.problems import Problem
from shared.metrics import HTTP_SECONDS
from shared.role import Role

LEFT_SECONDS = 30.0
"""How long a request waited for its body."""

Get = Callable[..., Awaitable[tuple[int, str]]]


def serve(port: int, role: Role, scenario: Callable[[Get, HttpApp], Awaitable[None]]) -> None:
    """Run a scenario against a server of one role, on the loop of the services."""

    async def run() -> None:
        app = HttpApp()
        app.starting = [role.name]
        app.open(role)
        server = http_server(app, "127.0.0.1", port)
        serving = asyncio.create_task(server.serve())

        async def request(path: str, body: bytes = b"") -> tuple[int, str]:
            reader, writer = await connect(port)
            method = "POST" if body else "GET"
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = (await asyncio.wait_for(reader.read(), 60)).decode()
            writer.close()
            return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]

        await scenario(request, app)
        server.stop()
        await serving

    uvloop.run(run(), loop_factory=ServerLoop)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as the server listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)


async def on_loop(request: Any, protocol: Any) -> int:
    """Say that a request was served on the loop, with its body."""
    try:
        body = await protocol()
    except Problem as problem:
        body = str(problem.status).encode()
    here = "loop" if threading.current_thread() is threading.main_thread() else "elsewhere"
    protocol.response_bytes(200, [], b"%s %s" % (here.encode(), body))
    return 200


def role(direct: DirectHandler) -> Role:
    return Role("a", raw_routes={"/e": on_loop}, direct=direct)


def test_direct_handler_responds_in_the_servers_thread_or_leaves_the_request_to_the_loop(
    free_ports: Callable[[int], int],
) -> None:
    """What a handler takes over is served without the loop; everything else is served as if there were none."""

    def direct(request: DirectRequest) -> bool:
        if request.path != "/direct":
            return False
        here = "loop" if threading.current_thread() is threading.main_thread() else "thread"
        request.protocol.response_bytes(200, [], here.encode())
        return True

    async def scenario(get: Get, app: HttpApp) -> None:
        assert await get("/direct") == (200, "thread")
        assert await get("/e", b"abc") == (200, "loop abc")
        assert (await get("/none"))[0] == 404

    serve(free_ports(1), role(direct), scenario)


class Received(DirectCallback):
    """Leaves a request with its body, or with an error in place of it."""

    def __init__(self, request: DirectRequest, threads: list[threading.Thread]) -> None:
        self._request = request
        self._threads = threads

    def __call__(self, future: Any) -> None:
        """Leave the request to the loop."""
        self._threads.append(threading.current_thread())
        body = future.result()
        begun_at = time.monotonic() - LEFT_SECONDS
        self._request.leave(ReceivedBody(body, Problem(408, "slow") if body == b"slow" else None, begun_at))


def test_request_that_is_left_after_its_body_was_received_keeps_it(free_ports: Callable[[int], int]) -> None:
    """The body is received in the server's thread, and the handler on the loop still reads it."""
    threads: list[threading.Thread] = []

    def direct(request: DirectRequest) -> bool:
        body: Any = request.protocol()
        body.add_done_callback(Received(request, threads))
        return True

    async def scenario(get: Get, app: HttpApp) -> None:
        assert await get("/e", b"x" * 40_000) == (200, "loop " + "x" * 40_000)
        assert await get("/e", b"slow") == (200, "loop 408")

    seconds = HTTP_SECONDS.labels("POST", "/e", 200)._sum
    before = seconds.get()
    serve(free_ports(1), role(direct), scenario)
    assert seconds.get() - before >= 2 * LEFT_SECONDS, "the duration begins before the body was received"
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_direct_handler_that_fails_gets_a_500_and_the_next_request_is_served(free_ports: Callable[[int], int]) -> None:
    """Granian ignores errors of its caller: the client would wait until it gives up."""

    def direct(request: DirectRequest) -> bool:
        if request.path == "/broken":
            raise RuntimeError
        return False

    async def scenario(get: Get, app: HttpApp) -> None:
        assert (await get("/broken"))[0] == 500
        assert await get("/e", b"abc") == (200, "loop abc")

    serve(free_ports(1), role(direct), scenario)


@pytest.mark.parametrize("is_draining", [False, True])
def test_direct_response_of_a_draining_server_announces_the_end(
    free_ports: Callable[[int], int], is_draining: bool
) -> None:
    """A gateway's connection ends with the response that says so, as for other requests."""
    port = free_ports(1)

    def direct(request: DirectRequest) -> bool:
        request.protocol.response_bytes(200, [], b"ok")
        return True

    async def scenario(get: Get, app: HttpApp) -> None:
        app.draining = is_draining
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert (b"connection: close" in head.lower()) is is_draining
        writer.close()

    serve(port, role(direct), scenario)

"""An ASGI application served over RSGI."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from shared.http.asgi_bridge import asgi_scope, serve_asgi
from shared.http.rsgi import RsgiClosed
from tests.shared.http.fakes import FakeProtocol, FakeRequest


async def serve(app: Any, protocol: FakeProtocol, **request: Any) -> None:
    await serve_asgi(app, FakeRequest(**request), protocol)  # type: ignore[arg-type]


def test_asgi_scope_has_the_parts_of_the_request() -> None:
    """Path, query, headers and both ends of the connection are where ASGI has them."""
    request = FakeRequest("/tin-tức", "POST", "q=a%20b", {"host": "a.example"}, client="[::1]:1", server="10.0.0.1:80")
    scope = asgi_scope(request)  # type: ignore[arg-type]
    assert (scope["type"], scope["method"], scope["path"]) == ("http", "POST", "/tin-tức")
    assert (scope["raw_path"], scope["query_string"]) == (b"/tin-t%E1%BB%A9c", b"q=a%20b")
    assert (scope["client"], scope["server"]) == (("::1", 1), ("10.0.0.1", 80))
    assert scope["headers"] == [(b"host", b"a.example")]


async def test_simple_response_is_sent_at_once() -> None:
    """Status, headers and body of a response that is complete are one call."""
    protocol = FakeProtocol()
    await serve(PlainTextResponse("hello", 201, {"x-a": "b"}), protocol)
    assert (protocol.status, protocol.body, protocol.is_stream) == (201, b"hello", False)
    assert ("x-a", "b") in protocol.headers


async def test_request_body_comes_in_chunks() -> None:
    """The application reads all chunks of a body, and an empty one after the last."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body = await Request(scope, receive).body()
        await Response(body[::-1])(scope, receive, send)

    protocol = FakeProtocol((b"abc", b"def"))
    await serve(echo, protocol, method="POST")
    assert protocol.body == b"fedcba"


async def test_streamed_response_keeps_the_order_of_its_parts() -> None:
    """A response in several parts is a stream; empty parts are not sent."""

    async def parts() -> Any:
        for part in (b"a", b"", b"b"):
            yield part

    protocol = FakeProtocol((b"",))
    await serve(StreamingResponse(parts()), protocol)
    assert (protocol.status, protocol.body, protocol.is_stream) == (200, b"ab", True)


async def test_client_that_left_is_no_error() -> None:
    """A response to a client that has closed its connection is dropped."""
    await serve(PlainTextResponse("hello"), FakeProtocol(closed=RsgiClosed))


async def test_receive_after_the_body_waits_for_the_disconnect() -> None:
    """An application that reads on after the body gets the client's disconnect."""
    messages = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages.extend([await receive(), await receive()])

    protocol = FakeProtocol()
    protocol.disconnected.set()
    await serve(app, protocol)
    assert [message["type"] for message in messages] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("header", [{"content-length": "6"}, {"transfer-encoding": "chunked"}])
async def test_body_that_is_left_is_read_before_the_response(header: dict[str, str]) -> None:
    """An application that refuses a body unread, or half read, answers once all of it has arrived."""

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await Response(b"refused", 413)(scope, receive, send)

    for app in (PlainTextResponse("refused", 401), half):
        protocol = FakeProtocol((b"abc", b"def"))
        await serve(app, protocol, method="POST", headers=header)
        assert (protocol.body, protocol.read_bytes) == (b"refused", 6)


async def test_body_that_is_read_beside_the_response_is_left_to_its_reader() -> None:
    """An application that reads and answers at the same time is the only one that reads."""
    asked, arrived = asyncio.Event(), asyncio.Event()

    class Slow(FakeProtocol):
        async def __aiter__(self) -> Any:
            asked.set()
            await arrived.wait()
            yield b"abc"

    messages = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reading = asyncio.create_task(receive())
        await asked.wait()
        await PlainTextResponse("at once")(scope, receive, send)
        arrived.set()
        messages.append(await reading)

    protocol = Slow()
    await serve(app, protocol, method="POST", headers={"content-length": "3"})
    assert (protocol.body, [message["body"] for message in messages]) == (b"at once", [b"abc"])

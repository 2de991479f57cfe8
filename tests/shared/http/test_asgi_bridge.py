"""An ASGI application served over RSGI."""

from typing import Any

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

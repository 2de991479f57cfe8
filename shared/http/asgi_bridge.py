"""An ASGI application behind granian's RSGI.

RSGI takes fewer steps in Python than ASGI: a minimal response takes four fifths of the time. The busiest routes use it
directly (`shared.role.Role.raw_routes`); all others are Starlette's, through this bridge.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Scope

from shared.http.rsgi import RsgiClosed, RsgiProtocol, RsgiRequest, chunks_of
from shared.http.unread_bodies import drain

VERSIONS = {"version": "3.0", "spec_version": "2.3"}


def asgi_scope(request: RsgiRequest) -> Scope:
    """Return the ASGI scope of a request. Headers that are not ASCII are missing: RSGI drops them."""
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": request.http_version,
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": quote(request.path).encode(),
        "query_string": request.query_string.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": _address(request.client),
        "server": _address(request.server),
        "state": {},
    }


def _address(joined: str) -> tuple[str, int]:
    host, _, port = joined.rpartition(":")
    return host.strip("[]"), int(port)


class _Bridge:
    """One request and its response, as ASGI's `receive` and `send`."""

    def __init__(self, request: RsgiRequest, protocol: RsgiProtocol) -> None:
        self._request = request
        self._protocol = protocol
        self._chunks: AsyncIterator[bytes] | None = None
        self._received = False
        self._is_receiving = False
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._transport: Any = None

    async def receive(self) -> Message:
        if self._received:
            await self._protocol.client_disconnect()
            return {"type": "http.disconnect"}
        if self._chunks is None:
            self._chunks = chunks_of(self._protocol)
        self._is_receiving = True
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        finally:
            self._is_receiving = False
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
            ]
            return
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if self._transport is None:
            await self._drain()
        with contextlib.suppress(RsgiClosed):  # the client has left; `receive` reports that to the application
            if self._transport is None and not more:
                self._protocol.response_bytes(self._status, self._headers, body)
                return
            if self._transport is None:
                self._transport = self._protocol.response_stream(self._status, self._headers)
            if body:
                await self._transport.send_bytes(body)

    async def _drain(self) -> None:
        """Read what the application has left of a body, unless it is reading it at the same time."""
        headers = self._request.headers
        has_body = "content-length" in headers or "transfer-encoding" in headers
        if has_body and not (self._received or self._is_receiving):
            self._chunks = self._chunks or chunks_of(self._protocol)
            await drain(self._request, self._chunks)


async def serve_asgi(app: ASGIApp, request: RsgiRequest, protocol: RsgiProtocol) -> None:
    """Serve a request by an ASGI application."""
    bridge = _Bridge(request, protocol)
    await app(asgi_scope(request), bridge.receive, bridge.send)

"""RSGI requests and responses without a server."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeRequest:
    """An RSGI scope."""

    path: str = "/"
    method: str = "GET"
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    http_version: str = "1.1"
    scheme: str = "http"
    client: str = "127.0.0.1:50000"
    server: str = "127.0.0.1:8080"


class FakeProtocol:
    """An RSGI protocol that keeps what is sent."""

    def __init__(self, chunks: tuple[bytes, ...] = (), closed: type[BaseException] | None = None) -> None:
        self._chunks = chunks
        self._closed = closed
        self.status = 0
        self.read_bytes = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.is_stream = False
        self.disconnected = asyncio.Event()

    async def __aiter__(self) -> Any:
        for chunk in self._chunks:
            self.read_bytes += len(chunk)
            yield chunk

    async def client_disconnect(self) -> None:
        await self.disconnected.wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if self._closed is not None:
            raise self._closed
        self.status, self.headers, self.body = status, headers, body

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "FakeProtocol":
        self.status, self.headers, self.is_stream = status, headers, True
        return self

    async def send_bytes(self, body: bytes) -> None:
        self.body += body

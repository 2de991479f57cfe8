"""A small HTTP/1.1 client with keep-alive: hundreds of requests per second must cost little compared to the system."""

import asyncio
from typing import NamedTuple

NO_RESPONSE = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""Raised when there was no complete response. It is then unknown whether the request was processed."""


class Reply(NamedTuple):
    """A complete response."""

    status: int
    body: bytes

    @property
    def is_server_error(self) -> bool:
        return self.status >= 500


class Client:
    """Requests to one port. A connection is closed after any error."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(self, method: str, path: str, body: bytes = b"", *, seconds: float = 20, **headers: str) -> Reply:
        """Send a request and return the response.

        Raises:
            OSError, TimeoutError, asyncio.IncompleteReadError: see `NO_RESPONSE`.
        """
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{lines}content-length: {len(body)}\r\n\r\n"
        async with asyncio.timeout(seconds):
            reader, writer = self._kept() or await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(head.encode() + body)
                reply, stays = await _read(reader, method)
            except BaseException:
                writer.close()
                raise
        if stays:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return reply

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return an idle connection that is still open: the gateway closes them after two idle minutes."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _read(reader: asyncio.StreamReader, method: str) -> tuple[Reply, bool]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif method != "HEAD" and status not in (204, 304):
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(status, body), headers.get("connection", "").lower() != "close"

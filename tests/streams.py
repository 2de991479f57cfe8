"""A small client of Server-Sent Events over bare sockets: thousands of them fit into one process."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LAST_CHUNK = b"0\r\n\r\n"


@dataclass
class StreamMessage:
    """One message of a stream."""

    at: float
    """`time.monotonic()`, which is the same clock in all processes."""
    id: str
    numbers: dict[str, Any]


@dataclass
class Stream(asyncio.Protocol):
    """One open stream. Events are small: each arrives as one chunk; the lines with chunk sizes are ignored."""

    request: bytes
    on_message: Callable[[StreamMessage], None] = lambda _: None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[StreamMessage] = field(default_factory=list)
    comments: int = 0
    ended: bool = False
    keep: bool = True
    """Keep all messages instead of only the newest."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._rest = b""
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        self._rest += data
        if not self.status:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            first, *lines = head.decode().split("\r\n")
            self.status = int(first.split()[1])
            self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self._rest = rest
        if self._rest.endswith(LAST_CHUNK):  # the response has ended, although a gateway may keep the connection open
            self.ended = True
        *blocks, self._rest = self._rest.split(b"\n\n")
        for block in blocks:
            self._take(block.decode(), at)

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True

    def close(self) -> None:
        self._transport.close()

    async def until(self, condition: Callable[["Stream"], Any], seconds: float = 60) -> Any:
        """Wait until the condition holds, and return its value."""
        deadline = time.monotonic() + seconds
        while not (seen := condition(self)):
            assert time.monotonic() < deadline, f"the condition did not hold within {seconds} s: {self}"
            await asyncio.sleep(0.01)
        return seen

    def _take(self, block: str, at: float) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
        if "data" in fields:
            message = StreamMessage(at, fields.get("id", ""), json.loads(fields["data"]))
            self.messages = [*self.messages, message] if self.keep else [message]
            self.on_message(message)
        elif any(line.startswith(":") for line in block.split("\n")):
            self.comments += 1


async def open_stream(
    port: int, path: str, on_message: Callable[[StreamMessage], None] = lambda _: None, **headers: str
) -> Stream:
    """Open a stream and return as soon as the connection is established."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{lines}\r\n".encode()
    _, stream = await asyncio.get_running_loop().create_connection(
        lambda: Stream(request, on_message), "127.0.0.1", port
    )
    return stream

"""A small client of Server-Sent Events over bare sockets: thousands of them fit one process."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LAST_CHUNK = b"0\r\n\r\n"


@dataclass
class Told:
    """One message of a stream."""

    at: float
    """time.monotonic, the same in all processes."""
    id: str
    numbers: dict[str, Any]


@dataclass
class Stream(asyncio.Protocol):
    """One open stream. Events are small: each comes as one chunk, and chunk sizes are lines that say nothing."""

    request: bytes
    on_told: Callable[[Told], None] = lambda _: None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    comments: int = 0
    ended: bool = False
    keep: bool = True
    """Keep all messages, not the newest alone."""

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
        if self._rest.endswith(LAST_CHUNK):  # the answer is over, though a gateway keeps the line
            self.ended = True
        *blocks, self._rest = self._rest.split(b"\n\n")
        for block in blocks:
            self._take(block.decode(), at)

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True

    def close(self) -> None:
        self._transport.close()

    async def until(self, look: Callable[["Stream"], Any], seconds: float = 10) -> Any:
        """Wait until a look at the stream is true, and return what was seen."""
        deadline = time.monotonic() + seconds
        while not (seen := look(self)):
            assert time.monotonic() < deadline, f"did not come to pass within {seconds} s: {self}"
            await asyncio.sleep(0.01)
        return seen

    def _take(self, block: str, at: float) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
        if "data" in fields:
            told = Told(at, fields.get("id", ""), json.loads(fields["data"]))
            self.told = [*self.told, told] if self.keep else [told]
            self.on_told(told)
        elif any(line.startswith(":") for line in block.split("\n")):
            self.comments += 1


async def open_stream(port: int, path: str, on_told: Callable[[Told], None] = lambda _: None, **headers: str) -> Stream:
    """Open a stream and return as soon as the connection stands."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{lines}\r\n".encode()
    _, stream = await asyncio.get_running_loop().create_connection(lambda: Stream(request, on_told), "127.0.0.1", port)
    return stream

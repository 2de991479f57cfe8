"""Raw requests to servers of a test, and what they send."""

import asyncio
import re
from typing import NamedTuple


class Answer(NamedTuple):
    """What a server sent, without its clock's time."""

    status_line: bytes
    headers: list[bytes]
    """In order of their names."""
    body: bytes

    @property
    def status(self) -> bytes:
        return self.status_line.split()[1]


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as the server listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)


async def exchange(port: int, sent: bytes) -> Answer:
    """Return what a server sends until it closes the connection."""
    reader, writer = await connect(port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    head, _, body = re.sub(rb"\r\ndate: [^\r]*", b"", answer).partition(b"\r\n\r\n")
    status_line, *headers = head.split(b"\r\n")
    return Answer(status_line, sorted(headers), body)

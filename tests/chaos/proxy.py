"""A TCP proxy in front of Postgres that can fail exactly at a commit.

A batch is committed by one call of `stats.apply_batch`, outside of any transaction block. asyncpg prepares it once
for each connection: a Parse message has the SQL under a statement's name. Every later call is one packet of
Bind (which says that name), Execute and Sync; there is no COMMIT on the wire. So the proxy reads the client's
messages one by one, remembers the names, and recognizes a commit by its Bind. The server flushes its reply at Sync,
after the commit: a client that loses that reply cannot know whether the commit took place.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Literal

COMMITTING_FUNCTION = b"apply_batch"
SSL_REQUEST = 80_877_103
READY_FOR_QUERY = b"Z\x00\x00\x00\x05"
CHUNK_BYTES = 65_536

Mishap = Literal["lose reply", "cut before"]
"""What happens to a commit: it succeeds but its reply is lost, or it never reaches the server."""


@dataclass(eq=False)
class _Link:
    """One client's connection, and the connection to the server that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: set[bytes] = field(default_factory=set)
    """Names of the prepared statements of this connection that call the committing function."""
    deaf: bool = False
    """The client gets no more replies, and is disconnected once the server has replied."""

    def cut(self) -> None:
        for side in (self.client, self.server):
            side.transport.abort()


class Proxy:
    """A proxy between one counter and Postgres, on loopback."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.armed: list[Mishap] = []
        """Mishaps of the next commits, one for each commit."""

    async def start(self) -> int:
        """Start listening, and return the port."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._listener.close()
        self._flowing.set()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Forward nothing in either direction; connections stay open, as with an unplugged cable."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    @property
    def server_side_ports(self) -> set[int]:
        """Ports of this proxy's connections as Postgres sees them."""
        return {link.server.get_extra_info("sockname")[1] for link in self._links}

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flowing.wait()
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except (OSError, asyncio.CancelledError):
            to_client.transport.abort()
            self._tasks.discard(task)
            return
        link = _Link(to_client, to_server)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._requests(from_client, link)),
            asyncio.create_task(self._replies(from_server, link)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.cut()
            self._links.discard(link)
            self._tasks.discard(task)

    async def _requests(self, source: asyncio.StreamReader, link: _Link) -> None:
        """Forward the client's messages, and apply armed mishaps to commits."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._greeting(source, link)
            while True:
                head = await source.readexactly(5)
                body = await source.readexactly(int.from_bytes(head[1:], "big") - 4)
                await self._flowing.wait()
                if head[:1] == b"P":
                    name, sql = body.split(b"\0", 2)[:2]
                    (link.statements.add if COMMITTING_FUNCTION in sql else link.statements.discard)(name)
                elif head[:1] == b"B" and body.split(b"\0", 2)[1] in link.statements and self.armed:
                    if self.armed.pop(0) == "cut before":
                        return
                    link.deaf = True
                link.server.write(head + body)
                await link.server.drain()

    async def _greeting(self, source: asyncio.StreamReader, link: _Link) -> None:
        """Forward the untyped messages at the start: the SSL request, then the startup message."""
        while True:
            head = await source.readexactly(8)
            body = await source.readexactly(int.from_bytes(head[:4], "big") - 8)
            await self._flowing.wait()
            link.server.write(head + body)
            if int.from_bytes(head[4:], "big") != SSL_REQUEST:
                return

    async def _replies(self, source: asyncio.StreamReader, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                await self._flowing.wait()
                if not link.deaf:
                    link.client.write(chunk)
                    await link.client.drain()
                elif chunk[-6:-1] == READY_FOR_QUERY:
                    return

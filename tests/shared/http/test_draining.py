"""A stopping server and the connections of a gateway, on a real socket."""

import asyncio
from collections.abc import Callable

from shared.http.app import HttpApp, http_server
from tests.shared.http.sockets import connect

REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def response(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send a request on an open connection, and return the response's head."""
    writer.write(REQUEST)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return head.lower()


async def test_kept_connection_of_a_draining_server_ends_after_the_response_that_announces_it(
    free_ports: Callable[[int], int],
) -> None:
    """The open connection gets one more response, with `connection: close`, and then its end; new ones are accepted."""
    port = free_ports(1)
    app = HttpApp()
    server = http_server(app, "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())
    reader, writer = await connect(port)
    assert b"connection: close" not in await response(reader, writer)
    app.draining = True
    assert b"connection: close" in await response(reader, writer)
    assert await asyncio.wait_for(reader.read(), 60) == b""
    late_reader, late_writer = await asyncio.open_connection("127.0.0.1", port)
    assert b"connection: close" in await response(late_reader, late_writer)
    for one in (writer, late_writer):
        one.close()
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait_for(asyncio.wait([serving]), 60)

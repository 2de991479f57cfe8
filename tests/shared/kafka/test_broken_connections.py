"""A write to a broken connection, on uvloop as the services run."""

import asyncio
from typing import Any

import pytest
import uvloop
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError

from shared.kafka import broken_connections
from shared.kafka.broken_connections import send_or_report


class Connection:
    """What `send_or_report` uses of an aiokafka connection."""

    host, port = "127.0.0.1", 9092
    closed: CloseReason | None = None

    def close(self, reason: CloseReason) -> None:
        """Take note of the reason."""
        self.closed = reason


def test_write_to_a_closed_transport_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients retry a connection error; the RuntimeError of uvloop ended their coordination task for good."""
    connection = Connection()

    async def write() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.abort()
        await asyncio.sleep(0.01)

        def send(*_: Any) -> None:
            writer.write(b"request")

        monkeypatch.setattr(broken_connections, "_send", send)
        with pytest.raises(RuntimeError):
            send()
        server.close()
        await server.wait_closed()
        send_or_report(connection, b"request")

    with pytest.raises(KafkaConnectionError, match="broken"):
        uvloop.run(write())
    assert connection.closed is CloseReason.CONNECTION_BROKEN

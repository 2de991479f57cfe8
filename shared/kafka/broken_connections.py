"""Writes to a connection that broke a moment ago fail as aiokafka expects: with a connection error, which it retries.

asyncio's own transports ignore such a write; uvloop's raise RuntimeError. aiokafka translates OSError only, so its
coordination task ended for good: the consumer left its group, and its process went on without records.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def report_broken_connections() -> None:
    """Make every Kafka client of this process raise KafkaConnectionError for a write to a closed transport."""
    AIOKafkaConnection.send = send_or_report


def send_or_report(connection: Any, request: Any, expect_response: bool = True) -> Any:
    """Send a request as AIOKafkaConnection does.

    Raises:
        KafkaConnectionError: the connection is closed or has just broken.
    """
    try:
        return _send(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        message = f"Connection at {connection.host}:{connection.port} broken: {error}"
        raise KafkaConnectionError(message) from error

"""Records that cannot be processed go to `<topic>.dlq`, with the reason."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from aiokafka.structs import ConsumerRecord

from shared.kafka.producer import Headers, KafkaUnavailable, Producer
from shared.logs import log
from shared.metrics import DEAD_LETTERS
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.tracing import record_failure

_Message = TypeVar("_Message")


async def handle_record(
    producer: Producer, record: ConsumerRecord, kind: type[_Message], act: Callable[[_Message], Awaitable[object]]
) -> None:
    """Decode a record and process it until that succeeds. A tombstone is ignored.

    A record that cannot be decoded, or that Postgres cannot store, goes to the topic's dead letters.

    Args:
        producer: Sends dead letters.
        record: As it was read.
        kind: Type of the message in its value.
        act: Processes the message. It must be harmless to repeat.
    """
    if record.value is None:
        return
    try:
        message = msgspec.json.decode(record.value, type=kind)
        await retry_until_done(
            lambda: act(message),
            on=(KafkaUnavailable, *POSTGRES_UNAVAILABLE),
            unless=POSTGRES_DATA_ERRORS,
            what=f"process a record of {record.topic}",
        )
    except (msgspec.DecodeError, *POSTGRES_DATA_ERRORS) as error:
        record_failure(error)
        reason = f"{type(error).__name__}: {error}"
        await retry_until_done(
            lambda: send_to_dead_letters(producer, record, reason),
            on=KafkaUnavailable,
            what=f"send a dead letter of {record.topic}",
        )


async def send_to_dead_letters(producer: Producer, record: ConsumerRecord, reason: str) -> None:
    """Send an invalid record to its topic's dead letters.

    Raises:
        KafkaUnavailable: Kafka did not acknowledge in time.
    """
    log.error("record sent to the dead letters", topic=record.topic, offset=record.offset, reason=reason)
    await producer.send(
        f"{record.topic}.dlq",
        record.value,
        key=record.key,
        headers=dead_letter_headers(reason, record.topic, record.partition, record.offset, time.time()),
    )
    DEAD_LETTERS.labels(record.topic).inc()


def dead_letter_headers(reason: str, topic: str, partition: int, offset: int, at_seconds: float) -> Headers:
    """Return the headers that every dead letter carries; `at` is RFC 3339 in UTC."""
    at = datetime.fromtimestamp(at_seconds, UTC).isoformat()
    fields = {"reason": reason, "topic": topic, "partition": partition, "offset": offset, "at": at}
    return [(name, str(value).encode()) for name, value in fields.items()]

"""Records that cannot be processed go to `<topic>.dlq`, with the reason."""

import time
from datetime import UTC, datetime

from aiokafka.structs import ConsumerRecord

from shared.kafka.producer import Headers, Producer
from shared.logs import log
from shared.metrics import DEAD_LETTERS


async def send_to_dead_letters(producer: Producer, record: ConsumerRecord, reason: str) -> None:
    """Take a record that cannot be read to its topic's dead letters.

    Raises:
        Unavailable: Kafka did not acknowledge in time.
    """
    log.error("A record goes to the dead letters", topic=record.topic, offset=record.offset, reason=reason)
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

"""Single-record consumers on FastStream: each record is acknowledged only after it was processed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.kafka.connection import METADATA_MAX_AGE_MS, READ_COMMITTED, KafkaConfig
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable
from shared.logs import log
from shared.metrics import DEAD_LETTERS
from shared.retry import retry_until_done
from shared.role import Process
from shared.tracing import record_failure

SESSION_TIMEOUT_MS = 6_000
"""Silence after which Kafka reassigns a dead consumer's partitions: the least that brokers allow by default."""
HEARTBEAT_MS = 1_000


def create_broker(kafka: KafkaConfig, middlewares: Sequence[Any] = ()) -> KafkaBroker:
    """Return a FastStream broker that uses this process's log and never creates topics."""
    return KafkaBroker(
        kafka.bootstrap,
        security=kafka.security,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        graceful_timeout=5,
        logger=logging.getLogger("faststream"),
        middlewares=middlewares,
    )


def subscribe(
    broker: KafkaBroker,
    topic: str,
    group: str,
    handle: Callable[[ConsumerRecord], Awaitable[None]],
    process: Process,
) -> None:
    """Pass the topic's records to `handle`, one after the other, each acknowledged only after it returned.

    FastStream logs what a handler raises and continues with the next record. Here that stops the process, and no later
    record is acknowledged: after a restart the record is read again.
    """
    failed = False
    DEAD_LETTERS.labels(topic)  # 0 from the start: an alert cannot see a series begin

    async def on_message(message: KafkaMessage) -> None:
        nonlocal failed
        if failed:
            return
        try:
            await handle(message.raw_message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the record was not processed
            failed = True
            record_failure(error)
            log.error("record failed", topic=topic, exc_info=error)
            process.fail(f"a record of {topic}: {error!r}")
            return
        try:
            await message.ack()
        except KafkaError as error:  # the partition moved to another member, which reads the record again
            log.warning("acknowledgement rejected", topic=topic, reason=repr(error))

    broker.subscriber(
        topic,
        group_id=group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        parser=_parsed,
        decoder=_raw_value,
        isolation_level=READ_COMMITTED,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
    )(on_message)


async def _parsed(record: ConsumerRecord, parse: Callable[[ConsumerRecord], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse a record as FastStream does, without binary headers: it would log an error and skip the record."""
    message = await parse(replace(record, headers=tuple(one for one in record.headers if _is_text(one[1]))))
    message.raw_message = record
    return message


def _is_text(value: bytes | None) -> bool:
    if value is None:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _raw_value(message: KafkaMessage) -> bytes | None:
    record: Any = message.raw_message
    return record.value  # type: ignore[no-any-return]


@asynccontextmanager
async def run_broker(broker: KafkaBroker, kafka: KafkaConfig, process: Process) -> AsyncIterator[asyncio.Task[None]]:
    """Run a broker's subscribers in the background, and yield the task that starts them.

    The start is not awaited: joining a group takes as long as Kafka needs to give up on a killed member, and the
    process must do its other work meanwhile.
    """
    starting = process.spawn(_start(broker, kafka), "join consumer groups")
    try:
        yield starting
    finally:
        starting.cancel()
        await asyncio.wait([starting])
        await broker.stop()


async def _start(broker: KafkaBroker, kafka: KafkaConfig) -> None:
    async def start() -> None:
        try:
            await broker.start()
        except KAFKA_ERRORS as error:
            raise KafkaUnavailable(await kafka.diagnose()) from error

    await retry_until_done(start, on=KafkaUnavailable, what="join consumer groups")

"""Kafka: a producer that answers within a deadline, whatever the brokers do."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber, ProducerFenced
from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.kafka_access import KafkaAccess
from shared.logs import log
from shared.metrics import DEAD_LETTERS
from shared.process import Process
from shared.tracing import failed as trace_failed

KAFKA_ERRORS = (KafkaError, OSError, asyncio.TimeoutError)
Headers = Sequence[tuple[str, bytes]]

CONNECT_RETRY_SECONDS = 0.5
SESSION_TIMEOUT_MS = 6_000
"""Silence after which Kafka gives a killed consumer's work to another: the least that brokers allow by default."""
HEARTBEAT_MS = 1_000
STOP_SECONDS = 3.0


class Unavailable(Exception):  # noqa: N818 - it names a state, which callers turn into 503 or a retry
    """Kafka did not acknowledge in time. The message may still arrive: its reader must know it by its id."""


class Producer:
    """An idempotent `acks=all` producer that connects by itself and never waits for ever.

    aiokafka's idempotent producer keeps a batch until it is delivered, with no deadline and no bound, and its
    `stop()` waits for that. So the deadline, the bound and the bounded stop stand here.

    Args:
        kafka: How Kafka is reached.
        deadline_seconds: How long `send` waits for the acknowledgement.
        in_flight_max: Messages without acknowledgement, above which `send` refuses at once.
    """

    def __init__(self, kafka: KafkaAccess, *, deadline_seconds: float = 5.0, in_flight_max: int = 20_000) -> None:
        self._kafka = kafka
        self._away = f"Kafka at {kafka} cannot be reached"
        self._deadline_seconds = deadline_seconds
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._connecting = asyncio.create_task(self._connect(), name="connect to Kafka")

    @property
    def problem(self) -> str | None:
        """Why messages cannot be sent now, in words; None when they can."""
        if self._producer is None:
            return self._away
        if self._failing:
            return "Kafka does not acknowledge in time"
        return None

    @property
    def in_flight(self) -> int:
        """Messages that wait for their acknowledgement."""
        return self._in_flight

    async def _connect(self) -> None:
        said = False
        while True:
            producer = AIOKafkaProducer(
                **self._kafka.client,
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                max_batch_size=128 * 1024,
                request_timeout_ms=3_000,
            )
            try:
                await producer.start()
            except KAFKA_ERRORS:
                await stop_producer(producer)
                self._away = await self._kafka.why_not()
                if not said:
                    log.warning("Kafka is not there yet; waiting for it", reason=self._away)
                    said = True
                await asyncio.sleep(CONNECT_RETRY_SECONDS)
            else:
                self._producer, self._failing = producer, False
                return

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Send one message and wait until Kafka has it.

        Raises:
            Unavailable: no acknowledgement within the deadline.
        """
        producer = self._producer
        if producer is None:
            raise Unavailable(self._away)
        if self._in_flight >= self._in_flight_max:
            raise Unavailable(f"{self._in_flight} messages already wait for Kafka")
        self._in_flight += 1
        try:
            async with asyncio.timeout(self._deadline_seconds):
                acknowledged = await producer.send(topic, value, key=key, partition=partition, headers=headers)
                await asyncio.shield(acknowledged)
        except (OutOfOrderSequenceNumber, ProducerFenced) as error:
            self._rebuild(producer, error)
            raise Unavailable(repr(error)) from error
        except KAFKA_ERRORS as error:
            self._failing = True
            raise Unavailable(repr(error)) from error
        else:
            self._failing = False
        finally:
            self._in_flight -= 1

    def _rebuild(self, broken: AIOKafkaProducer, error: Exception) -> None:
        if self._producer is not broken:
            return  # another message met the same error first
        log.error("The producer cannot go on; making a new one", reason=repr(error))
        self._producer = None
        self._retired = asyncio.create_task(stop_producer(broken), name="stop the broken producer")
        self.start()

    async def stop(self) -> None:
        """Deliver what is under way and leave, within a bound."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)


async def bury(producer: Producer, record: ConsumerRecord, reason: str) -> None:
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


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer within a bound: its own `stop` waits for ever for what it cannot deliver."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except KAFKA_ERRORS as error:
        log.warning("The producer did not stop in time", reason=repr(error))


def make_broker(kafka: KafkaAccess, middlewares: Sequence[Any] = ()) -> KafkaBroker:
    """Return a FastStream broker that logs through us and never creates topics by the way."""
    return KafkaBroker(
        kafka.bootstrap,
        security=kafka.security,
        allow_auto_create_topics=False,
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
    """Hand the topic's records to `handle`, one after the other, each acknowledged only after it returned.

    FastStream logs what a handler raises and goes on behind the record. Here that stops the process,
    and no later record is acknowledged: after a restart the record comes again.
    """
    failed = False
    DEAD_LETTERS.labels(topic)  # at 0 from the start: an alert sees no rise of what was not there before

    async def on_message(message: KafkaMessage) -> None:
        nonlocal failed
        if failed:
            return
        try:
            await handle(message.raw_message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the record was not dealt with
            failed = True
            trace_failed(error)
            log.error("A record cannot be dealt with", topic=topic, exc_info=error)
            process.fail(f"a record of {topic}: {error!r}")
            return
        try:
            await message.ack()
        except KafkaError as error:  # the partition went to another member, who will see the record again
            log.warning("An acknowledgement was refused", topic=topic, reason=repr(error))

    broker.subscriber(
        topic,
        group_id=group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        parser=_parsed,
        decoder=_undecoded,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
    )(on_message)


async def _parsed(record: ConsumerRecord, parse: Callable[[ConsumerRecord], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse a record as FastStream does, without headers that are no text: it would log them and skip the record."""
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


async def _undecoded(message: KafkaMessage) -> bytes | None:
    record: Any = message.raw_message
    return record.value  # type: ignore[no-any-return]


@asynccontextmanager
async def consuming(broker: KafkaBroker, kafka: KafkaAccess, process: Process) -> AsyncIterator[asyncio.Task[None]]:
    """Run a broker's subscribers in the background, and yield the task that starts them.

    Nobody waits for the start: joining a group takes as long as Kafka needs to give up on a member that was
    killed, and what else the process does must not stand still meanwhile.
    """
    starting = process.spawn(_start(broker, kafka), "join consumer groups")
    try:
        yield starting
    finally:
        starting.cancel()
        await asyncio.wait([starting])
        await broker.stop()


async def _start(broker: KafkaBroker, kafka: KafkaAccess) -> None:
    said = False
    while True:
        try:
            await broker.start()
        except KAFKA_ERRORS:
            if not said:
                log.warning("Kafka is not there yet; waiting for it", reason=await kafka.why_not())
                said = True
            await asyncio.sleep(CONNECT_RETRY_SECONDS)
        else:
            return

"""A Kafka producer with a deadline, whatever the brokers do."""

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber, ProducerFenced

from shared.kafka.batch_producer import BatchProducer
from shared.kafka.config import KafkaConfig
from shared.kafka.connection import diagnose
from shared.logs import log
from shared.retry import retry_until_done

KAFKA_ERRORS = (KafkaError, OSError, asyncio.TimeoutError)
Headers = Sequence[tuple[str, bytes]]

STOP_SECONDS = 3.0


class KafkaUnavailable(Exception):  # noqa: N818 - a state, which callers turn into 503 or a retry
    """Kafka did not acknowledge in time. The message may still arrive: its consumer must recognise it by its id."""


class Producer:
    """An idempotent `acks=all` producer that connects by itself and never waits indefinitely.

    aiokafka's idempotent producer keeps a batch until it is delivered, with no deadline and no bound, and its
    `stop()` waits for that. So the deadline, the bound and the bounded stop are here.

    Args:
        kafka: How to connect.
        deadline_seconds: How long `send` waits for the acknowledgement.
        in_flight_max: Messages without acknowledgement, above which `send` fails at once.
    """

    def __init__(self, kafka: KafkaConfig, *, deadline_seconds: float = 5.0, in_flight_max: int = 20_000) -> None:
        self._kafka = kafka
        self._unavailable = f"Kafka at {kafka} cannot be reached"
        self._deadline_seconds = deadline_seconds
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Start to connect, in the background."""
        self._connecting = asyncio.create_task(self._connect(), name="connect to Kafka")

    @property
    def problem(self) -> str | None:
        """Why messages cannot be sent now, as a message; None when they can."""
        if self._producer is None:
            return self._unavailable
        if self._failing:
            return "Kafka does not acknowledge in time"
        return None

    async def _connect(self) -> None:
        await retry_until_done(self._try_connect, on=KafkaUnavailable, what="connect a producer to Kafka")

    async def _try_connect(self) -> None:
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
        except KAFKA_ERRORS as error:
            await stop_producer(producer)
            self._unavailable = await diagnose(self._kafka)
            raise KafkaUnavailable(self._unavailable) from error
        self._producer, self._failing = producer, False

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Send one message and wait for the acknowledgement.

        Raises:
            KafkaUnavailable: no acknowledgement within the deadline.
        """
        producer = self._producer
        if producer is None:
            raise KafkaUnavailable(self._unavailable)
        if self._in_flight >= self._in_flight_max:
            raise KafkaUnavailable(f"{self._in_flight} messages already wait for Kafka")
        self._in_flight += 1
        try:
            async with asyncio.timeout(self._deadline_seconds):
                acknowledged = await producer.send(topic, value, key=key, partition=partition, headers=headers)
                await asyncio.shield(acknowledged)
        except (OutOfOrderSequenceNumber, ProducerFenced) as error:
            self._rebuild(producer, error)
            raise KafkaUnavailable(repr(error)) from error
        except KAFKA_ERRORS as error:
            self._failing = True
            if producer._sender.sender_task.done():  # noqa: SLF001 - there is no public attribute
                self._rebuild(producer, error)  # it would never send again
            raise KafkaUnavailable(repr(error)) from error
        else:
            self._failing = False
        finally:
            self._in_flight -= 1

    def _rebuild(self, broken: AIOKafkaProducer, error: Exception) -> None:
        if self._producer is not broken:
            return  # another message met the same error first
        log.error("producer broken; replacing it", reason=repr(error))
        self._producer = None
        self._retired = asyncio.create_task(stop_producer(broken), name="stop the broken producer")
        self.start()

    async def stop(self) -> None:
        """Deliver pending messages and close, within a bound."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop_producer(producer)


async def stop_producer(producer: AIOKafkaProducer | BatchProducer) -> None:
    """Stop a producer within a bound: aiokafka's own `stop` waits indefinitely for what it cannot deliver."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except KAFKA_ERRORS as error:
        log.warning("producer did not stop in time", reason=repr(error))

"""Brokers and consumers of single records: a record is acknowledged after it was applied, and a failure stops them."""

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError
from aiokafka.structs import ConsumerRecord
from structlog.testing import capture_logs

from shared.consumer_offsets import LogPosition
from shared.kafka import database_consumer
from shared.kafka.config import KafkaConfig
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.database_consumer import DatabaseConsumer, parse_record
from shared.kafka.topic_identity import TopicIdentity
from shared.role import Process

LOG = TopicIdentity("cluster", "topic-id")
PARTITION = TopicPartition("numbers", 0)


class FakeBroker:
    """Keeps a subscriber's handler and options."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.on_message: Any = None

    def subscriber(self, topic: str, **options: Any) -> Any:
        self.options = {"topic": topic, **options}

        return Subscriber(self)


class Subscriber:
    """Registers the handler; its consumer is after every record."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.consumer = SimpleNamespace(position=self._position, _client=SimpleNamespace(_conns={}, cluster=self))

    def __call__(self, handler: Any) -> None:
        self._broker.on_message = handler

    def leader_for_partition(self, _: TopicPartition) -> int:
        return 1

    async def _position(self, _: TopicPartition) -> int:
        return 2**40


class FakeMessage:
    """A FastStream message; `error` is what its acknowledgement raises."""

    def __init__(self, record: ConsumerRecord, error: Exception | None = None) -> None:
        self.raw_message = record
        self.acks = 0
        self._error = error

    async def ack(self) -> None:
        if self._error is not None:
            raise self._error
        self.acks += 1


def record(offset: int, headers: tuple[tuple[str, bytes | None], ...] = ()) -> ConsumerRecord:
    return ConsumerRecord("numbers", 0, offset, 0, 0, b"key", b"value", None, 0, 0, headers)


class Offsets:
    """Offsets in a database, and a transaction in which they are advanced."""

    topic = "numbers"

    def __init__(self) -> None:
        self.next_offset = 0

    async def advance(self, _: Any, __: int, before: LogPosition, after: LogPosition) -> None:
        if before.next_offset != self.next_offset:
            raise database_consumer.PositionMoved
        self.next_offset = after.next_offset


class Pool:
    """Lends itself as the connection and the transaction."""

    def acquire(self) -> Any:
        return self

    transaction = acquire

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def following(failing_offset: int = -1) -> tuple[FakeBroker, Process, list[int], Offsets]:
    """Follow a topic with a handler that keeps offsets and fails at one of them."""
    broker, process, handled, offsets = FakeBroker(), Process(), [], Offsets()

    async def apply(_: Any, one: ConsumerRecord) -> None:
        if one.offset == failing_offset:
            raise LookupError("broken")
        handled.append(one.offset)

    consumer = DatabaseConsumer(broker, Pool(), offsets, "a-group", apply, process=process)  # type: ignore[arg-type]
    consumer._followed[PARTITION] = database_consumer._followed(LogPosition(LOG, 0), 0, None)
    return broker, process, handled, offsets


async def test_record_is_acknowledged_after_it_was_applied() -> None:
    """Each record is applied, its offset stored in the database, then it is acknowledged; once each."""
    broker, process, handled, offsets = following()
    messages = [FakeMessage(record(offset)) for offset in (0, 1, 2, 1, 2)]
    for message in messages:
        await broker.on_message(message)
    assert (handled, [message.acks for message in messages], process.failure) == ([0, 1, 2], [1, 1, 1, 0, 0], None)
    assert offsets.next_offset == 3


async def test_failed_record_stops_the_process_and_all_later_ones() -> None:
    """A failed record and those after it are not acknowledged, so that a restart reads them again."""
    broker, process, handled, offsets = following(failing_offset=1)
    messages = [FakeMessage(record(offset)) for offset in range(4)]
    for message in messages:
        await broker.on_message(message)
    assert (handled, [message.acks for message in messages]) == ([0], [1, 0, 0, 0])
    assert process.failure == "a record of numbers: LookupError('broken')"
    assert offsets.next_offset == 1


async def test_rejected_acknowledgement_is_a_warning() -> None:
    """After a rebalance another member reads the record again: the process goes on."""
    broker, process, _, _ = following()
    with capture_logs() as lines:
        await broker.on_message(FakeMessage(record(0), IllegalGenerationError()))
    assert ([line["event"] for line in lines], process.failure) == (["acknowledgement rejected"], None)


def test_subscriber_asks_kafka_for_no_offset() -> None:
    """Positions come from the database only, and nothing is committed by itself."""
    broker, _, _, _ = following()
    assert (broker.options["topic"], broker.options["group_id"]) == ("numbers", "a-group")
    assert broker.options["auto_offset_reset"] == "none"
    assert broker.options["ack_policy"].name == "MANUAL"


async def test_binary_headers_are_hidden_from_the_parser() -> None:
    """FastStream would skip a record with a header that is no text; the handler gets the record whole."""
    seen = []

    async def parse(one: ConsumerRecord) -> Any:
        seen.append(one.headers)
        return FakeMessage(one)

    original = record(0, (("text", b"a"), ("binary", b"\xff"), ("null", None)))
    message = await parse_record(original, parse)
    assert (seen, message.raw_message) == ([(("text", b"a"),)], original)


async def test_broker_that_cannot_start_does_not_block() -> None:
    """Without Kafka the process goes on with its other work, and stops at once."""
    kafka, process = KafkaConfig("127.0.0.1:1"), Process()
    async with run_broker(create_broker(kafka), kafka, process) as starting:
        assert not starting.done()
    assert starting.done()
    assert process.failure is None

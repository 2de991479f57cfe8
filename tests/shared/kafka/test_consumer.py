"""Single-record consumers: acknowledged after processing, stopped by a failure."""

from typing import Any

from aiokafka.errors import IllegalGenerationError
from aiokafka.structs import ConsumerRecord
from structlog.testing import capture_logs

from shared.kafka.connection import KafkaConfig
from shared.kafka.consumer import _parsed, create_broker, run_broker, subscribe
from shared.role import Process


class FakeBroker:
    """Keeps a subscriber's handler and options."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.on_message: Any = None

    def subscriber(self, topic: str, **options: Any) -> Any:
        self.options = {"topic": topic, **options}

        def register(handler: Any) -> None:
            self.on_message = handler

        return register


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


def subscribed(failing_offset: int = -1) -> tuple[FakeBroker, Process, list[int]]:
    """Subscribe a handler that keeps offsets and fails at one of them."""
    broker, process, handled = FakeBroker(), Process(), []

    async def handle(one: ConsumerRecord) -> None:
        if one.offset == failing_offset:
            raise LookupError("broken")
        handled.append(one.offset)

    subscribe(broker, "numbers", "a-group", handle, process)  # type: ignore[arg-type]
    return broker, process, handled


async def test_record_is_acknowledged_after_it_was_processed() -> None:
    """Each record is handled, then acknowledged."""
    broker, process, handled = subscribed()
    messages = [FakeMessage(record(offset)) for offset in range(3)]
    for message in messages:
        await broker.on_message(message)
    assert (handled, [message.acks for message in messages], process.failure) == ([0, 1, 2], [1, 1, 1], None)


async def test_failed_record_stops_the_process_and_all_later_ones() -> None:
    """A failed record and those after it are not acknowledged, so that a restart reads them again."""
    broker, process, handled = subscribed(failing_offset=1)
    messages = [FakeMessage(record(offset)) for offset in range(4)]
    for message in messages:
        await broker.on_message(message)
    assert (handled, [message.acks for message in messages]) == ([0], [1, 0, 0, 0])
    assert process.failure == "a record of numbers: LookupError('broken')"


async def test_rejected_acknowledgement_is_a_warning() -> None:
    """After a rebalance another member reads the record again: the process goes on."""
    broker, process, _ = subscribed()
    with capture_logs() as lines:
        await broker.on_message(FakeMessage(record(0), IllegalGenerationError()))
    assert ([line["event"] for line in lines], process.failure) == (["acknowledgement rejected"], None)


def test_subscriber_reads_from_the_beginning_in_its_group() -> None:
    """A new group reads all there is, and commits nothing by itself."""
    broker, _, _ = subscribed()
    assert (broker.options["topic"], broker.options["group_id"]) == ("numbers", "a-group")
    assert broker.options["auto_offset_reset"] == "earliest"
    assert broker.options["ack_policy"].name == "MANUAL"


async def test_binary_headers_are_hidden_from_the_parser() -> None:
    """FastStream would skip a record with a header that is no text; the handler gets the record whole."""
    seen = []

    async def parse(one: ConsumerRecord) -> Any:
        seen.append(one.headers)
        return FakeMessage(one)

    original = record(0, (("text", b"a"), ("binary", b"\xff"), ("null", None)))
    message = await _parsed(original, parse)
    assert (seen, message.raw_message) == ([(("text", b"a"),)], original)


async def test_broker_that_cannot_start_does_not_block() -> None:
    """Without Kafka the process goes on with its other work, and stops at once."""
    kafka, process = KafkaConfig("127.0.0.1:1"), Process()
    async with run_broker(create_broker(kafka), kafka, process) as starting:
        assert not starting.done()
    assert starting.done()
    assert process.failure is None

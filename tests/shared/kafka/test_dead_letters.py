"""Records that cannot be processed go to the dead letters, all others are processed until that succeeds."""

from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import pytest
import stamina
from aiokafka.structs import ConsumerRecord

from shared.kafka.dead_letters import dead_letter_headers, handle_record
from shared.kafka.producer import KafkaUnavailable


class Message(msgspec.Struct):
    number: int


class FakeProducer:
    """Keeps what is sent; the first sends fail, if so many shall."""

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[tuple[str, bytes | None, dict[str, Any]]] = []
        self._failures = failures

    async def send(self, topic: str, value: bytes | None, **more: Any) -> None:
        if self._failures:
            self._failures -= 1
            raise KafkaUnavailable("no acknowledgement")
        self.sent.append((topic, value, more))


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=100):
        yield


def record(value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("numbers", 3, 17, 0, 0, b"key", value, None, 0, 0, ())


async def handle(value: bytes | None, *errors: Exception, failures: int = 0) -> tuple[list[int], FakeProducer]:
    """Handle a record whose processing raises these errors first, and return what was processed."""
    producer, processed, raised = FakeProducer(failures), [], list(errors)

    async def process(message: Message) -> None:
        if raised:
            raise raised.pop(0)
        processed.append(message.number)

    await handle_record(producer, record(value), Message, process)  # type: ignore[arg-type]
    return processed, producer


async def test_valid_record_is_processed() -> None:
    """A record that can be decoded is processed once, and nothing is sent."""
    processed, producer = await handle(b'{"number":7,"unknown":true}')
    assert (processed, producer.sent) == ([7], [])


async def test_tombstone_is_ignored() -> None:
    """A record without value asks for nothing."""
    processed, producer = await handle(None)
    assert (processed, producer.sent) == ([], [])


@pytest.mark.parametrize("value", [b"{", b'{"number":"x"}', b"\xff", b""])
async def test_invalid_record_is_a_dead_letter(value: bytes) -> None:
    """A record that cannot be decoded goes to its topic's dead letters as it was, with reason and source."""
    processed, producer = await handle(value)
    ((topic, sent, more),) = producer.sent
    assert (processed, topic, sent, more["key"]) == ([], "numbers.dlq", value, b"key")
    headers = dict(more["headers"])
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"numbers", b"3", b"17")
    assert headers["reason"].split(b":")[0] in (b"DecodeError", b"ValidationError")


async def test_record_that_postgres_cannot_store_is_a_dead_letter() -> None:
    """A value that Postgres rejects would be rejected again: it is not retried."""
    processed, producer = await handle(b'{"number":7}', asyncpg.UntranslatableCharacterError("NUL"))
    assert (processed, [topic for topic, *_ in producer.sent]) == ([], ["numbers.dlq"])


async def test_unavailable_store_is_waited_for() -> None:
    """While Postgres or Kafka is unavailable a record is tried again, and is no dead letter."""
    errors = [ConnectionRefusedError(), asyncpg.CannotConnectNowError("starting"), KafkaUnavailable("no ack")]
    processed, producer = await handle(b'{"number":7}', *errors)
    assert (processed, producer.sent) == ([7], [])


async def test_dead_letter_is_sent_until_it_is_acknowledged() -> None:
    """An unavailable Kafka delays a dead letter, and loses none."""
    _, producer = await handle(b"{", failures=5)
    assert len(producer.sent) == 1


async def test_programming_error_is_raised() -> None:
    """Any other error stops the consumer."""
    with pytest.raises(KeyError):
        await handle(b'{"number":7}', KeyError("column"))


def test_dead_letter_headers_are_text() -> None:
    """The time is RFC 3339 in UTC, numbers are decimal."""
    headers = dict(dead_letter_headers("Đọc lỗi", "numbers", 3, 17, 1_700_000_000))
    assert headers["at"] == b"2023-11-14T22:13:20+00:00"
    assert headers["reason"].decode() == "Đọc lỗi"

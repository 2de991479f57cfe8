"""Ranges of a partition's records, read without a consumer group."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader, read_range

PARTITION = TopicPartition("page-views", 0)


class Reader:
    """A consumer of one partition whose log has some offsets, fetched a few at a time."""

    def __init__(self, offsets: list[int], end: int, *, is_silent: bool = False) -> None:
        self.offsets, self.end, self.is_silent = offsets, end, is_silent
        self.at = -1
        self.assigned: list[TopicPartition] = []
        self.paused: list[TopicPartition] = []

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = partitions

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused += partitions

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def getmany(self, partition: TopicPartition, **_: Any) -> dict[TopicPartition, list[Any]]:
        if self.is_silent:
            return {}
        found = [offset for offset in self.offsets if offset >= self.at][:2]
        self.at = found[-1] + 1 if found else self.end
        return {partition: [SimpleNamespace(offset=offset) for offset in found]}


async def read(reader: Reader, begin: int, end: int) -> list[int]:
    ranges: Any = read_range(reader, PARTITION, begin, end)  # type: ignore[arg-type]
    return [record.offset async for records in ranges for record in records]


async def test_read_range_yields_records_before_the_end() -> None:
    """Records from begin to before end are returned in order, also over gaps at the end of the range."""
    reader = Reader([3, 4, 6, 7, 8], 9)
    assert await read(reader, 3, 7) == [3, 4, 6]
    assert reader.paused == [PARTITION], "it would be fetched at its end, again and again"
    assert await read(Reader([3, 4], 9), 3, 9) == [3, 4]


async def test_read_range_without_offsets_reads_nothing() -> None:
    """An empty range assigns no partition."""
    reader = Reader([], 9)
    assert await read(reader, 5, 5) == []
    assert reader.assigned == []


async def test_read_range_over_ends_of_transactions_yields_no_empty_list() -> None:
    """Where a fetch moves the position and returns no record, reading goes on at once."""
    ranges: Any = read_range(Reader([3], 9), PARTITION, 3, 9)  # type: ignore[arg-type]
    assert [len(records) async for records in ranges] == [1]


async def test_read_range_of_a_silent_broker_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that sends nothing is a TimeoutError that names the position."""
    monkeypatch.setattr("shared.kafka.log_reader.SILENCE_SECONDS", 0.1)
    with pytest.raises(TimeoutError, match="page-views-0: no records from offset 3 on"):
        await read(Reader([3], 9, is_silent=True), 3, 9)


@pytest.mark.parametrize("stop_error", [asyncio.CancelledError(), KafkaError("broken"), None])
async def test_reader_whose_stop_is_cancelled_does_not_cancel_its_caller(
    monkeypatch: pytest.MonkeyPatch, stop_error: BaseException | None
) -> None:
    """The error of the broken connection reaches the caller, and not what the consumer raises while it stops."""

    class Consumer:
        def __init__(self, **_: Any) -> None: ...

        async def start(self) -> None: ...

        async def stop(self) -> None:
            if stop_error is not None:
                raise stop_error

    monkeypatch.setattr("shared.kafka.log_reader.AIOKafkaConsumer", Consumer)
    with pytest.raises(KafkaConnectionError):
        async with log_reader(KafkaConfig("127.0.0.1:1")):
            raise KafkaConnectionError

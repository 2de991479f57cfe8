"""What a fetch returned, as columns: the same records as aiokafka's, with its own code for batches and transactions."""

import gc
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crc32c import crc as crc32c
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from services.stats.counting.decoding import RawBatch
from services.stats.counting.fetched_columns import APPEND_TIME, fetch_columns

PLACE = TopicPartition("page-views", 0)
ARRIVED = 1_795_000_000_000
APPENDED = 0b1000
ABORTED, COMMITTED = b"\0\0\0\0", b"\0\0\0\1"
"""Keys of the records that end a transaction."""


def batch(first: int, *values: bytes | None, appended: bool = True, producer: int = -1, control: bool = False) -> bytes:
    """Return a batch as a broker sends it: with its first offset, and the time at which it was appended."""
    builder = DefaultRecordBatchBuilder(2, 0, producer >= 0, producer, 0, 0, 1 << 20)
    for number, value in enumerate(values):
        key = value if control else None
        builder.append(number, ARRIVED + number, key, b"\0\0\0\0\0\0" if control else value, [])
    made = bytearray(builder.build())
    made[:8] = first.to_bytes(8, "big")
    made[22] |= APPENDED * appended | 0b100000 * control
    made[17:21] = crc32c(bytes(made[21:])).to_bytes(4, "big")
    return bytes(made)


class Fetch:
    """A fetch that was answered, and the position that its records move."""

    def __init__(self, *batches: bytes, begin: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> None:
        self.state = SimpleNamespace(position=begin, paused=False)
        self.state.consumed_to = lambda position: setattr(self.state, "position", position)
        self.assignment = SimpleNamespace(active=True, state_value=lambda _: self.state)
        records = MemoryRecords(b"".join(batches))
        of_partition = PartitionRecords(PLACE, records, list(aborted), begin, None, None, True, READ_COMMITTED)
        self.result: Any = FetchResult(PLACE, assignment=self.assignment, partition_records=of_partition, backoff=0)

    async def as_columns(self) -> Any:
        async def send(*_: object) -> bool:
            return True

        fetcher = SimpleNamespace(_proc_fetch_request=send, _records={PLACE: self.result, "failed": object()})
        fetch_columns(SimpleNamespace(_fetcher=fetcher))
        for _ in range(2):  # an answer for other partitions follows
            assert await fetcher._proc_fetch_request("assignment", 1, "request")
        return self.result


def rows(taken: RawBatch | list[Any]) -> list[tuple[int, int, bytes | None]]:
    if not len(taken):
        return []
    assert isinstance(taken, RawBatch)
    return list(zip(taken.offset.tolist(), (taken.arrived - ARRIVED).tolist(), taken.values, strict=True))


async def test_fetched_batches_are_the_records_that_aiokafka_reads() -> None:
    """Offsets, times and values are equal, with times of the broker and of senders, and with a null value."""
    batches = batch(3, b"a", b"b"), batch(5, None, b"d", appended=False), batch(9, b"e")
    expected = [(one.offset, one.timestamp - ARRIVED, one.value) for one in Fetch(*batches, begin=4).result.getall()]
    fetch = Fetch(*batches, begin=4)
    assert (
        rows((await fetch.as_columns()).getall())
        == expected
        == [(4, 1, b"b"), (5, 0, None), (6, 1, b"d"), (9, 0, b"e")]
    )
    assert (fetch.state.position, fetch.result.has_more()) == (10, False)
    assert fetch.result.getall() == []


async def test_fetched_batches_are_taken_up_to_a_number_of_records() -> None:
    """Each call returns at most so many records, and the position is behind them."""
    fetch = Fetch(batch(0, b"a", b"b", b"c"), batch(3, b"d"))
    result = await fetch.as_columns()
    seen = []
    while result.has_more():
        seen.append(([value for _, _, value in rows(result.getall(2))], fetch.state.position))
    assert seen == [([b"a", b"b"], 2), ([b"c", b"d"], 4), ([], 4)]


async def test_fetched_batch_is_read_as_far_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large batch only those records are decoded that are wanted: the rest waits as it was fetched."""
    read: list[int] = []
    fetched = RawBatch.fetched

    def note(records: Sequence[Any], *, arrived_together: bool) -> RawBatch:
        read.append(len(records))
        return fetched(records, arrived_together=arrived_together)

    monkeypatch.setattr(RawBatch, "fetched", note)
    result = await Fetch(batch(0, *[b"a"] * 1_000)).as_columns()
    assert (len(result.getall(10)), len(result.getall(20)), read) == (10, 20, [10, 20])


async def test_fetched_answer_is_freed_when_it_is_taken() -> None:
    """Nothing refers to it in a circle: megabytes would wait until Python looks for those."""
    fetch = Fetch(batch(0, b"a", b"b"))
    result = await fetch.as_columns()
    fetched = ref(result._partition_records)
    gc.disable()
    try:
        assert len(result.getall()) == 2
        assert fetched() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("moved", ["seek", "pause", "revoke"])
async def test_fetched_batches_after_the_position_was_moved_are_dropped(moved: str) -> None:
    """What is left of a fetch belongs to a position that is no longer the consumer's."""
    fetch = Fetch(batch(0, b"a", b"b", b"c"))
    result = await fetch.as_columns()
    assert len(result.getall(1)) == 1
    if moved == "seek":
        fetch.state.position = 0
    else:
        fetch.state.paused, fetch.assignment.active = moved == "pause", moved != "revoke"
    assert (result.getall(), result.has_more()) == ([], False)


async def test_fetched_batches_of_transactions_are_those_that_were_committed() -> None:
    """Records of an aborted transaction and the ends of transactions are left out; the position moves over them."""
    batches = (
        batch(0, b"a", producer=7),
        batch(1, b"b", producer=8),
        batch(2, ABORTED, producer=7, control=True),
        batch(3, COMMITTED, producer=8, control=True),
        batch(4, b"c", producer=7),
        batch(5, COMMITTED, producer=7, control=True),
    )
    fetch = Fetch(*batches, aborted=[(7, 0)])
    taken = (await fetch.as_columns()).getall()
    assert [(offset, value) for offset, _, value in rows(taken)] == [(1, b"b"), (4, b"c")]
    assert fetch.state.position == 6


async def test_fetched_batch_that_is_corrupt_is_fetched_again() -> None:
    """Records before it are returned first; then it is an error, and the position stays before it."""
    broken = bytearray(batch(2, b"c"))
    broken[-2] ^= 1
    fetch = Fetch(batch(0, b"a", b"b"), bytes(broken))
    result = await fetch.as_columns()
    assert [value for _, _, value in rows(result.getall())] == [b"a", b"b"]
    assert (fetch.state.position, result.has_more()) == (2, False)
    again = await (one := Fetch(bytes(broken), begin=2)).as_columns()
    with pytest.raises(CorruptRecordException):
        again.getall()
    assert (one.state.position, again.has_more(), APPEND_TIME) == (2, False, 1)


CODECS = range(5)
"""None, gzip, Snappy, LZ4 and Zstandard."""


def compacted(rng: random.Random, first: int, producer: int) -> tuple[bytes, int]:
    """Return a batch of any codec as compaction leaves it, with holes or without a record, and the offset after it."""
    builder = DefaultRecordBatchBuilder(2, rng.choice(CODECS), producer >= 0, producer, 0, 0, 1 << 22)
    offset = rng.choice([0, 0, 3])
    for _ in range(rng.choice([1, 2, 40])):
        value = (
            rng.randbytes(20_000)
            if rng.random() < 0.01
            else rng.choice([None, b"", b"v" * rng.randrange(90), rng.randbytes(9)])
        )
        builder.append(offset, ARRIVED + rng.randrange(-50, 50), rng.choice([None, b"k"]), value, [("a", None)] * 2)
        offset += rng.choice([1, 1, 1, 4])
    made = bytearray(builder.build())
    if rng.random() < 0.1:  # all records of it were compacted away
        made = made[:61]
        made[8:12], made[57:61], made[22] = (49).to_bytes(4, "big"), bytes(4), made[22] & 0b10000
    made[:8], made[23:27] = first.to_bytes(8, "big"), (offset - 1).to_bytes(4, "big")
    made[22] |= APPENDED * rng.randrange(2)
    made[17:21] = crc32c(bytes(made[21:])).to_bytes(4, "big")
    return bytes(made), first + offset


@pytest.mark.parametrize("seed", range(25))
async def test_fetched_batches_of_any_log_are_the_records_that_aiokafka_reads(seed: int) -> None:
    """With codecs, holes, headers, large and null values, transactions in each other and any number at once."""
    rng = random.Random(seed)
    end, batches, opened, aborted = 0, list[bytes](), dict[int, int](), list[tuple[int, int]]()
    for _ in range(12):
        if opened and rng.random() < 0.3:
            producer, first = opened.popitem()
            is_aborted = rng.random() < 0.5
            aborted += [(producer, first)] * is_aborted
            batches.append(batch(end, ABORTED if is_aborted else COMMITTED, producer=producer, control=True))
            end += 1
            continue
        producer = rng.choice([-1, 7, 8])
        if producer >= 0:
            opened.setdefault(producer, end)
        made, end = compacted(rng, end + rng.choice([0, 0, 5]), producer)
        batches.append(made)
    begin, most = rng.randrange(end), rng.choice([None, 1, 3, 1_000])
    expected = Fetch(*batches, begin=begin, aborted=aborted)
    records = [(one.offset, one.timestamp - ARRIVED, one.value) for one in expected.result.getall()]
    fetch = Fetch(*batches, begin=begin, aborted=aborted)
    result, seen = await fetch.as_columns(), list[tuple[int, int, bytes | None]]()
    while result.has_more():
        seen += (taken := rows(result.getall(most)))
        assert len(taken) <= (most or end)
    assert (seen, fetch.state.position) == (records, expected.state.position)


@pytest.mark.parametrize("codec", [0, 1])
async def test_fetched_batch_of_a_former_format_is_read(codec: int) -> None:
    """A log that an old Kafka began has batches that name no type of their times."""
    builder = LegacyRecordBatchBuilder(1, codec, 1 << 20)
    for number in range(2):
        builder.append(number, ARRIVED + number, None, b"%d" % number)
    made = bytearray(builder.build())
    made[:8] = (codec * 1).to_bytes(8, "big")  # a compressed one is at its last record
    assert rows((await Fetch(bytes(made)).as_columns()).getall()) == [(0, 0, b"0"), (1, 1, b"1")]

"""Fetched records as columns: a batch of Kafka's is read at once, without an object of aiokafka's for each record.

aiokafka's own code goes on reading batches: it checks their sums, leaves out what transactions aborted, and moves the
position. It is only given a part of a batch where it expects a record: what is not wanted yet stays as it was fetched.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, dropwhile, islice
from typing import Any, NamedTuple
from weakref import proxy

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult

from services.stats.counting.decoding import RawBatch
from shared.kafka.adjusted_fetches import after_fetches

APPEND_TIME = 1
"""Type of the timestamps of a topic whose broker stamps them."""


class Fetched(NamedTuple):
    """Fetched records of one partition."""

    partition: TopicPartition
    records: RawBatch

    @property
    def topic(self) -> str:
        """For FastStream, which takes this for a record."""
        return str(self.partition.topic)


def fetch_columns(consumer: Any) -> None:
    """Let a consumer's `getmany` return a RawBatch for each partition, in place of a list of records.

    Args:
        consumer: A started AIOKafkaConsumer.
    """

    def replace() -> None:
        for result in consumer._fetcher._records.values():  # noqa: SLF001 - it has no public attribute
            if type(result) is FetchResult and "getall" not in vars(result):
                result.getall = partial(_Columns(result).take, proxy(result))

    after_fetches(consumer, replace)


class _Columns:
    """What is left of the answer to a fetch from one partition.

    References back to aiokafka's objects are weak: their megabytes are freed as soon as they are taken, not when Python
    looks for cycles.
    """

    def __init__(self, result: FetchResult) -> None:
        fetched: Any = result._partition_records  # noqa: SLF001 - there is no public attribute
        self.fetched = proxy(fetched)
        self.wanted: int | None = None
        """How many records at most are taken next; None: all."""
        fetched._records = _Batches(fetched._records, self)  # noqa: SLF001 - as above
        fetched._consumer_record = lambda _, part: part.columns  # noqa: SLF001 - as above

    def take(self, result: Any, max_records: int | None = None) -> Sequence[Any] | RawBatch:
        """Return the next records, at most so many, and move the position behind them: aiokafka's `getall`.

        Raises:
            KafkaError: what comes next is corrupt. The position is before it, and it will be fetched again.
        """
        if not result.has_more() or not result.check_assignment(result._topic_partition):  # noqa: SLF001
            return []
        fetched, parts, self.wanted = result._partition_records, [], max_records  # noqa: SLF001
        try:
            while self.wanted != 0 and (part := next(fetched, None)) is not None:
                parts.append(part)
                self.wanted = None if self.wanted is None else self.wanted - len(part)
        except Exception:
            if not parts:
                result._partition_records = None  # noqa: SLF001
                raise
        result._update_position()  # noqa: SLF001
        if self.wanted != 0:
            result._partition_records = None  # noqa: SLF001
        return RawBatch.joined(parts) if parts else []


class _Batches:
    """aiokafka's batches, each with parts in place of its records."""

    def __init__(self, batches: Any, columns: _Columns) -> None:
        self._batches = batches
        self._columns = columns

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> "_Batch":
        return _Batch(self._batches.next_batch(), self._columns)


class _Batch:
    """A batch of aiokafka's, in parts of as many records as are wanted: usually it is one."""

    def __init__(self, batch: Any, columns: _Columns) -> None:
        self._batch = batch
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # what a control batch says

    def __iter__(self) -> Iterator[Any]:
        # With the broker's times, a batch has one time of arrival; batches of formats before 2 do not say.
        arrived_together = getattr(self._batch, "timestamp_type", None) == APPEND_TIME
        begin = self._columns.fetched.next_fetch_offset  # a fetch returns the whole batch in which its first record is
        # chain: aiokafka's batch may not be asked for more after its end.
        records = dropwhile(lambda record: record.offset < begin, chain(self._batch))
        while part := list(islice(records, self._columns.wanted)):
            yield _Part(RawBatch.fetched(part, arrived_together=arrived_together))


class _Part:
    """What aiokafka takes for a record."""

    def __init__(self, columns: RawBatch) -> None:
        self.columns = columns
        self.offset = int(columns.offset[-1])

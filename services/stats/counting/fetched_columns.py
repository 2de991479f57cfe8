"""Fetched records as columns: a batch of Kafka's is read at once, without an object of aiokafka's for each record.

aiokafka's own code goes on reading batches: it checks their sums, leaves out what transactions aborted, and moves the
position. It is only given a whole batch where it expects a record.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
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
                result.getall = partial(_Columns(result).take, result)

    after_fetches(consumer, replace)


class _Columns:
    """What is left of the answer to a fetch from one partition."""

    def __init__(self, result: FetchResult) -> None:
        fetched: Any = result._partition_records  # noqa: SLF001 - there is no public attribute
        fetched._records = _WholeBatches(fetched)  # noqa: SLF001 - as above
        fetched._consumer_record = lambda _, batch: batch.columns  # noqa: SLF001 - as above
        self._rest: RawBatch | None = None

    def take(self, result: Any, max_records: int | None = None) -> Sequence[Any] | RawBatch:
        """Return the next records, at most so many, and move the position behind them: aiokafka's `getall`.

        Raises:
            KafkaError: what comes next is corrupt. The position is before it, and it will be fetched again.
        """
        if not result.has_more() or not result.check_assignment(result._topic_partition):  # noqa: SLF001
            return []
        fetched, parts, wanted = result._partition_records, [], max_records or np.inf  # noqa: SLF001
        try:
            while wanted > 0 and (part := self._next(fetched)) is not None:
                self._rest = part[int(wanted) :] if len(part) > wanted else None
                parts.append(part[: int(wanted)] if self._rest is not None else part)
                wanted -= len(parts[-1])
                fetched.next_fetch_offset = int(parts[-1].offset[-1]) + 1
        except Exception:
            if not parts:
                result._partition_records = None  # noqa: SLF001
                raise
        result._update_position()  # noqa: SLF001
        if wanted > 0:
            result._partition_records = None  # noqa: SLF001
        return RawBatch.joined(parts) if parts else []

    def _next(self, fetched: Any) -> RawBatch | None:
        rest, self._rest = self._rest, None
        return rest if rest is not None else next(fetched, None)


class _WholeBatches:
    """aiokafka's batches, each with one record that is the whole batch."""

    def __init__(self, fetched: Any) -> None:
        self._fetched = fetched
        self._batches = fetched._records  # noqa: SLF001 - there is no public attribute

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> "_WholeBatch":
        return _WholeBatch(self._batches.next_batch(), self._fetched)


class _WholeBatch:
    """A batch of aiokafka's, of which the only record is the whole batch."""

    def __init__(self, batch: Any, fetched: Any) -> None:
        self._batch = batch
        self._fetched = fetched

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # what a control batch says

    def __iter__(self) -> Iterator[Any]:
        records = list(self._batch)
        begin = 0
        while begin < len(records) and records[begin].offset < self._fetched.next_fetch_offset:
            begin += 1  # a fetch returns the whole batch in which its first record is
        if begin < len(records):
            # With the broker's times, a batch has one time of arrival; batches of formats before 2 do not say.
            arrived_together = getattr(self._batch, "timestamp_type", None) == APPEND_TIME
            yield _WholeRecord(RawBatch.fetched(records[begin:], arrived_together=arrived_together))


class _WholeRecord:
    """What aiokafka takes for a record."""

    def __init__(self, columns: RawBatch) -> None:
        self.columns = columns
        self.offset = int(columns.offset[-1])

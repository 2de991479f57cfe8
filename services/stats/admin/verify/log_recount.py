"""Recounts with the reference model what the log still has of the counted records."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from services.stats.admin.reference_events import InvalidRecord, read_event
from services.stats.admin.reference_exclusions import ExclusionModel
from services.stats.admin.reference_model import ReferenceCounter
from services.stats.admin.reference_values import Expected, PartitionValues
from services.stats.admin.verify.values import Gap, LogSpan, PartitionProgress, StoredValues
from shared.cli import CommandError
from shared.kafka.last_record import record_checksum
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import TopicIdentity, read_topic
from shared.sites import Sites
from shared.topics import PAGE_VIEWS


class LogRecount:
    """Recounts each partition from the beginning of its log up to the stored offset.

    Args:
        reader: Of the log.
        stored: Its partitions, gaps and exclusions; the known articles of the partition that is recounted.
        sites: By slug.
    """

    def __init__(self, reader: AIOKafkaConsumer, stored: StoredValues, sites: Sites) -> None:
        self._reader = reader
        self._stored = stored
        excluded = set().union(*(one.visitors for one in stored.exclusions)) if stored.exclusions else set()
        self._counter = ReferenceCounter(sites, excluded=excluded)
        self._sites = sites
        self._removed: Counter[str] = Counter()
        """Removed site → records of it that are still to come on the partition."""
        self._begins: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def begin(self) -> None:
        """Check the log, and find the visitors of exclusions.

        Raises:
            CommandError: the log is not the one that was counted, or ends before a stored offset.
            KafkaError: Kafka is unavailable.
        """
        reader = self._reader
        identity, numbers = await read_topic(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
        _check_identity(identity, self._stored.partitions)
        partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in numbers]
        self._begins = await reader.beginning_offsets(partitions)
        self._ends = await reader.end_offsets(partitions)
        for number, progress in self._stored.partitions.items():
            log_end = self._ends.get(TopicPartition(PAGE_VIEWS.name, number), 0)
            if progress.next_offset > log_end:
                raise CommandError(
                    f"partition {number} is counted to {progress.next_offset} and the log ends at {log_end}"
                )
        await _recount_exclusions(reader, self._stored, self._begins, self._ends)

    @property
    def may_lack(self) -> bool:
        """Whether counted records may be gone from the log."""
        return bool(self._stored.gaps) or any(begin > 0 for begin in self._begins.values())

    @property
    def partitions(self) -> list[int]:
        """Those of the log."""
        return [one.partition for one in self._begins]

    @property
    def records(self) -> int:
        """Records that are still in the log and were counted, about."""
        counted = ((self._place(n), one.next_offset) for n, one in self._stored.partitions.items())
        return sum(end - self._begins.get(place, 0) for place, end in counted)

    async def partition(self, number: int, advance: Callable[[int], None]) -> tuple[PartitionValues, LogSpan | None]:
        """Return what must be stored of a partition, and what the log has of it; None if it is not in the log either.

        Raises:
            CommandError: the log was shortened meanwhile.
            KafkaError: Kafka is unavailable.
        """
        place = self._place(number)
        progress = self._stored.partitions.get(number)
        if progress is None:
            if place not in self._begins:
                return PartitionValues(), None
            uncounted = self._ends[place] - self._begins[place]
            return PartitionValues(), LogSpan(self._begins[place], None, {}, offsets_without_position=uncounted)
        begin = self._begins.get(place, 0)  # a new topic may have fewer partitions than the former
        self._counter.begin_partition(number, self._stored.articles_of(number, begin), progress.evidence_from)
        self._removed = self._stored.events_of_removed_sites(number, self._sites)
        span = await _recount_partition(self._reader, place, begin, self._stored, self._add, advance=advance)
        return self._counter.end_partition(), span

    def _add(self, record: Any) -> None:
        """Count a record. The first ones of a removed site are those that its kept ledger has."""
        site = _site(record.value) if self._removed else ""
        if self._removed[site] > 0:
            self._removed[site] -= 1
            self._counter.skip(record.timestamp)
        else:
            self._counter.add(record.offset, record.timestamp, record.value)

    def finish(self) -> Expected:
        """Return what is of all partitions: visitors, and the number of records."""
        return self._counter.finish()

    @staticmethod
    def _place(number: int) -> TopicPartition:
        return TopicPartition(PAGE_VIEWS.name, number)


async def _recount_exclusions(
    reader: AIOKafkaConsumer,
    stored: StoredValues,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> None:
    """Find the visitors that the log expects of the standing exclusions; without any, nothing is read."""
    standing = [one for one in stored.exclusions if one.is_standing]
    model = ExclusionModel([one.row for one in standing])
    if standing:
        for partition, end in ends.items():
            async for records in read_range(reader, partition, begins[partition], end):
                for record in records:
                    model.add(record.timestamp, record.value)
    found = model.found()
    for one in standing:
        one.expected = found[one.row.id]


async def _recount_partition(
    reader: AIOKafkaConsumer,
    partition: TopicPartition,
    begin: int,
    stored: StoredValues,
    add: Callable[[Any], None],
    *,
    advance: Callable[[int], None],
) -> LogSpan:
    number, end = partition.partition, stored.partitions[partition.partition].next_offset
    first_arrived, last_record = None, None
    in_gaps = dict.fromkeys((gap for gap in stored.gaps if gap.partition == number), 0)
    try:
        async for records in read_range(reader, partition, begin, end):
            first_arrived = records[0].timestamp if records and first_arrived is None else first_arrived
            for record in records:
                add(record)
                _count_in_gaps(in_gaps, record.offset)
            advance(len(records))
            if records and records[-1].offset == end - 1:
                last_record = record_checksum(records[-1].timestamp, records[-1].value)
    except OffsetOutOfRangeError as error:
        raise CommandError("Kafka deleted old records while they were read; run it again") from error
    return LogSpan(begin, first_arrived, in_gaps, last_record)


def _site(value: bytes | None) -> str:
    try:
        return read_event(value).site
    except InvalidRecord:
        return ""


def _count_in_gaps(in_gaps: dict[Gap, int], offset: int) -> None:
    for gap in in_gaps:
        if gap.first_lost <= offset < gap.next_available:
            in_gaps[gap] += 1


def _check_identity(identity: TopicIdentity, counted: Mapping[int, PartitionProgress]) -> None:
    others = {TopicIdentity(one.cluster, one.topic_id) for one in counted.values()} - {TopicIdentity("", ""), identity}
    if others:
        names = ", ".join(sorted(f"{one.topic_id} of cluster {one.cluster}" for one in others))
        raise CommandError(
            f"the counts are of topic {names}, and this {PAGE_VIEWS.name} is {identity.topic_id} of cluster "
            f"{identity.cluster}"
        )

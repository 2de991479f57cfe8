"""Recounts with the reference model what the log still has of the counted records."""

from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from services.stats.admin.reference_exclusions import ExclusionModel
from services.stats.admin.reference_model import ReferenceCounter
from services.stats.admin.reference_values import Expected
from services.stats.admin.verify.values import Gap, LogSpan, PartitionProgress, StoredValues
from shared.cli import CommandError
from shared.kafka.last_record import record_checksum
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import TopicIdentity, read_topic
from shared.progress_bar import progress_bar
from shared.sites import Sites
from shared.topics import PAGE_VIEWS


async def recount_log(
    reader: AIOKafkaConsumer, stored: StoredValues, sites: Sites
) -> tuple[Expected, dict[int, LogSpan]]:
    """Recount each partition from the beginning of its log up to the stored offset.

    Raises:
        CommandError: the log is not the one that was counted, ends before a stored offset, or was shortened meanwhile.
        KafkaError: Kafka is unavailable.
    """
    identity, numbers = await read_topic(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    _check_identity(identity, stored.partitions)
    excluded = set().union(*(one.visitors for one in stored.exclusions)) if stored.exclusions else set()
    counter = ReferenceCounter(sites, excluded=excluded)
    spans: dict[int, LogSpan] = {}
    partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in numbers]
    begins = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    for partition in partitions:
        if partition.partition not in stored.partitions:
            uncounted = ends[partition] - begins[partition]
            spans[partition.partition] = LogSpan(begins[partition], None, {}, offsets_without_position=uncounted)
    await _recount_exclusions(reader, stored, begins, ends)
    counted_to = {TopicPartition(PAGE_VIEWS.name, number): one.next_offset for number, one in stored.partitions.items()}
    total = sum(end - begins.get(partition, 0) for partition, end in counted_to.items())
    with progress_bar("records", total) as advance:
        for number, progress in stored.partitions.items():
            partition = TopicPartition(PAGE_VIEWS.name, number)  # a new topic may have fewer partitions than the former
            begin, log_end = begins.get(partition, 0), ends.get(partition, 0)
            if progress.next_offset > log_end:
                raise CommandError(
                    f"partition {number} is counted to {progress.next_offset} and the log ends at {log_end}"
                )
            counter.begin_partition(number, stored.articles_of(number, begin), progress.evidence_from)
            spans[number] = await _recount_partition(reader, partition, begin, stored, counter, advance=advance)
    return counter.finish(), spans


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
    counter: ReferenceCounter,
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
                counter.add(record.offset, record.timestamp, record.value)
                _count_in_gaps(in_gaps, record.offset)
            advance(len(records))
            if records and records[-1].offset == end - 1:
                last_record = record_checksum(records[-1].timestamp, records[-1].value)
    except OffsetOutOfRangeError as error:
        raise CommandError("Kafka deleted old records while they were read; run it again") from error
    return LogSpan(begin, first_arrived, in_gaps, last_record)


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

"""Recounts with the reference model what the log still has of the counted records."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from services.stats.admin.reference_model import Expected, ReferenceCounter
from services.stats.admin.verify.values import Gap, LogSpan, PartitionProgress, StoredValues
from shared.cli import CommandError
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import read_identity
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
    counter = ReferenceCounter(sites)
    spans: dict[int, LogSpan] = {}
    partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in stored.partitions]
    if not partitions:
        return counter.finish(), spans
    begins = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    await _check_identity(reader, stored.partitions)
    for partition in partitions:
        number, begin = partition.partition, begins[partition]
        end = stored.partitions[number].next_offset
        if end > ends[partition]:
            raise CommandError(f"partition {number} is counted to {end} and the log ends at {ends[partition]}")
        counter.begin_partition(number, stored.articles_of(number, begin))
        first_arrived = None
        in_gaps = dict.fromkeys((gap for gap in stored.gaps if gap.partition == number), 0)
        try:
            async for records in read_range(reader, partition, begin, end):
                first_arrived = records[0].timestamp if records and first_arrived is None else first_arrived
                for record in records:
                    counter.add(record.offset, record.timestamp, record.value)
                    _count_in_gaps(in_gaps, record.offset)
        except OffsetOutOfRangeError as error:
            raise CommandError("Kafka deleted old records while they were read; run it again") from error
        spans[number] = LogSpan(begin, first_arrived, in_gaps)
    return counter.finish(), spans


def _count_in_gaps(in_gaps: dict[Gap, int], offset: int) -> None:
    for gap in in_gaps:
        if gap.first_lost <= offset < gap.next_available:
            in_gaps[gap] += 1


async def _check_identity(reader: AIOKafkaConsumer, counted: Mapping[int, PartitionProgress]) -> None:
    identity = await read_identity(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    others = {one.topic_id for one in counted.values()} - {"", identity.topic_id}
    if others:
        raise CommandError(
            f"the counts are of topic {', '.join(sorted(others))} and this {PAGE_VIEWS.name} is {identity.topic_id}"
        )

"""What the relay has compared of a topic, and whether the topic is still the same log."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from shared.consumer_offsets import ConsumerOffsets, LogPosition
from shared.kafka.last_record import read_checksums, record_checksum
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import TopicIdentity, read_topics
from shared.postgres import Connection


@dataclass
class ComparedLog:
    """The part of a topic that is not compared yet: all of it, if it is not the log that was compared before."""

    identity: TopicIdentity
    is_known: bool
    """It is the log that was compared last, with its last records."""
    was_compared: bool
    """Some log of the topic was compared before."""
    stored: dict[int, LogPosition]
    beginnings: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]
    compared: dict[int, LogPosition] = field(default_factory=dict)
    """Positions after the records that were read."""

    async def records(
        self, reader: AIOKafkaConsumer, read_to: dict[TopicPartition, int], *, everything: bool
    ) -> AsyncIterator[Sequence[ConsumerRecord]]:
        """Yield the records that are not compared yet, or all; their positions are in `compared` afterwards.

        Args:
            reader: A consumer without a group.
            read_to: Up to which offset each partition was read by former calls, with ends of transactions; updated.
            everything: Yield all records of the topic.
        """
        for place, end in self.ends.items():
            if self.is_known and not everything and read_to.get(place) == end:
                continue
            beginning = self.beginnings[place]
            position = self.stored[place.partition] if self.is_known else LogPosition(self.identity, beginning)
            first = beginning if everything else max(position.next_offset, beginning)
            async for records in read_range(reader, place, first, end):
                yield records
                if records:
                    last = records[-1]
                    checksum = record_checksum(last.timestamp, last.value)
                    position = LogPosition(self.identity, last.offset + 1, checksum)
            self.compared[place.partition] = position
            read_to[place] = end

    def moved(self) -> dict[int, LogPosition]:
        """Return the positions that differ from the stored ones."""
        return {number: one for number, one in self.compared.items() if self.stored.get(number) != one}


async def open_compared_logs(
    connection: Connection, reader: AIOKafkaConsumer, topics: Sequence[ConsumerOffsets]
) -> list[ComparedLog]:
    """Compare the stored positions with topics, in this order, by as many requests as one topic takes.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    all_stored = [await one.read(connection) for one in topics]  # before the ends: the logs only grow
    names = [one.topic for one in topics]
    found = await read_topics(reader._client, names)  # noqa: SLF001 - it has no public attribute
    places = [
        [TopicPartition(name, number) for number in numbers] for name, (_, numbers) in zip(names, found, strict=True)
    ]
    beginnings = await reader.beginning_offsets([*chain.from_iterable(places)])
    ends = await reader.end_offsets([*chain.from_iterable(places)])
    logs = [
        ComparedLog(
            identity,
            False,
            bool(stored),
            stored,
            {one: beginnings[one] for one in of_topic},
            {one: ends[one] for one in of_topic},
        )
        for stored, (identity, _), of_topic in zip(all_stored, found, places, strict=True)
    ]
    last_records = [_last_records(one) for one in logs]
    read: dict[TopicPartition, int] = {}
    for offsets in last_records:
        read |= offsets or {}
    checksums = await read_checksums(reader, read)  # which leaves them paused: they would be fetched all the time
    for log, offsets in zip(logs, last_records, strict=True):
        log.is_known = offsets is not None and all(
            checksums[place] == log.stored[place.partition].last_record for place in offsets
        )
    return logs


def _last_records(log: ComparedLog) -> dict[TopicPartition, int] | None:
    """Return the offsets of the records by which a log is recognised; None if it is another one in any case."""
    offsets = {}
    for place, end in log.ends.items():
        position = log.stored.get(place.partition)
        if position is None or position.identity != log.identity or position.next_offset > end:
            return None
        if position.last_record is not None and position.next_offset > log.beginnings[place]:
            offsets[place] = position.next_offset - 1
    return offsets

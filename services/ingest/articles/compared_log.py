"""What the relay has compared of a topic, and whether the topic is still the same log."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from shared.consumer_offsets import ConsumerOffsets, LogPosition
from shared.kafka.last_record import read_checksums, record_checksum
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import TopicIdentity, read_topic
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


async def open_compared_log(connection: Connection, reader: AIOKafkaConsumer, offsets: ConsumerOffsets) -> ComparedLog:
    """Compare the stored positions with a topic.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    stored = await offsets.read(connection)  # before the ends: the log only grows
    identity, numbers = await read_topic(reader._client, offsets.topic)  # noqa: SLF001 - it has no public attribute
    places = [TopicPartition(offsets.topic, number) for number in numbers]
    beginnings = await reader.beginning_offsets(places)
    ends = await reader.end_offsets(places)
    is_known = await _is_known(reader, stored, identity, beginnings, ends)
    return ComparedLog(identity, is_known, bool(stored), stored, beginnings, ends)


async def _is_known(
    reader: AIOKafkaConsumer,
    stored: dict[int, LogPosition],
    identity: TopicIdentity,
    beginnings: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
) -> bool:
    last_records = {}
    for place, end in ends.items():
        position = stored.get(place.partition)
        if position is None or position.identity != identity or position.next_offset > end:
            return False
        if position.last_record is not None and position.next_offset > beginnings[place]:
            last_records[place] = position.next_offset - 1
    found = await read_checksums(reader, last_records)  # which leaves them paused: they would be fetched all the time
    return all(found[place] == stored[place.partition].last_record for place in last_records)

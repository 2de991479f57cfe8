"""Recognises a log by its last processed record, and by the connection that it is read through.

An offset is valid in the log that it was read in, and in no other. Kafka may lose the tail of a log (an older data
directory, an election of an incomplete replica) and give the lost offsets to other records; the record before an
offset then differs from the one that was processed there.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaConnectionError


def record_checksum(arrived: int, value: bytes | None) -> int:
    """Return the checksum of a record in 63 bits: of its arrival (milliseconds) and its value."""
    content = b"-" if value is None else b"+" + value
    digest = hashlib.blake2b(b"%d" % arrived + content, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


async def read_checksums(
    reader: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int | None]:
    """Return the checksum of the record at an offset of each partition; None where there is no record."""
    if not offsets:
        return {}
    found: dict[TopicPartition, int | None] = {}
    reader.assign(list(offsets))
    for place, offset in offsets.items():
        reader.seek(place, offset)
    while missing := [place for place in offsets if place not in found]:
        fetched = await reader.getmany(*missing, timeout_ms=200)
        for place in missing:
            if records := fetched.get(place):
                first = records[0]
                at_offset = first.offset == offsets[place]
                found[place] = record_checksum(first.timestamp, first.value) if at_offset else None
            elif await reader.position(place) > offsets[place]:  # the end of a transaction, which is no record
                found[place] = None
            if place in found:
                reader.pause(place)
    return found


def current_connection(consumer: Any, partition: TopicPartition) -> Any:
    """Return the connection through which a consumer fetches a partition; None if it has none at this moment.

    Kafka cannot lose records behind an open connection to the partition's leader: it must restart, or another broker
    must become the leader. After either the log may be another one.
    """
    client = consumer._client  # noqa: SLF001 - there is no public attribute
    leader = client.cluster.leader_for_partition(partition)
    return client._conns.get((leader, ConnectionGroup.DEFAULT))  # noqa: SLF001 - there is no public attribute


async def connect_to_leader(consumer: Any, partition: TopicPartition) -> Any:
    """Return the connection through which a consumer is going to fetch a partition.

    Raises:
        KafkaConnectionError: the leader is unknown or cannot be reached.
    """
    client = consumer._client  # noqa: SLF001 - there is no public attribute
    leader = client.cluster.leader_for_partition(partition)
    if leader is None or leader < 0 or not await client.ready(leader):
        raise KafkaConnectionError(f"{partition.topic}-{partition.partition} has no leader that can be reached")
    return current_connection(consumer, partition)

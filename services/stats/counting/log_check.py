"""Compares stored positions with the log: does it still hold, at the same offset, the record that was counted last?

A position is valid in the log that it was counted in, and in no other. Kafka may delete a topic and create it again,
lose its tail (an older data directory, an election of an incomplete replica), and give the lost offsets to other
records. Offsets alone do not show that once the log has outgrown the position; the last counted record does.
Nor is anything counted while the broker does not stamp records when they arrive.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.counting.store import Position
from shared.kafka.config import KafkaConfig
from shared.kafka.last_record import read_checksums
from shared.kafka.log_reader import log_reader
from shared.kafka.topic_config import read_config
from shared.kafka.topic_identity import TopicIdentity, read_topic
from shared.topic_check import APPLY_COMMAND
from shared.topics import PAGE_VIEWS, TIMESTAMPS

CHECK_SECONDS = 5.0
"""From one check of a counter's partitions to the next."""
REPLY_SECONDS = 10.0
FETCH_BYTES = 1024 * 1024
RESTORE_KAFKA = "Restore Kafka's newest data, and counting continues by itself. If they are gone, run"
"""Precedes the command of a message: what was counted and is lost in Kafka must not be lost in Postgres too."""


class Mismatch(NamedTuple):
    """A partition whose log is not the one that was counted, and why."""

    kind: Literal["other topic", "lost records", "timestamps"]
    message: str


class PartitionLog(NamedTuple):
    """A partition's log, compared with the stored position."""

    beginning: int
    end: int
    """The last stable offset: the end of the committed records."""
    mismatch: Mismatch | None


class LogChecker:
    """Reads the log through a consumer without a group, which does not disturb the counting one."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._reader: AIOKafkaConsumer | None = None
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()

    async def read_topic(self, topic: str) -> tuple[TopicIdentity, list[int]]:
        """Return the identity of a topic and its partitions.

        Raises:
            UnknownTopicOrPartitionError: it does not exist.
            KafkaError, OSError, TimeoutError: Kafka is unavailable.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(REPLY_SECONDS):
                    return await read_topic((await self._open())._client, topic)  # noqa: SLF001 - it has no public attribute
            except BaseException:
                await self._discard()
                raise

    async def beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that the log still has, for each partition.

        Raises:
            KafkaError, OSError, TimeoutError: Kafka is unavailable.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(REPLY_SECONDS):
                    return dict(await (await self._open()).beginning_offsets(partitions))
            except BaseException:
                await self._discard()
                raise

    async def check(self, topic: str, positions: Mapping[int, Position]) -> dict[int, PartitionLog]:
        """Compare the positions of partitions with the log. They must have been read before: the log only grows.

        Raises:
            UnknownTopicOrPartitionError: the topic does not exist.
            KafkaError, OSError, TimeoutError: Kafka is unavailable.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(REPLY_SECONDS):
                    logs = await compare_with_log(await self._open(), topic, positions)
                    return refuse_timestamps(logs, await read_config((await self._open())._client, topic))  # noqa: SLF001 - it has no public attribute
            except BaseException:
                await self._discard()
                raise

    async def close(self) -> None:
        """Close the connection."""
        await self._discard()

    async def _open(self) -> AIOKafkaConsumer:
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(log_reader(self._kafka, FETCH_BYTES))
        return self._reader

    async def _discard(self) -> None:
        stack, self._stack, self._reader = self._stack, AsyncExitStack(), None
        await stack.aclose()


async def compare_with_log(
    reader: AIOKafkaConsumer, topic: str, positions: Mapping[int, Position]
) -> dict[int, PartitionLog]:
    """Compare positions with the log through a given reader; see `LogChecker.check`."""
    identity, numbers = await read_topic(reader._client, topic)  # noqa: SLF001 - it has no public attribute
    places = [TopicPartition(topic, number) for number in positions if number in numbers]
    beginnings = await reader.beginning_offsets(places) if places else {}
    ends = await reader.end_offsets(places) if places else {}
    last_records = {
        place: position.next_offset - 1
        for place in places
        if (position := positions[place.partition]).identity == identity
        and position.last_record is not None
        and beginnings[place] < position.next_offset <= ends[place]
    }
    found = await read_checksums(reader, last_records)
    compared = {}
    for number, position in positions.items():
        place = TopicPartition(topic, number)
        end = ends.get(place, 0)
        mismatch = find_mismatch(position, identity, end)
        if mismatch is None and place in last_records and found[place] != position.last_record:
            mismatch = _lost(f"the record before offset {position.next_offset} is not the one that was counted there")
        compared[number] = PartitionLog(beginnings.get(place, 0), end, mismatch)
    return compared


def refuse_timestamps(logs: dict[int, PartitionLog], config: Mapping[str, str] | None) -> dict[int, PartitionLog]:
    """Return the logs with a mismatch if the broker does not stamp records when they arrive.

    A record's arrival decides whether it is too old or in the future, what a late event finds in the state, and where
    counting continues after lost records. A sender's timestamp may be any. Records that were stored meanwhile keep the
    times of their senders and are counted by them.

    Args:
        logs: By partition.
        config: The topic's properties; None if they cannot be read.
    """
    wanted = PAGE_VIEWS.config[TIMESTAMPS]
    if config is None or config[TIMESTAMPS] == wanted:
        return logs
    message = (
        f"{TIMESTAMPS} is {config[TIMESTAMPS]} instead of {wanted}: {PAGE_VIEWS.consequences[TIMESTAMPS]}. Nothing is "
        f"counted. Run `{APPLY_COMMAND}`, and counting continues by itself"
    )
    wrong = Mismatch("timestamps", message)
    return {number: one._replace(mismatch=one.mismatch or wrong) for number, one in logs.items()}


def find_mismatch(position: Position, identity: TopicIdentity, end: int) -> Mismatch | None:
    """Compare a position with the identity of the topic and the end of the partition's log."""
    if position.identity != identity:
        return Mismatch(
            "other topic",
            f"the counts are of topic {position.identity.topic_id} of cluster {position.identity.cluster}, and "
            f"this is topic {identity.topic_id} of cluster {identity.cluster}: was it deleted and created again? "
            f"Nothing is counted. {RESTORE_KAFKA} `presstally stats rebuild --new-log`: it keeps all counts "
            "and continues with the new log from its beginning",
        )
    if position.next_offset > end:
        return _lost(f"the counts are at offset {position.next_offset} and the log ends at {end}")
    return None


def _lost(symptom: str) -> Mismatch:
    return Mismatch(
        "lost records",
        f"{symptom}: Kafka has lost records that are counted. Nothing is counted. {RESTORE_KAFKA} "
        "`presstally stats rebuild --lost-records`: it keeps all counts and continues with the records "
        "that arrived later",
    )

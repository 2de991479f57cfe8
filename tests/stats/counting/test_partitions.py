"""Restoring assigned partitions from Postgres: positions, snapshots, gaps and the check of the topic."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.stats.counting.log_check import compare_with_log
from services.stats.counting.partitions import AssignedPartition, TopicMismatch, check_positions, restore_partitions
from services.stats.counting.rules import fold
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.state import PartitionState
from services.stats.counting.store import Position, commit_batch, save_snapshot
from shared.kafka.topic_identity import read_topic
from shared.postgres import open_pool
from tests.shared.kafka.test_topic_identity import Client
from tests.stats.counting.test_rules import SITES, record, snapshot

ZERO, ONE = TopicPartition("page-views", 0), TopicPartition("page-views", 1)
TOPIC_IDS = [UUID(int=1), UUID(int=2)]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=2)
    yield pool
    await pool.close()


def consumer(beginnings: dict[TopicPartition, int], ends: dict[TopicPartition, int], topic_id: int = 0) -> Any:
    """Return an AIOKafkaConsumer that knows its offsets and the topic's id."""

    async def beginning_offsets(_: Any) -> dict[TopicPartition, int]:
        return beginnings

    async def end_offsets(_: Any) -> dict[TopicPartition, int]:
        return ends

    async def ready(_: int) -> bool:
        return True

    partitions = [(0, one.partition, 1, 0, [1], [1], [], {}) for one in beginnings]
    client: Any = Client(0, "page-views", TOPIC_IDS[topic_id], False, partitions, 0, {})
    client.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
    client.ready, client._conns = ready, {}
    return SimpleNamespace(beginning_offsets=beginning_offsets, end_offsets=end_offsets, _client=client)


class Checker:
    """The checker, reading through the same consumer."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self.beginnings = reader.beginning_offsets

    async def read_topic(self, topic: str) -> Any:
        return await read_topic(self.reader._client, topic)

    async def check(self, topic: str, positions: Any) -> Any:
        return await compare_with_log(self.reader, topic, positions)


async def restore_all(
    pool: asyncpg.Pool, reader: Any, partitions: list[TopicPartition]
) -> dict[TopicPartition, AssignedPartition]:
    checker: Any = Checker(reader)
    return await restore_partitions(pool, await check_positions(pool, reader, checker, partitions, partitions))


async def restore(pool: asyncpg.Pool, begin: int = 0, end: int = 100, topic_id: int = 0) -> AssignedPartition:
    return (await restore_all(pool, consumer({ZERO: begin}, {ZERO: end}, topic_id), [ZERO]))[ZERO]


async def count(pool: asyncpg.Pool, position: Position, number: int) -> tuple[Position, PartitionState]:
    state = PartitionState()
    deltas = fold([record(offset) for offset in range(number)], state, SITES)
    after = position._replace(next_offset=position.next_offset + number)
    await commit_batch(pool, "page-views", 0, deltas, position=position, new=after)
    return after, state


async def test_restore_new_partitions_begins_at_the_start_of_the_log(pool: asyncpg.Pool) -> None:
    """Partitions without a position begin at the log's beginning, with an empty state."""
    restored = await restore_all(pool, consumer({ZERO: 0, ONE: 40}, {ZERO: 9, ONE: 90}), [ZERO, ONE])
    assert {one: (part.read_next, part.position.next_offset) for one, part in restored.items()} == {
        ZERO: (0, 0),
        ONE: (40, 40),
    }
    assert restored[ONE].position.offsets_without_record == 40
    assert restored[ONE].state.entries == 0


async def test_restore_without_a_snapshot_reads_the_log_again(pool: asyncpg.Pool) -> None:
    """Counted records are read again from the beginning of the log when there is no snapshot of the state."""
    await count(pool, (await restore(pool)).position, 5)
    restored = await restore(pool)
    assert (restored.read_next, restored.position.next_offset, restored.is_replaying) == (0, 5, True)


async def test_restore_with_a_snapshot_begins_at_its_offset(pool: asyncpg.Pool) -> None:
    """The state of the newest snapshot that is not ahead of the counts is used, and reading begins at its offset."""
    position, state = await count(pool, (await restore(pool)).position, 5)
    await save_snapshot(pool, "page-views", 0, position, to_bytes(state))
    restored = await restore(pool)
    assert (restored.read_next, restored.is_replaying) == (5, False)
    assert snapshot(restored.state) == snapshot(state)
    await save_snapshot(pool, "page-views", 0, position._replace(next_offset=6), to_bytes(state))
    assert (await restore(pool)).read_next == 0


async def test_restore_after_deleted_records_stores_the_gap(pool: asyncpg.Pool) -> None:
    """Records that Kafka deleted before they were counted are skipped, once, and stored as a gap."""
    await count(pool, (await restore(pool)).position, 5)
    restored = await restore(pool, begin=30)
    assert (restored.position.next_offset, restored.position.epoch, restored.read_next) == (30, 1, 30)
    await restore(pool, begin=30)
    gaps = await pool.fetch("SELECT partition, first_lost, next_available FROM stats.gaps")
    assert [tuple(gap) for gap in gaps] == [(0, 5, 30)]


async def test_restore_of_another_topic_or_a_shorter_log_raises(pool: asyncpg.Pool) -> None:
    """A topic with another id, and a log that ends before the counted offset, are refused with a message."""
    await count(pool, (await restore(pool)).position, 5)
    with pytest.raises(TopicMismatch, match="was it deleted and created again"):
        await restore(pool, topic_id=1)
    with pytest.raises(TopicMismatch, match="the log ends at 4: Kafka has lost records"):
        await restore(pool, end=4)


def test_assigned_partition_is_counted_up_to_the_skipped_offset() -> None:
    """Offsets without a record after the last counted one are counted, and never fewer than Postgres has."""
    part = AssignedPartition(Position(1, 0, 10), 10, PartitionState())
    assert (part.counted_up_to, part.is_committed, part.is_replaying) == (10, True, False)
    part.skipped_to = 12
    assert part.counted_up_to == 12
    part.position = Position(1, 0, 20)
    assert part.counted_up_to == 20

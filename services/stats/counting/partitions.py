"""Restores assigned partitions: the position in Postgres, a snapshot of the state, and the check of the topic."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.decoding import EventBatch, RawBatch
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.lag import Lag
from services.stats.counting.log_check import LogChecker, PartitionLog
from services.stats.counting.rules import CountDeltas, fold_batch, needs_evicted_state
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.state import PartitionState
from services.stats.counting.store import (
    Position,
    find_known_articles,
    read_evicted_state,
    read_evidence_from,
    read_excluded,
    read_known_articles,
    read_positions,
    read_snapshot,
    save_snapshot,
    skip_gap,
)
from services.stats.metrics import GAP_RECORDS
from shared.kafka.last_record import connect_to_leader
from shared.logs import log


class TopicMismatch(Exception):  # noqa: N818 - it names a state
    """The topic is not the one that was counted: going on would give wrong counts in any case."""


@dataclass
class AssignedPartition:
    """A partition that this process counts: its position and its state."""

    position: Position
    """In Postgres, once `committing` is done."""
    read_next: int
    """All records before this offset were folded into `state`."""
    state: PartitionState
    connection: Any = None
    """Through which the log was fetched when it was compared with the position; see `shared.kafka.last_record`."""
    evicted: list[EvictedState] | None = None
    """What the state evicted, while there are events so old that it matters."""
    committing: asyncio.Task[None] | None = None
    unsaved_records: int = 0
    """Number of records folded since the last snapshot."""
    lag: Lag = field(default_factory=Lag)
    skipped_to: int = 0
    """How far the consumer has skipped offsets without a record; see `offset_reporter`."""

    @property
    def is_committed(self) -> bool:
        """Whether Postgres has all that was folded."""
        return self.committing is None or self.committing.done()

    @property
    def counted_up_to(self) -> int:
        """The offset before which nothing is left to count."""
        return max(self.position.next_offset, self.skipped_to)

    @property
    def is_replaying(self) -> bool:
        """Whether the state is still being rebuilt from records that are already counted."""
        return self.read_next < self.position.next_offset


class CheckedPositions(NamedTuple):
    """Positions of partitions whose log is the one that was counted."""

    positions: dict[int, Position]
    beginnings: dict[TopicPartition, int]
    """The first offset that the log still has."""
    connections: dict[TopicPartition, Any]
    """Through which the consumer is going to read the log that was compared."""


async def check_positions(
    pool: asyncpg.Pool,
    consumer: Any,
    checker: LogChecker,
    partitions: Sequence[TopicPartition],
    all_assigned: Collection[TopicPartition],
) -> CheckedPositions:
    """Read the positions of partitions and compare them with the log; store the gaps of deleted records.

    Args:
        pool: Postgres.
        consumer: The AIOKafkaConsumer that is going to read them; its positions are not changed.
        checker: Compares the positions with the log.
        partitions: Of one topic.
        all_assigned: All partitions that this process counts: none continues while the log of one is another one.

    Raises:
        TopicMismatch: the topic was deleted and created again, or Kafka has lost records that are counted.
        UnknownTopicOrPartitionError: the topic does not exist.
        KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Kafka or Postgres is
            unavailable.
    """
    topic = partitions[0].topic
    # First the connections, then the check: what the consumer fetches through another connection may be another log.
    connections = {one: await connect_to_leader(consumer, one) for one in partitions}
    checked = sorted({*partitions, *all_assigned})
    identity, _ = await checker.read_topic(topic)
    beginnings = await checker.beginnings(checked)
    first_offsets = {one.partition: beginnings[one] for one in checked}
    positions = await read_positions(pool, topic, first_offsets, identity)
    logs = await checker.check(topic, positions)
    refuse_mismatches(topic, logs)
    beginnings = {one: logs[one.partition].beginning for one in partitions}
    if await _skip_gaps(pool, partitions, positions, beginnings):
        positions = await read_positions(pool, topic, first_offsets, identity)
    return CheckedPositions(positions, beginnings, connections)


async def restore_partitions(pool: asyncpg.Pool, checked: CheckedPositions) -> dict[TopicPartition, AssignedPartition]:
    """Return the starting point of each partition; it must be read from `read_next` on.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    restored = {}
    generations = {position.generation for position in checked.positions.values()}
    excluded = {generation: await read_excluded(pool, generation) for generation in generations}
    for one, beginning in checked.beginnings.items():
        # One after the other: a snapshot on the wire is as large as the state made of it.
        position = checked.positions[one.partition]
        snapshot = await read_snapshot(pool, one.topic, one.partition, position)
        saved_at, state = snapshot or (beginning, PartitionState())
        state.known_articles = await read_known_articles(pool, one.partition, position.generation, position.next_offset)
        state.evidence_from = await read_evidence_from(pool, one.topic, one.partition, position.generation)
        state.excluded = excluded[position.generation]
        restored[one] = AssignedPartition(position, max(saved_at, beginning), state, checked.connections[one])
    return restored


async def save_states(pool: asyncpg.Pool, states: Mapping[TopicPartition, AssignedPartition]) -> None:
    """Save the states of partitions whose records are all committed, so that the log need not be read again.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    committing = {owned.committing for owned in states.values() if owned.committing is not None}
    if committing:
        await asyncio.wait(committing)
    await asyncio.gather(
        *(
            save_snapshot(pool, one.topic, one.partition, owned.position, to_bytes(owned.state))
            for one, owned in states.items()
            if owned.unsaved_records and owned.read_next == owned.position.next_offset
        )
    )


async def fold_next(
    pool: asyncpg.Pool, partition: TopicPartition, owned: AssignedPartition, batch: EventBatch, records: RawBatch
) -> CountDeltas:
    """Fold the next batch of a partition, decoded from `records`, into its state. All before it is committed.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable; the state is as
            before.
    """
    generation = owned.position.generation
    if not needs_evicted_state(batch, owned.state, records):
        owned.evicted = None
    elif owned.evicted is None:
        owned.evicted = await read_evicted_state(pool, partition.topic, partition.partition, generation)
    await find_known_articles(pool, partition.partition, generation, batch, owned.state.known_articles)
    deltas = fold_batch(batch, owned.state, records, owned.evicted)
    owned.read_next = int(records.offset[-1]) + 1
    owned.unsaved_records += len(records)
    return deltas


def refuse_mismatches(topic: str, logs: Mapping[int, PartitionLog]) -> None:
    """Refuse to count while the log of a partition is not the one that was counted.

    Raises:
        TopicMismatch: with the first such partition, and the number of further ones.
    """
    mismatches = [(number, one.mismatch) for number, one in sorted(logs.items()) if one.mismatch]
    if mismatches:
        (number, first), *others = mismatches
        further = f" ({len(others)} other partitions: the same)" if others else ""
        raise TopicMismatch(f"{topic}-{number}{further}: {first.message}")


async def _skip_gaps(
    pool: asyncpg.Pool,
    partitions: Sequence[TopicPartition],
    positions: dict[int, Position],
    beginnings: dict[TopicPartition, int],
) -> bool:
    """Skip records that Kafka deleted before they were counted, and store the gaps; return whether there were any."""
    found = False
    for one in partitions:
        position, beginning = positions[one.partition], beginnings[one]
        if position.next_offset >= beginning:
            continue
        found = True
        if await skip_gap(pool, one.topic, one.partition, position, beginning):
            GAP_RECORDS.inc(beginning - position.next_offset)
            log.error(
                "Kafka deleted records before they were counted; the gap is stored in stats.gaps",
                partition=one.partition,
                first_lost=position.next_offset,
                next_available=beginning,
            )
    return found

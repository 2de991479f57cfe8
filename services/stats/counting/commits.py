"""Commits of folded batches. With a small load, those of all partitions share a transaction.

A partition's next records are folded when its last batch is committed. Each partition is behind a compare-and-set of
its own: one that another counter has moved on is left out of the transaction, and no other one with it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import groupby

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.partitions import AssignedPartition
from services.stats.counting.rules import CountDeltas
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.store import PartitionBatch, Position, commit_batches, observe_commit, save_snapshot
from shared.role import Process

SNAPSHOT_RECORDS = 30_000
"""A snapshot follows after at least so many records, or after as many as it has entries: so it stays a small cost."""
CONCURRENT_SNAPSHOTS = 2


@dataclass
class FoldedBatch:
    """Records of a partition that are folded into its state and not committed yet."""

    place: TopicPartition
    owned: AssignedPartition
    deltas: CountDeltas
    after: Position
    is_caught_up: bool
    """There was nothing else to count when it was folded."""


Guard = Callable[[Mapping[TopicPartition, AssignedPartition]], AbstractAsyncContextManager[None]]
"""Handles what is raised inside it: partitions are reloaded, or the process stops."""


class Commits:
    """Commits batches in background tasks, and saves the snapshots that are due.

    Args:
        pool: Postgres.
        process: Runs the tasks.
        guard: Handles failures.
        on_fenced: Called with a partition that another counter has moved on.
        on_progress: Called after each transaction.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        process: Process,
        guard: Guard,
        *,
        on_fenced: Callable[[TopicPartition, AssignedPartition], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._process = process
        self._guard = guard
        self._on_fenced = on_fenced
        self._on_progress = on_progress
        self._saving = 0  # snapshots in progress, each a copy of a partition's state

    def begin(self, batches: Sequence[FoldedBatch]) -> None:
        """Begin to commit batches of different partitions, in one transaction if they are of one generation."""

        def generation(one: FoldedBatch) -> int:
            return one.owned.position.generation

        for _, some in groupby(sorted(batches, key=generation), key=generation):
            together = sorted(some, key=lambda one: one.place.partition)
            snapshots = {one.place: to_bytes(one.owned.state) for one in together if self._takes_snapshot(one)}
            task = self._process.spawn(self._commit(together, snapshots), "commit")
            for one in together:
                one.owned.committing = task

    def _takes_snapshot(self, batch: FoldedBatch) -> bool:
        owned = batch.owned
        # Sooner when there is nothing else to do.
        due = (
            max(SNAPSHOT_RECORDS // 6, owned.state.entries // 4)
            if batch.is_caught_up
            else max(SNAPSHOT_RECORDS, owned.state.entries)
        )
        if self._saving >= CONCURRENT_SNAPSHOTS or owned.unsaved_records < due:
            return False
        owned.unsaved_records = 0
        self._saving += 1
        return True

    async def _commit(self, batches: Sequence[FoldedBatch], snapshots: Mapping[TopicPartition, bytes]) -> None:
        started, topic = time.perf_counter(), batches[0].place.topic
        committed: list[FoldedBatch] = []
        async with self._guard({one.place: one.owned for one in batches}):
            fenced = await commit_batches(
                self._pool,
                topic,
                [PartitionBatch(one.place.partition, one.deltas, one.owned.position, one.after) for one in batches],
            )
            committed = [one for one in batches if one.place.partition not in fenced]
            for one in committed:
                one.owned.position = one.after
            self._on_progress()
            observe_commit([one.deltas for one in committed], time.perf_counter() - started)
            for one in batches:
                if one.place.partition in fenced:
                    self._on_fenced(one.place, one.owned)
        for one in committed:
            if one.place in snapshots:
                async with self._guard({one.place: one.owned}):
                    await save_snapshot(self._pool, topic, one.place.partition, one.after, snapshots[one.place])
        self._saving -= len(snapshots)


async def committed(states: Sequence[AssignedPartition]) -> None:
    """Wait until nothing of these partitions is being committed."""
    committing = {owned.committing for owned in states if owned.committing is not None}
    if committing:
        await asyncio.wait(committing)

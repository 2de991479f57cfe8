"""Partitions whose latest records are mostly unreadable: they wait, and the others go on.

Dead letters are a way out for single records. If most of a partition is unreadable, an error of this version, or of a
sender, would drain the topic into the dead-letter topic. So the partition is not counted until somebody decides: with a
version that reads the records, or with `dlq accept`. Both change the position in Postgres, or the process.
"""

import asyncio

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.log_check import CHECK_SECONDS
from services.stats.counting.store import Position, read_place
from services.stats.metrics import UNREADABLE_PARTITIONS
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE


class DeadLetterStops:
    """The partitions of a counter that wait for a decision."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._stopped: dict[TopicPartition, str] = {}
        UNREADABLE_PARTITIONS.set(0)

    @property
    def problem(self) -> str | None:
        """Why partitions are not counted, as a message; None if there are none."""
        if not self._stopped:
            return None
        partition, message = min(self._stopped.items())
        further = f" ({len(self._stopped) - 1} other partitions: the same)" if len(self._stopped) > 1 else ""
        return f"page-views-{partition.partition}{further} is not counted: {message}"

    def add(self, partition: TopicPartition, message: str) -> None:
        """Add a partition."""
        log.error("a partition is not counted: its records are unreadable", partition=partition, reason=message)
        self._stopped[partition] = message
        UNREADABLE_PARTITIONS.set(len(self._stopped))

    def clear(self) -> None:
        """Remove all partitions: they may be assigned to another counter."""
        self._stopped.clear()
        UNREADABLE_PARTITIONS.set(0)

    async def wait(self, partition: TopicPartition, position: Position) -> None:
        """Wait until the partition's place in Postgres has changed, or until it is no longer one of these."""
        while partition in self._stopped:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                place = await read_place(self._pool, partition.topic, partition.partition, position.generation)
            except POSTGRES_UNAVAILABLE:
                continue
            if place != (position.epoch, position.next_offset):
                break
        if self._stopped.pop(partition, None) is not None:
            log.info("the unreadable records of a partition are decided: counting continues", partition=partition)
        UNREADABLE_PARTITIONS.set(len(self._stopped))

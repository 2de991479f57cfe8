"""Offsets of a topic, stored in the database that its records fill: how far they are applied there.

A consumer group's offsets are Kafka's, and know nothing of the database: after a restore of an older one they are ahead
of it, and what lies between would be lost. An offset in the same database is restored with the data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg

from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import Connection, NamedQueries, read_queries

_QUERIES = read_queries("shared", "sql/consumer_offsets.sql")


class PositionMoved(Exception):  # noqa: N818 - it names a state
    """The stored offset is not the one that was read: another consumer advanced it, or the database is another one."""


class LogPosition(NamedTuple):
    """How far a partition's records are applied to the database."""

    identity: TopicIdentity
    next_offset: int
    """All records before it are applied."""
    last_record: int | None = None
    """Checksum of the record before it (`last_record.record_checksum`); None if none was read yet."""


@dataclass(frozen=True)
class ConsumerOffsets:
    """The stored offsets of one consumer of one topic.

    Args:
        schema: The Postgres schema of the service.
        consumer: What the offsets belong to; two consumers of a topic fill different tables.
        topic: The topic's name.
    """

    schema: str
    consumer: str
    topic: str

    async def read(self, connection: "asyncpg.Pool | Connection") -> dict[int, LogPosition]:
        """Return the position in each partition that was read so far."""
        rows = await connection.fetch(self._sql["read_offsets"], self.consumer, self.topic)
        return {
            row["partition"]: LogPosition(
                TopicIdentity(row["cluster"], row["topic_id"]), row["next_offset"], row["last_record"]
            )
            for row in rows
        }

    async def reset(self, connection: "asyncpg.Pool | Connection", positions: Mapping[int, LogPosition]) -> None:
        """Store positions, whatever was stored: the first in a log, or those of the only reader."""
        for partition, position in sorted(positions.items()):
            await connection.execute(
                self._sql["reset_offset"],
                self.consumer,
                self.topic,
                partition,
                *position.identity,
                position.next_offset,
                position.last_record,
            )

    async def advance(
        self, connection: "asyncpg.Pool | Connection", partition: int, before: LogPosition, after: LogPosition
    ) -> None:
        """Advance an offset, in the transaction that applies the records before it.

        Raises:
            PositionMoved: the stored offset is not `before`. The transaction must be rolled back.
        """
        found = await connection.fetchval(
            self._sql["advance_offset"],
            self.consumer,
            self.topic,
            partition,
            before.next_offset,
            after.next_offset,
            after.last_record,
            before.identity.topic_id,
            before.identity.cluster,
        )
        if found is None:
            raise PositionMoved(f"{self.consumer}: {self.topic}-{partition} is not at offset {before.next_offset}")

    @property
    def _sql(self) -> NamedQueries:
        return NamedQueries(
            {name: re.sub(r"\bschema_name\.", f"{self.schema}.", text) for name, text in _QUERIES.items()}
        )

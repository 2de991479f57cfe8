"""What a counter starts from when it gets partitions: Postgres' position, a snapshot of memory, and the right log."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.lag import Lag
from services.stats.counting.seen_ids import PastIds
from services.stats.counting.state import Memory
from services.stats.counting.store import Position, pass_gap, read_positions, read_snapshot
from services.stats.counting.topic_identity import Identity, read_identity
from services.stats.metrics import GAP_RECORDS
from shared.logs import log


class WrongLog(Exception):  # noqa: N818 - it names a state
    """The log is not the one that the counts stand for: counting on would be wrong whatever came of it."""


@dataclass
class Owned:
    """A partition that this process counts: where it stands, and what it remembers."""

    position: Position
    """Where it stands in Postgres, once `committing` is done."""
    read_next: int
    """All records before it were folded into `memory`."""
    memory: Memory
    past: list[PastIds] | None = None
    """Ids that left memory, while there are events so old that they matter."""
    committing: asyncio.Task[None] | None = None
    unsaved_records: int = 0
    """Records folded since the last snapshot."""
    lag: Lag = field(default_factory=Lag)
    passed: int = 0
    """How far the consumer has passed over what holds no record; see `telling`."""

    @property
    def is_committed(self) -> bool:
        """Tell whether Postgres has all that was folded."""
        return self.committing is None or self.committing.done()

    @property
    def reached(self) -> int:
        """The offset before which nothing is left to count."""
        return max(self.position.next_offset, self.passed)

    @property
    def is_replaying(self) -> bool:
        """Tell whether memory is still being rebuilt from records that are counted already."""
        return self.read_next < self.position.next_offset


async def load(pool: asyncpg.Pool, consumer: Any, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Owned]:
    """Return what each partition starts from; `read_next` is where it must be read from.

    Args:
        pool: Where the counts are.
        consumer: An AIOKafkaConsumer; it is asked, not moved.
        partitions: Of one topic.

    Raises:
        WrongLog: the topic was made anew, or Kafka has lost records that are counted.
        KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: one of the two is away.
    """
    topic = partitions[0].topic
    beginnings = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    identity = await read_identity(consumer._client, topic)  # noqa: SLF001 - it has no other door
    places = {one.partition: beginnings[one] for one in partitions}
    positions = await read_positions(pool, topic, places, identity)
    for one in partitions:
        fault = _mismatch(positions[one.partition], ends[one], identity)
        if fault:
            raise WrongLog(f"{topic}-{one.partition}: {fault}")
    if await _pass_gaps(pool, partitions, positions, beginnings):
        positions = await read_positions(pool, topic, places, identity)
    found = {}
    for one in partitions:  # one after the other: what travels is as large as what is made of it
        snapshot = await read_snapshot(pool, topic, one.partition, positions[one.partition])
        saved_at, memory = snapshot or (beginnings[one], Memory())
        found[one] = Owned(positions[one.partition], max(saved_at, beginnings[one]), memory)
    return found


def _mismatch(position: Position, end: int, identity: Identity) -> str | None:
    """Tell why the log is not the one that the counts stand for."""
    if position.identity != identity:
        return (
            f"the counts stand for topic {position.identity.topic_id} of cluster {position.identity.cluster}, and "
            f"this is topic {identity.topic_id} of cluster {identity.cluster}: was it deleted and made again? "
            "Nothing is counted until `python -m services.stats rebuild --new-log` says so"
        )
    if position.next_offset > end:
        return (
            f"the counts stand at {position.next_offset} and the log ends at {end}: Kafka has lost records. Bring them "
            "back, or let `python -m services.stats rebuild` count what is left"
        )
    return None


async def _pass_gaps(
    pool: asyncpg.Pool,
    partitions: Sequence[TopicPartition],
    positions: dict[int, Position],
    beginnings: dict[TopicPartition, int],
) -> bool:
    """Move over records that Kafka deleted before they were counted, and note them; tell whether there were any."""
    found = False
    for one in partitions:
        position, beginning = positions[one.partition], beginnings[one]
        if position.next_offset >= beginning:
            continue
        found = True
        if await pass_gap(pool, one.topic, one.partition, position, beginning):
            GAP_RECORDS.inc(beginning - position.next_offset)
            log.error(
                "Kafka deleted records before they were counted; the gap is noted in stats.gaps",
                partition=one.partition,
                first_lost=position.next_offset,
                next_there=beginning,
            )
    return found

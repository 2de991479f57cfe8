"""Deltas → Postgres: one server-side call, one transaction, behind a compare-and-set on the offset."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import asyncpg
import numpy as np

from services.stats.counting.rules import HOSTS_MAX, OTHER_HOSTS, Deltas
from services.stats.counting.seen_ids import PastIds
from services.stats.counting.snapshots import from_bytes
from services.stats.counting.state import PAST_SLOTS, SLOT_MILLISECONDS, Memory
from services.stats.counting.topic_identity import Identity
from services.stats.queries import SQL

PAST_SLOTS_KEPT = PAST_SLOTS + 12
"""Longer than they are looked at: a counter that replays from its snapshot sees what it saw the first time."""

_Row = TypeVar("_Row", bound=tuple[Any, ...])


class Position(NamedTuple):
    """Where a partition stands in Postgres."""

    gen: int
    epoch: int
    next_offset: int
    newest_arrived: int = 0
    window_records: int = 0
    window_dead: int = 0
    unledgered: int = 0
    identity: Identity = Identity("", "")


class Fenced(Exception):  # noqa: N818 - it names what happened to us
    """Somebody else has moved the partition on: nothing was applied, and our memory is worth nothing."""


async def read_positions(
    pool: asyncpg.Pool, topic: str, beginnings: dict[int, int], identity: Identity, gen: int | None = None
) -> dict[int, Position]:
    """Return where partitions stand. One never seen before starts at the log's beginning.

    Args:
        pool: Where the counts are.
        topic: The topic's name.
        beginnings: {partition: first offset that the log still has}.
        identity: Of the log; it is noted for partitions that have none yet.
        gen: The generation; None is the one that readers read.
    """
    parts = sorted(beginnings)
    gen = await pool.fetchval(SQL["current_gen"]) if gen is None else gen
    await pool.execute(SQL["begin_partitions"], gen, topic, parts, [beginnings[part] for part in parts], *identity)
    rows = await pool.fetch(SQL["read_partitions"], gen, topic, parts)
    return {
        row["part"]: Position(
            gen,
            row["epoch"],
            row["next_offset"],
            row["newest_arrived"],
            row["window_records"],
            row["window_dead"],
            row["unledgered"],
            Identity(row["cluster"], row["topic_id"]),
        )
        for row in rows
    }


async def apply(
    pool: asyncpg.Pool, topic: str, partition: int, deltas: Deltas, *, position: Position, new: Position
) -> None:
    """Commit a batch of one partition: its deltas and its new offset, or nothing.

    Raises:
        Fenced: the partition does not stand at `position` any more.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: whether it was committed is unknown;
            read the position again.
    """
    ledger = [(*entry, events) for entry, events in sorted(deltas.ledger.items())]
    begins, ends, readers = _flat([one.readers for one in deltas.online])
    applied = await pool.fetchval(
        SQL["apply_batch"],
        position.gen,
        topic,
        partition,
        position.epoch,
        position.next_offset,
        new.next_offset,
        new.newest_arrived,
        new.window_records,
        new.window_dead,
        new.unledgered,
        # Sorted, so that every transaction locks rows in the same order, and neighbours are written together.
        *_columns(sorted(deltas.days), 5),
        *_columns(sorted(deltas.spans), 5),
        *_columns(sorted(deltas.first_sights), 6),
        *_columns([one[:3] for one in deltas.online], 3),
        begins,
        ends,
        readers,
        *_columns(ledger, 5),
        *_columns([(*place, visits) for place, visits in deltas.referrers.items()], 4),  # in the order they came
        HOSTS_MAX,
        OTHER_HOSTS,
        *_columns(deltas.dead_letters, 3),
        [ids.closed_at for ids in deltas.past_ids],
        [ids.slot for ids in deltas.past_ids],
        [np.concatenate((ids.id_hash, ids.id_low)).tobytes() for ids in deltas.past_ids],
        new.newest_arrived // SLOT_MILLISECONDS - PAST_SLOTS_KEPT,
    )
    if not applied:
        raise Fenced(f"{topic}-{partition} does not stand at {position.next_offset} any more")


def _columns(rows: Sequence[_Row], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _flat(lists: list[list[int]]) -> tuple[list[int], list[int], list[int]]:
    """Return lists end to end, and where each begins and ends, as Postgres counts: from 1, ends included."""
    ends = np.cumsum([len(one) for one in lists], dtype=np.int64).tolist()
    begins = [1, *(end + 1 for end in ends[:-1])] if lists else []
    return begins, ends, [number for one in lists for number in one]


async def save_snapshot(pool: asyncpg.Pool, topic: str, partition: int, position: Position, memory: bytes) -> None:
    """Keep what a counter remembers at a position. An older snapshot never replaces a newer one."""
    await pool.execute(SQL["save_snapshot"], position.gen, topic, partition, position.next_offset, memory)


async def read_snapshot(
    pool: asyncpg.Pool, topic: str, partition: int, position: Position
) -> tuple[int, Memory] | None:
    """Return the newest snapshot that is not ahead of the counts, and its offset; None without a usable one."""
    row = await pool.fetchrow(SQL["read_snapshot"], position.gen, topic, partition, position.next_offset)
    memory = from_bytes(row["memory"]) if row else None
    return (row["offset"], memory) if row and memory else None


async def read_past_ids(pool: asyncpg.Pool, topic: str, partition: int, gen: int) -> list[PastIds]:
    """Return the ids that left a partition's memory in the last two days."""
    rows = await pool.fetch(SQL["read_past_ids"], gen, topic, partition)
    return [
        PastIds(row["closed_at"], row["slot"], *np.frombuffer(row["ids"], np.uint64).reshape(2, -1)) for row in rows
    ]


async def pass_gap(pool: asyncpg.Pool, topic: str, partition: int, position: Position, beginning: int) -> bool:
    """Move a partition over records that Kafka has deleted, and note how many; False if somebody else has moved it."""
    moved = await pool.fetchval(
        SQL["pass_gap"], position.gen, topic, partition, position.epoch, position.next_offset, beginning
    )
    return bool(moved)

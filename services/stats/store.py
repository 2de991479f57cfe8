"""Deltas → Postgres: one server-side call, one transaction, behind a compare-and-set on the offset."""

from typing import NamedTuple

import asyncpg

from services.stats.counting import Deltas
from shared.postgres import read_queries

SQL = read_queries(__package__)


class Position(NamedTuple):
    """Where a partition stands in Postgres."""

    epoch: int
    next_offset: int
    replay_from: int


class Fenced(Exception):  # noqa: N818 - it names what happened to us
    """Somebody else has moved the partition on: nothing was applied, and our memory is worth nothing."""


async def read_positions(pool: asyncpg.Pool, topic: str, beginnings: dict[int, int]) -> dict[int, Position]:
    """Return where partitions stand. One never seen before starts at the log's beginning.

    Args:
        pool: Where the counts are.
        topic: The topic's name.
        beginnings: {partition: first offset that the log still has}.
    """
    parts = sorted(beginnings)
    await pool.execute(SQL["begin_partitions"], topic, parts, [beginnings[part] for part in parts])
    rows = await pool.fetch(SQL["read_partitions"], topic, parts)
    return {row["part"]: Position(row["epoch"], row["next_offset"], row["replay_from"]) for row in rows}


async def apply(
    pool: asyncpg.Pool, topic: str, partition: int, deltas: Deltas, *, position: Position, new: Position
) -> None:
    """Commit a batch of one partition: its deltas and its new offset, or nothing.

    Raises:
        Fenced: the partition does not stand at `position` any more.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: whether it was committed is unknown;
            read the position again.
    """
    # Sorted, so that every transaction locks rows in the same order.
    buckets = sorted(deltas.views.keys() | deltas.visits.keys())
    online = sorted(key for key, change in deltas.online.items() if change)
    sights = sorted(deltas.first_sights)
    ledger = sorted(deltas.ledger)
    dead = deltas.dead_letters
    applied = await pool.fetchval(
        SQL["apply_batch"],
        topic,
        partition,
        position.epoch,
        position.next_offset,
        new.next_offset,
        new.replay_from,
        [bucket.site for bucket in buckets],
        [bucket.article for bucket in buckets],
        [bucket.grain for bucket in buckets],
        [bucket.start for bucket in buckets],
        [deltas.views.get(bucket, 0) for bucket in buckets],
        [deltas.visits.get(bucket, 0) for bucket in buckets],
        [site for site, _, _ in online],
        [article for _, article, _ in online],
        [step for _, _, step in online],
        [deltas.online[key] for key in online],
        [sight.site for sight in sights],
        [sight.day for sight in sights],
        [sight.visitor for sight in sights],
        [sight.article for sight in sights],
        [sight.step for sight in sights],
        [sight.hour for sight in sights],
        [site for site, _, _, _ in ledger],
        [day for _, day, _, _ in ledger],
        [outcome for _, _, outcome, _ in ledger],
        [reason for _, _, _, reason in ledger],
        [deltas.ledger[key] for key in ledger],
        [letter.offset for letter in dead],
        [letter.reason for letter in dead],
        [letter.value for letter in dead],
    )
    if not applied:
        raise Fenced(f"{topic}-{partition} does not stand at {position.next_offset} any more")

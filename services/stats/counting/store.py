"""Deltas → Postgres: one server-side call, one transaction, behind a compare-and-set on each partition's offset."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg
import numpy as np

from services.stats.counting.decoding import DeadLetter, EventBatch
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.evidence import EvidenceRow
from services.stats.counting.exclusions import Excluded
from services.stats.counting.known_articles import AcceptedArticle, KnownArticles
from services.stats.counting.referrers import HOSTS_MAX, OTHER_HOSTS
from services.stats.counting.rules import BucketCount, CountDeltas, DayCount, NewDailyVisitor
from services.stats.counting.snapshots import from_bytes
from services.stats.counting.state import EVICTED_WINDOWS, PartitionState
from services.stats.metrics import BATCH_SECONDS, COMMITTED, CONSUME_EVENTS, EVENT_DELAY, UNCOUNTED_ARTICLE_VIEWS
from services.stats.queries import SQL
from shared.kafka.topic_identity import TopicIdentity

EVICTED_WINDOWS_KEPT = EVICTED_WINDOWS + 12
"""Longer than it is looked up: a counter that replays from its snapshot finds the same as the first time."""

Columns = dict[str, list[Any]]
"""A composite argument of `stats.apply_batch`: values by column name. asyncpg sets its fields by name."""


class Position(NamedTuple):
    """How far a partition is counted, as in `stats.offsets`."""

    generation: int
    epoch: int
    next_offset: int
    newest_arrived: int = 0
    window_records: int = 0
    window_dead_letters: int = 0
    offsets_without_record: int = 0
    identity: TopicIdentity = TopicIdentity("", "")
    last_record: int | None = None
    """Checksum of the record before `next_offset`; None if it is unknown."""


class Fenced(Exception):  # noqa: N818 - the term of stream processing
    """Another consumer has moved the partition on: nothing was applied, and this process's state is out of date."""


async def read_positions(
    pool: asyncpg.Pool, topic: str, beginnings: dict[int, int], identity: TopicIdentity, generation: int | None = None
) -> dict[int, Position]:
    """Return the positions of partitions. One without a position begins at the start of the log.

    Args:
        pool: Postgres.
        topic: The topic's name.
        beginnings: {partition: first offset that the log still has}.
        identity: Of the topic; it is stored for partitions that have none yet.
        generation: None is the current one.
    """
    partitions = sorted(beginnings)
    generation = await pool.fetchval(SQL["current_generation"]) if generation is None else generation
    first_offsets = [beginnings[partition] for partition in partitions]
    await pool.execute(SQL["begin_partitions"], generation, topic, partitions, first_offsets, *identity)
    rows = await pool.fetch(SQL["read_partitions"], generation, topic, partitions)
    return {
        row["partition"]: Position(
            generation,
            row["epoch"],
            row["next_offset"],
            row["newest_arrived"],
            row["window_records"],
            row["window_dead_letters"],
            row["offsets_without_record"],
            TopicIdentity(row["cluster"], row["topic_id"]),
            row["last_record"],
        )
        for row in rows
    }


async def read_place(pool: asyncpg.Pool, topic: str, partition: int, generation: int) -> tuple[int, int] | None:
    """Return a partition's (epoch, next offset); None if the generation was replaced.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    row = await pool.fetchrow(SQL["read_place"], generation, topic, partition)
    return None if row is None else (row["epoch"], row["next_offset"])


class PartitionBatch(NamedTuple):
    """Folded records of a partition: their deltas, and the partition's position before and after them."""

    partition: int
    deltas: CountDeltas
    position: Position
    new: Position


async def commit_batches(pool: asyncpg.Pool, topic: str, batches: Sequence[PartitionBatch]) -> list[int]:
    """Commit batches of different partitions in one transaction: of each its deltas and new offset, or nothing of it.

    Args:
        pool: Postgres.
        topic: The topic's name.
        batches: At least one, of one generation.

    Returns:
        The partitions that are no longer at their position: nothing of them was committed.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: it is unknown whether they were committed;
            read the positions again.
    """
    (generation,) = {one.position.generation for one in batches}
    applied = await pool.fetchval(
        SQL["apply_batch"],
        generation,
        topic,
        _position_columns(batches),
        {"hosts_max": HOSTS_MAX, "other_hosts": OTHER_HOSTS, "evicted_windows": EVICTED_WINDOWS_KEPT},
        # Sorted, so that every transaction locks rows in the same order, and neighbours are written together.
        _table(batches, DayCount._fields, lambda deltas: sorted(deltas.day_counts)),
        _table(batches, BucketCount._fields, lambda deltas: sorted(deltas.bucket_counts)),
        _table(batches, NewDailyVisitor._fields, lambda deltas: sorted(deltas.daily_visitors)),
        _presence_columns(batches),
        _table(
            batches,
            ("site", "day", "outcome", "reason", "events"),
            lambda deltas: [(*entry, events) for entry, events in sorted(deltas.ledger.items())],
        ),
        _table(  # in the order in which the hosts appeared
            batches,
            ("site", "day", "host", "visits"),
            lambda deltas: [(*host, visits) for host, visits in deltas.referrers.items()],
        ),
        _table(batches, DeadLetter._fields, lambda deltas: deltas.dead_letters),
        _table(batches, AcceptedArticle._fields, lambda deltas: deltas.accepted_articles),
        _table(
            batches,
            ("evicted_at_offset", "window_index", "ids", "activities"),
            lambda deltas: list(map(_evicted_row, deltas.evicted)),
        ),
        _table(batches, EvidenceRow._fields, lambda deltas: list(map(_evidence_row, deltas.evidence))),
    )
    return sorted({one.partition for one in batches}.difference(applied))


async def commit_batch(
    pool: asyncpg.Pool, topic: str, partition: int, deltas: CountDeltas, *, position: Position, new: Position
) -> None:
    """Commit a batch of one partition: its deltas and its new offset, or nothing.

    Raises:
        Fenced: the partition is no longer at `position`.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: it is unknown whether it was committed;
            read the position again.
    """
    if await commit_batches(pool, topic, [PartitionBatch(partition, deltas, position, new)]):
        raise Fenced(f"{topic}-{partition} is no longer at {position.next_offset}")


def _position_columns(batches: Sequence[PartitionBatch]) -> Columns:
    stored = [one.new._asdict() for one in batches]
    moved = [name for name in Position._fields if name not in ("generation", "epoch", "identity")]
    return {
        "partition": [one.partition for one in batches],
        "epoch": [one.position.epoch for one in batches],
        "counted_from": [one.position.next_offset for one in batches],
        **{name: [row[name] for row in stored] for name in moved},
    }


def _table(
    batches: Sequence[PartitionBatch],
    names: tuple[str, ...],
    rows_of: Callable[[CountDeltas], Sequence[tuple[Any, ...]]],
) -> Columns:
    """Return the columns of a table's rows of all batches, by their names; without rows each is an empty list."""
    rows = [(one.partition, rows_of(one.deltas)) for one in batches]
    return _named_columns(names, [row for _, some in rows for row in some]) | _partition_column(
        [(partition, len(some)) for partition, some in rows]
    )


def _partition_column(rows: Sequence[tuple[int, int]]) -> Columns:
    """Return the partition of each row from the number of rows of each; none if all are of one partition."""
    if len(rows) == 1:
        return {"partition": []}
    return {"partition": [partition for partition, count in rows for _ in range(count)]}


def _named_columns(names: Iterable[str], rows: Sequence[tuple[Any, ...]]) -> Columns:
    if not rows:
        return {name: [] for name in names}
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _presence_columns(batches: Sequence[PartitionBatch]) -> Columns:
    """Return presence as columns; the visitors of all rows are one list, since Postgres has no arrays of lists."""
    rows = [row for one in batches for row in one.deltas.presence]
    ends = np.cumsum([len(row.visitors) for row in rows], dtype=np.int64).tolist()
    return {
        "site": [row.site for row in rows],
        "article": [row.article for row in rows],
        "first_bucket": [row.first_bucket for row in rows],
        "visitors": [number for row in rows for number in row.visitors],
        "visitors_begin": [1, *(end + 1 for end in ends[:-1])] if ends else [],
        "visitors_end": ends,
        **_partition_column([(one.partition, len(one.deltas.presence)) for one in batches]),
    }


def _evicted_row(one: EvictedState) -> tuple[int, int, bytes, bytes]:
    ids = np.concatenate((one.id_hash, one.id_low)).tobytes()
    return one.evicted_at_offset, one.window_index, ids, one.activities


def _evidence_row(one: EvidenceRow) -> tuple[Any, ...]:
    return one._replace(networks=asyncpg.BitString.frombytes(one.networks))  # type: ignore[arg-type] # as asyncpg sends it


async def save_snapshot(pool: asyncpg.Pool, topic: str, partition: int, position: Position, state: bytes) -> None:
    """Store the state of a partition at a position. An older snapshot never replaces a newer one."""
    await pool.execute(SQL["save_snapshot"], position.generation, topic, partition, position.next_offset, state)


async def read_snapshot(
    pool: asyncpg.Pool, topic: str, partition: int, position: Position
) -> tuple[int, PartitionState] | None:
    """Return the newest snapshot that is not ahead of the counts, and its offset; None without a usable one."""
    row = await pool.fetchrow(SQL["read_snapshot"], position.generation, topic, partition, position.next_offset)
    state = from_bytes(row["state"]) if row else None
    return (row["offset"], state) if row and state else None


async def read_evicted_state(pool: asyncpg.Pool, topic: str, partition: int, generation: int) -> list[EvictedState]:
    """Return what the state of a partition evicted in the last two days."""
    rows = await pool.fetch(SQL["read_evicted_state"], generation, topic, partition)
    return [
        EvictedState(row["evicted_at_offset"], row["window_index"], hashes, lows, row["activities"])
        for row in rows
        for hashes, lows in [np.frombuffer(row["ids"], np.uint64).reshape(2, -1)]
    ]


async def read_known_articles(
    pool: asyncpg.Pool, partition: int, generation: int, decided_before: int
) -> KnownArticles:
    """Return the known articles of a partition, with none of them in memory yet.

    Args:
        pool: Postgres.
        partition: Number of the partition.
        generation: Of the counts.
        decided_before: The stored articles are those of the records before this offset.
    """
    rows = await pool.fetch(SQL["count_newest_articles"], generation, partition)
    known = KnownArticles(decided_before)
    for key, day, articles in map(tuple, rows):
        known.day = day
        known.accepted_on_day[key] = articles
    return known


async def read_evidence_from(pool: asyncpg.Pool, topic: str, partition: int, generation: int) -> int:
    """Return the offset of a partition from which on its events are evidence."""
    return int(await pool.fetchval(SQL["read_evidence_from"], generation, topic, partition) or 0)


async def read_excluded(pool: asyncpg.Pool, generation: int) -> Excluded:
    """Return the excluded visitor IDs of a generation."""
    rows = await pool.fetch(SQL["read_excluded"], generation)
    return {row["site"]: np.sort(np.array(row["visitors"], np.int64).view(np.uint64)) for row in rows}


async def find_known_articles(
    pool: asyncpg.Pool, partition: int, generation: int, batch: EventBatch, known: KnownArticles
) -> None:
    """Add what is stored of the articles of a batch to those in memory. All records before it are committed."""
    missing = known.missing(batch)
    if missing:
        sites, articles = zip(*missing, strict=True)
        for row in await pool.fetch(SQL["find_known_articles"], generation, partition, sites, articles):
            known.add(*row)


async def skip_gap(pool: asyncpg.Pool, topic: str, partition: int, position: Position, beginning: int) -> bool:
    """Move a partition over records that Kafka has deleted, and store the gap; False if another consumer moved it."""
    moved = await pool.fetchval(
        SQL["skip_gap"], position.generation, topic, partition, position.epoch, position.next_offset, beginning
    )
    return bool(moved)


def observe_commit(committed: Sequence[CountDeltas], seconds: float) -> None:
    """Add a transaction, which took so many seconds, to the metrics."""
    now = time.time()
    BATCH_SECONDS.observe(seconds)
    COMMITTED.set(now)
    for deltas in committed:
        EVENT_DELAY.observe(np.maximum(0.0, now - deltas.arrived / 1000))
        for (site, _, outcome, _), events in deltas.ledger.items():
            CONSUME_EVENTS.labels(site, outcome).inc(events)
        for site, views in deltas.uncounted_articles.items():
            UNCOUNTED_ARTICLE_VIEWS.labels(site).inc(views)

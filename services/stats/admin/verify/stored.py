"""Reads the stored values that `verify` compares, all of one instant."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Self
from uuid import UUID, uuid5

from asyncpg.pool import PoolConnectionProxy

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_evidence import EvidenceKey, EvidenceNumbers
from services.stats.admin.reference_exclusions import ExclusionRow
from services.stats.admin.reference_values import LedgerKey, PresenceKey, ReferrerKey, Totals
from services.stats.admin.verify.article_sums import read_article_sums
from services.stats.admin.verify.settled_days import (
    NOTHING,
    READ_SUMS_OF_ARTICLES,
    SETTLED_MS,
    LogBegin,
    read_articles,
    read_settled_days,
    settled_before,
)
from services.stats.admin.verify.values import Gap, PartitionProgress, StoredExclusion, StoredValues
from shared.cli import CommandError
from shared.topics import PAGE_VIEWS

REVERSALS = UUID("5b0c5f5c-5d0b-4c39-9a55-6d5d6a1f3f0e")
"""Namespace of the ids of reversals, as in `counting.exclusions`."""
LATE_MS = 49 * 3_600_000
"""An event is at most 48 hours old when it arrives."""
READ_GENERATION = "SELECT generation FROM stats.generations WHERE state = 'current'"
READ_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
READ_OFFSETS = """
SELECT partition, next_offset, newest_arrived, offsets_without_record, topic_id, cluster, last_record,
    pages_from, evidence_from
FROM stats.offsets
WHERE generation = $1 AND topic = $2
ORDER BY partition
"""
READ_GAPS = """
SELECT partition, first_lost, next_available, counted_until
FROM stats.gaps
WHERE generation = $1 AND topic = $2
ORDER BY id
"""
READ_COUNTS = """
SELECT partition, site, article, grain, bucket_start, views, visits, visitors
FROM stats.counts
WHERE generation = $1 AND (
    article = '' OR (grain <> 'total' AND bucket_start >= $2)
    OR (grain = 'total' AND (site, article) IN (SELECT * FROM unnest($3::text[], $4::text[])))
)
ORDER BY partition
"""
READ_LEDGER = """
SELECT partition, site, day, outcome, reason, events FROM stats.ledger WHERE generation = $1 ORDER BY partition
"""
READ_REFERRERS = """
SELECT partition, site, day, host, visits FROM stats.referrers WHERE generation = $1 ORDER BY partition
"""
READ_KNOWN_ARTICLES = """
SELECT partition, site, article, accepted_at_offset, day
FROM stats.known_articles JOIN unnest($2::text[], $3::text[]) AS read (site, article) USING (site, article)
WHERE generation = $1
ORDER BY partition
"""
# Evidence is compared of days that are in the log as a whole. Of partitions that have lost nothing, so are days before:
# events of them arrived late.
READ_EVIDENCE = """
SELECT partition, site, window_index, hour, agent, views, arrivals, confirmed, pings, leaves, home_views, article_views,
    direct_views, networks::text
FROM stats.evidence
WHERE generation = $1 AND hour >= $2
ORDER BY partition
"""
READ_PRESENCE = """
SELECT partition, site, article, first_bucket + number - 1 AS bucket, seen.visitors
FROM stats.online, unnest(online.visitors) WITH ORDINALITY AS seen (visitors, number)
WHERE generation = $1 AND seen.visitors <> 0
ORDER BY partition
"""
READ_VISITOR_DAYS = """
SELECT site, day, array_agg(visitor) AS visitors
FROM stats.visitor_days
WHERE generation = $1
GROUP BY site, day
"""


READ_EXCLUSIONS = """
SELECT id, site, excluded_agent, excluded_from, excluded_to,
    coalesce(nullif(arrived_before, 0), (extract(epoch FROM created_at) * 1000)::bigint) AS at,
    is_excluded, coalesce(visitors, 0) AS visitors,
    ARRAY(SELECT visitor FROM stats.excluded_visitors AS e WHERE e.generation = $1 AND e.adjustment = a.id) AS ids
FROM stats.adjustments AS a LEFT JOIN stats.applied_exclusions AS e ON e.generation = $1 AND e.adjustment = a.id
WHERE num_nulls(excluded_agent, excluded_from, excluded_to) = 0
ORDER BY created_at, id
"""
READ_ADJUSTMENT_IDS = "SELECT id FROM stats.adjustments"


class StoredReader:
    """Reads the values of the current generation, one partition after the other: years of all of them are gigabytes.

    Cursors of one transaction go through the tables in the order of partitions.

    Args:
        connection: To Postgres, with a transaction that is `repeatable_read`.
        begins: Where the log begins.
    """

    def __init__(self, connection: PoolConnectionProxy, begins: Mapping[int, LogBegin]) -> None:
        self._connection = connection
        self._begins = begins
        self._generation = 0
        self._before = NOTHING
        self._articles: tuple[list[str], list[str]] = [], []

    async def read_stored(self) -> StoredValues:
        """Read everything that is not of a single partition, except the visitor IDs of days.

        Raises:
            CommandError: no generation is the current one, so that no number is shown.
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        connection = self._connection
        generation = await connection.fetchval(READ_GENERATION)
        if generation is None:
            raise CommandError("no row of stats.generations is the current one, so every number is shown as 0")
        stored = StoredValues(clock_ms=await connection.fetchval(READ_CLOCK))
        for row in await connection.fetch(READ_OFFSETS, generation, PAGE_VIEWS.name):
            number, *progress = tuple(row)
            stored.partitions[number] = PartitionProgress(*progress)
        stored.gaps = [Gap(*tuple(row)) for row in await connection.fetch(READ_GAPS, generation, PAGE_VIEWS.name)]
        entered = {row["id"] for row in await connection.fetch(READ_ADJUSTMENT_IDS)}
        for *exclusion, is_applied, found, ids in map(tuple, await connection.fetch(READ_EXCLUSIONS, generation)):
            visitors = {(exclusion[1], f"{visitor % 2**64:016x}") for visitor in ids}
            is_standing = str(uuid5(REVERSALS, exclusion[0])) not in entered
            stored.exclusions.append(
                StoredExclusion(ExclusionRow(*exclusion), is_standing, is_applied, found, visitors)
            )
        self._generation, self._before = generation, settled_before(stored, self._begins)
        self._articles = await read_articles(connection, generation, self._before)
        stored.settled = await read_settled_days(connection, generation, self._before)
        stored.sums = await read_article_sums(connection, generation)
        return stored

    async def partitions(self, stored: StoredValues, others: Iterable[int]) -> AsyncIterator[int]:
        """Yield each partition in order; only meanwhile `stored` has its values.

        Args:
            stored: See `read_stored`.
            others: Further partitions, of the log.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        tables = await self._open_tables(stored)
        known = {*stored.partitions, *stored.settled, *others, *(gap.partition for gap in stored.gaps)}
        while left := known | {one.next_partition for one in tables if one.next_partition is not None}:
            number = min(left)
            known.discard(number)
            for table in tables:
                await table.read(number)
            yield number
            for values in (*(one.values for one in tables), stored.settled):
                values.pop(number, None)

    async def _open_tables(self, stored: StoredValues) -> list["_Table"]:
        def add_sum(number: int, row: Any) -> None:
            stored.settled[number].articles[Bucket(row[0], row[1], "total", 0)] = Totals(*row[2:])

        before, articles = self._before, self._articles
        tables = [
            (stored.counts, READ_COUNTS, (before, *articles), _adding(stored.counts, Bucket, Totals)),
            (stored.ledger, READ_LEDGER, (), _adding(stored.ledger, LedgerKey, int)),
            (stored.referrers, READ_REFERRERS, (), _adding(stored.referrers, ReferrerKey, int)),
            (stored.presence, READ_PRESENCE, (), _adding(stored.presence, PresenceKey, int)),
            (
                stored.known_articles,
                READ_KNOWN_ARTICLES,
                articles,
                _adding(stored.known_articles, ArticleKey, Acceptance),
            ),
            (
                stored.evidence,
                READ_EVIDENCE,
                (before + (SETTLED_MS - LATE_MS) // 1000,),
                _adding(stored.evidence, EvidenceKey, EvidenceNumbers),
            ),
        ]
        if before != NOTHING:
            tables.append((stored.settled, READ_SUMS_OF_ARTICLES, (before, *articles), add_sum))
        return [
            await _Table.open(self._connection, query, (self._generation, *values), of_partitions, add)
            for of_partitions, query, values, add in tables
        ]

    async def visitor_days(self) -> AsyncIterator[tuple[str, int, set[int]]]:
        """Yield (site, local day, its visitor IDs).

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        async for site, day, visitors in self._connection.cursor(READ_VISITOR_DAYS, self._generation, prefetch=1):
            yield site, day, set(visitors)


def _adding(values: Any, key: Any, value: Callable[..., Any]) -> Callable[[int, Any], None]:
    """Return what adds a row to the values of its partition: its first columns are the key."""
    size = len(key._fields)

    def add(number: int, row: Any) -> None:
        values[number][key(*row[:size])] = value(*row[size:])

    return add


class _Table:
    """Rows of a table in the order of partitions.

    Args:
        rows: Each has its partition first.
        values: Partition → what its rows become.
        add: Adds a row without its partition.
    """

    def __init__(self, rows: AsyncIterator[Any], values: Any, add: Callable[[int, Any], None]) -> None:
        self._rows = rows
        self._next: Any = None
        self._add = add
        self.values = values

    @classmethod
    async def open(
        cls, connection: PoolConnectionProxy, query: str, arguments: tuple[Any, ...], values: Any, add: Any
    ) -> Self:
        """Open a cursor and fetch its first row."""
        cursor = connection.cursor(query, *arguments, prefetch=5_000)
        table = cls(aiter(cursor), values, add)
        table._next = await anext(table._rows, None)
        return table

    @property
    def next_partition(self) -> int | None:
        """That of the next row; None after the last one."""
        return None if self._next is None else self._next[0]

    async def read(self, number: int) -> None:
        """Add the rows of a partition. Sites, names and times repeat in thousands of them, and are in memory once."""
        once: dict[Any, Any] = {}
        while self._next is not None and self._next[0] == number:
            row = [once.setdefault(value, value) if isinstance(value, str | int) else value for value in self._next]
            self._add(number, row[1:])
            self._next = await anext(self._rows, None)

"""Reads the stored values that `verify` compares, all of one instant."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid5

from asyncpg.pool import PoolConnectionProxy

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_evidence import EvidenceKey, EvidenceNumbers
from services.stats.admin.reference_exclusions import ExclusionRow
from services.stats.admin.reference_values import LedgerKey, PresenceKey, ReferrerKey, Totals
from services.stats.admin.verify.article_sums import read_article_sums
from services.stats.admin.verify.settled_days import (
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
"""
READ_LEDGER = "SELECT partition, site, day, outcome, reason, events FROM stats.ledger WHERE generation = $1"
READ_REFERRERS = "SELECT partition, site, day, host, visits FROM stats.referrers WHERE generation = $1"
READ_KNOWN_ARTICLES = """
SELECT partition, site, article, accepted_at_offset, day
FROM stats.known_articles JOIN unnest($2::text[], $3::text[]) AS read (site, article) USING (site, article)
WHERE generation = $1
"""
# Evidence is compared of days that are in the log as a whole.
READ_EVIDENCE = """
SELECT partition, site, window_index, hour, agent, views, arrivals, confirmed, pings, leaves, home_views, article_views,
    direct_views, networks::text
FROM stats.evidence
WHERE generation = $1 AND hour >= $2
"""
READ_PRESENCE = """
SELECT partition, site, article, first_bucket + number - 1 AS bucket, seen.visitors
FROM stats.online, unnest(online.visitors) WITH ORDINALITY AS seen (visitors, number)
WHERE generation = $1 AND seen.visitors <> 0
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


async def read_stored(connection: PoolConnectionProxy, begins: Mapping[int, LogBegin]) -> StoredValues:
    """Read the values of the current generation. The connection has a transaction that is `repeatable_read`.

    Args:
        connection: To Postgres.
        begins: Where the log begins.

    Raises:
        CommandError: no generation is the current one, so that no number is shown.
    """
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
        stored.exclusions.append(StoredExclusion(ExclusionRow(*exclusion), is_standing, is_applied, found, visitors))
    before = settled_before(stored, begins)
    articles = await read_articles(connection, generation, before)
    stored.settled = await read_settled_days(connection, generation, before, articles)
    stored.sums = await read_article_sums(connection, generation)
    async for number, *row in _rows(connection, READ_COUNTS, generation, before, *articles):
        stored.counts[number][Bucket(*row[:4])] = Totals(*row[4:])
    async for number, *row in _rows(connection, READ_LEDGER, generation):
        stored.ledger[number][LedgerKey(*row[:4])] = row[4]
    async for number, *row in _rows(connection, READ_REFERRERS, generation):
        stored.referrers[number][ReferrerKey(*row[:3])] = row[3]
    async for number, *row in _rows(connection, READ_PRESENCE, generation):
        stored.presence[number][PresenceKey(*row[:3])] = row[3]
    async for number, *row in _rows(connection, READ_KNOWN_ARTICLES, generation, *articles):
        stored.known_articles[number][ArticleKey(*row[:2])] = Acceptance(*row[2:])
    async for number, *row in _rows(connection, READ_EVIDENCE, generation, before + SETTLED_MS // 1000):
        stored.evidence[number][EvidenceKey(*row[:4])] = EvidenceNumbers(*row[4:])
    async for site, day, visitors in _rows(connection, READ_VISITOR_DAYS, generation):
        stored.daily_visitors[site, day] = set(visitors)
    return stored


async def _rows(connection: PoolConnectionProxy, query: str, *values: Any) -> AsyncIterator[Any]:
    """Read rows. Sites, names and times repeat in hundreds of thousands of them, and are in memory once."""
    once: dict[Any, Any] = {}
    async for row in connection.cursor(query, *values, prefetch=5_000):
        yield [once.setdefault(value, value) if isinstance(value, str | int) else value for value in row]

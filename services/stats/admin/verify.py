"""`python -m services.stats verify`: recount the log that Kafka still has, and compare it with the stored counts.

Counters may run meanwhile: counts and offsets are read in one transaction, and the log is read to exactly those
offsets. `sites.toml` must be the one that was used for counting: another zone makes other days.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from services.stats.admin.reference_model import (
    WHOLE_SITE,
    Bucket,
    Expected,
    LedgerKey,
    ReferenceCounter,
    ReferrerKey,
    Tolerance,
    Totals,
    next_day_start,
)
from services.stats.counting.topic_identity import read_identity
from services.stats.log_reader import log_reader, read_range
from services.stats.settings import StatsSettings
from shared.cli import CommandError, open_command_pool
from shared.sites import Site, Sites, read_sites
from shared.topics import PAGE_VIEWS

STATEMENT_SECONDS = 600.0
COUNTS_COMPLETE_AFTER_MS = 65 * 60_000
"""An event may be 5 minutes ahead of its arrival, and whether it starts a visit depends on the hour before it."""
LEDGER_COMPLETE_AFTER_MS = 50 * 3_600_000
"""A late event may be a duplicate of one that arrived 49 hours before."""
BUCKET_5M_KEPT_SECONDS = 40 * 86_400
"""Older 5m buckets are deleted in Postgres, as no window contains them."""
MEASURES = ("views", "visits", "visitors")

READ_OFFSETS = """
SELECT partition, next_offset, newest_arrived, topic_id, EXISTS (
    SELECT FROM stats.gaps
    WHERE gaps.generation = offsets.generation AND gaps.topic = offsets.topic AND gaps.partition = offsets.partition
) AS has_gap, (
    SELECT coalesce(max(counted_until), 0) FROM stats.gaps
    WHERE gaps.generation = offsets.generation AND gaps.topic = offsets.topic AND gaps.partition = offsets.partition
) AS counted_until
FROM stats.offsets
WHERE generation = $1 AND topic = $2
ORDER BY partition
"""
READ_COUNTS = """
SELECT site, article, grain, bucket_start,
    sum(views)::bigint AS views, sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
FROM stats.counts
WHERE generation = $1
GROUP BY site, article, grain, bucket_start
"""
READ_LEDGER = """
SELECT site, day, outcome, reason, sum(events)::bigint AS events
FROM stats.ledger
WHERE generation = $1
GROUP BY site, day, outcome, reason
"""
READ_REFERRERS = """
SELECT site, day, host, sum(visits)::bigint AS visits
FROM stats.referrers
WHERE generation = $1
GROUP BY site, day, host
"""


class PartitionProgress(NamedTuple):
    """How far a partition is counted."""

    next_offset: int
    newest_arrived: int
    """Of the records counted: milliseconds since 1970 UTC."""
    topic_id: str
    has_gap: bool
    counted_until: int = 0
    """Records that arrived until then (milliseconds) may be counted and gone from the log; 0: none."""


@dataclass
class StoredCounts:
    """The content of Postgres at one instant."""

    partitions: dict[int, PartitionProgress] = field(default_factory=dict)
    counts: dict[Bucket, Totals] = field(default_factory=dict)
    ledger: dict[LedgerKey, int] = field(default_factory=dict)
    referrers: dict[ReferrerKey, int] = field(default_factory=dict)


class Drift(NamedTuple):
    """A stored value that differs from the expected one. `start` is seconds since 1970 UTC; 0 for the total."""

    site: str
    article: str
    grain: str
    start: int
    measure: str
    expected: int
    stored: int


@dataclass
class VerifyReport:
    """The result of the report."""

    counters: int = 0
    """How many values were compared."""
    drifts: list[Drift] = field(default_factory=list)

    def add(self, drift: Drift, tolerance: Tolerance | None = None) -> None:
        """Compare one value."""
        self.counters += 1
        fewer, more = (tolerance.fewer, tolerance.more) if tolerance else (0, 0)
        if not -fewer <= drift.stored - drift.expected <= more:
            self.drifts.append(drift)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: there are none."""


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> int:
    """Run the command and return its exit code: 0 if every stored value is as expected."""
    sites = read_sites(settings.sites)
    stored = await _read_stored(settings)
    async with log_reader(settings.kafka) as reader:
        expected, lost_until = await _recount_log(reader, stored.partitions, sites)
    if lost_until is not None:
        since = _local(lost_until // 1000, UTC)
        print(f"Kafka has lost records from before {since}; complete days after it are compared.")
    report = compare(stored, expected, sites, lost_until)
    for drift in report.drifts:
        print(_message(drift, sites))
    if report.drifts:
        print(f"drift in {len(report.drifts)} of {report.counters} counters")
        return 1
    print(f"drift 0 over {report.counters} counters, {expected.records} records")
    return 0


async def _read_stored(settings: StatsSettings) -> StoredCounts:
    async with (
        open_command_pool(settings, role="presstally_stats", statement_timeout_seconds=STATEMENT_SECONDS) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        generation = await connection.fetchval("SELECT generation FROM stats.generations WHERE state = 'current'")
        offsets = await connection.fetch(READ_OFFSETS, generation, PAGE_VIEWS.name)
        counts = await connection.fetch(READ_COUNTS, generation)
        ledger = await connection.fetch(READ_LEDGER, generation)
        referrers = await connection.fetch(READ_REFERRERS, generation)
    return StoredCounts(
        {number: PartitionProgress(*counted) for number, *counted in offsets},
        {Bucket(*row[:4]): Totals(*row[4:]) for row in map(tuple, counts)},
        {LedgerKey(*row[:4]): row[4] for row in map(tuple, ledger)},
        {ReferrerKey(*row[:3]): row[3] for row in map(tuple, referrers)},
    )


async def _recount_log(
    reader: AIOKafkaConsumer, counted: Mapping[int, PartitionProgress], sites: Sites
) -> tuple[Expected, int | None]:
    """Recount the records that were counted and are still in the log.

    Returns:
        The expected values, and the time of arrival (milliseconds) up to which records are missing; None if none are.
    """
    counter = ReferenceCounter(sites)
    lost_until: int | None = None
    partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in counted]
    begins = await reader.beginning_offsets(partitions) if partitions else {}
    ends = await reader.end_offsets(partitions) if partitions else {}
    if partitions:
        await _check_identity(reader, counted)
    for partition in partitions:
        progress, begin = counted[partition.partition], begins[partition]
        if progress.next_offset > ends[partition]:
            raise CommandError(
                f"partition {partition.partition} is counted to {progress.next_offset} "
                f"and the log ends at {ends[partition]}"
            )
        counter.begin_partition()
        first_arrived = None
        try:
            async for records in read_range(reader, partition, begin, progress.next_offset):
                first_arrived = records[0].timestamp if records and first_arrived is None else first_arrived
                for record in records:
                    counter.add(record.timestamp, record.value)
        except OffsetOutOfRangeError as error:
            raise CommandError("Kafka deleted old records while they were read; run it again") from error
        if begin > 0 or progress.has_gap:
            available_from = progress.newest_arrived if first_arrived is None else first_arrived
            lost_until = max(lost_until or 0, available_from, progress.counted_until)
    if lost_until == 0:  # an empty new log: everything stored was counted from another one
        lost_until = time.time_ns() // 1_000_000
    return counter.finish(), lost_until


async def _check_identity(reader: AIOKafkaConsumer, counted: Mapping[int, PartitionProgress]) -> None:
    identity = await read_identity(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    others = {one.topic_id for one in counted.values()} - {"", identity.topic_id}
    if others:
        raise CommandError(
            f"the counts are of topic {', '.join(sorted(others))} and this {PAGE_VIEWS.name} is {identity.topic_id}"
        )


def compare(
    stored: StoredCounts, expected: Expected, sites: Mapping[str, Site], lost_until: int | None
) -> VerifyReport:
    """Compare stored and expected values.

    Args:
        stored: From Postgres.
        expected: From the log.
        sites: By slug; their zones determine where days begin.
        lost_until: Records that arrived before it (milliseconds) may be missing in the log: then only buckets and
            days are compared that the log has completely, and totals are compared with the sum of the stored days.
            None: nothing is missing.
    """
    report = VerifyReport()
    newest = max((one.newest_arrived for one in stored.partitions.values()), default=0)
    first_bucket = newest // 1000 - BUCKET_5M_KEPT_SECONDS
    for bucket in sorted(stored.counts.keys() | expected.counts.keys()):
        if bucket.grain == "5m" and bucket.start < first_bucket:
            continue
        if lost_until is not None and bucket.start < _complete_from(
            bucket.site, sites, lost_until + COUNTS_COMPLETE_AFTER_MS
        ):
            continue
        must = expected.counts.get(bucket, Totals())
        _compare_numbers(report, bucket, must, stored.counts.get(bucket, Totals()), expected.tolerance.get(bucket))
    if lost_until is not None:
        for bucket, must in _sums_of_days(stored):
            _compare_numbers(report, bucket, must, stored.counts.get(bucket, Totals()))
    for entry in sorted(stored.ledger.keys() | expected.ledger.keys()):
        if lost_until is None or entry.day >= _complete_from(entry.site, sites, lost_until + LEDGER_COMPLETE_AFTER_MS):
            events = expected.ledger.get(entry, 0), stored.ledger.get(entry, 0)
            measure = f"{entry.outcome} {entry.reason}".rstrip()
            report.add(Drift(entry.site, WHOLE_SITE, "ledger", entry.day, measure, *events))
    for origin in sorted(stored.referrers.keys() | expected.referrers.keys()):
        if lost_until is None or origin.day >= _complete_from(
            origin.site, sites, lost_until + COUNTS_COMPLETE_AFTER_MS
        ):
            visits = expected.referrers.get(origin, 0), stored.referrers.get(origin, 0)
            measure = f"visits from {origin.host or 'nowhere'}"
            report.add(Drift(origin.site, WHOLE_SITE, "referrers", origin.day, measure, *visits))
    return report


def _compare_numbers(
    report: VerifyReport, bucket: Bucket, must: Totals, stored: Totals, tolerance: Tolerance | None = None
) -> None:
    for measure in MEASURES:
        drift = Drift(*bucket, measure, getattr(must, measure), getattr(stored, measure))
        report.add(drift, tolerance if measure == "visitors" else None)


def _sums_of_days(stored: StoredCounts) -> Iterator[tuple[Bucket, Totals]]:
    """Yield each total's bucket with the sum of its stored days."""
    sums = {bucket: Totals() for bucket in stored.counts if bucket.grain == "total"}
    for bucket, numbers in stored.counts.items():
        if bucket.grain == "day":
            total = sums.setdefault(Bucket(bucket.site, bucket.article, "total", 0), Totals())
            for measure in MEASURES:
                setattr(total, measure, getattr(total, measure) + getattr(numbers, measure))
    yield from sorted(sums.items())


def _complete_from(site: str, sites: Mapping[str, Site], timestamp_ms: int) -> int:
    return next_day_start(timestamp_ms, _zone(site, sites))


def _zone(site: str, sites: Mapping[str, Site]) -> tzinfo:
    return sites[site].zone if site in sites else UTC


def _local(seconds: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(seconds, zone).isoformat()


def _message(drift: Drift, sites: Mapping[str, Site]) -> str:
    where: list[Any] = [drift.site, drift.article or "(site)", drift.grain]
    if drift.grain != "total":
        where.append(_local(drift.start, _zone(drift.site, sites)))
    change = drift.stored - drift.expected
    return f"{' '.join(where)} {drift.measure}: expected {drift.expected}, stored {drift.stored}, drift {change:+}"

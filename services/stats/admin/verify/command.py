"""The command: read what is stored and what the log has, compare, and print a sentence for each difference.

Counters may run meanwhile: everything is read in one transaction, and the log is read to exactly the stored offsets.
`sites.toml` must be the one that was used for counting: another zone makes other days.
"""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer

from services.stats.admin.reference_values import Expected
from services.stats.admin.verify.adjustments import verify_adjustments
from services.stats.admin.verify.comparison import Comparison
from services.stats.admin.verify.log_recount import LogRecount
from services.stats.admin.verify.settled_days import read_log_begins
from services.stats.admin.verify.stored import StoredReader
from services.stats.admin.verify.values import UNBOUNDED, Drift
from services.stats.settings import StatsSettings
from shared.cli import open_command_pool
from shared.kafka.log_reader import log_reader
from shared.progress_bar import progress_bar
from shared.sites import Site, Sites
from shared.sites_file import read_sites

STATEMENT_SECONDS = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: there are none."""


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> int:
    """Run the command and return its exit code: 0 if every stored value is as expected."""
    sites = read_sites(settings.sites, settings.public_url)
    async with (
        open_command_pool(settings, role="presstally_stats", statement_timeout_seconds=STATEMENT_SECONDS) as pool,
        log_reader(settings.kafka) as reader,
    ):
        begins = await read_log_begins(reader)
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # while the log is read
            comparison, expected = await _compare(StoredReader(connection, begins), reader, sites)
        adjustments = await verify_adjustments(reader, pool)
    for number, loss in sorted(comparison.losses.items()):
        since = datetime.fromtimestamp(loss.until_ms / 1000, UTC).isoformat(timespec="seconds")
        print(
            f"partition {number}: {loss.records} counted records from before {since} are no longer in the log; "
            "the values that they touch are compared within bounds and with their sums"
        )
    for slug in sorted(comparison.removed_sites):
        print(f"site {slug} is not declared any more: its counts are kept, and are not compared")
    report = comparison.report
    drifts = [*report.drifts, *adjustments.drifts]
    for drift in drifts:
        print(drift_message(drift, sites))
    counters = report.counters + adjustments.counters
    if drifts:
        print(f"drift in {len(drifts)} of {counters} counters")
        return 1
    print(f"drift 0 over {counters} counters, {expected.records} records")
    return 0


async def _compare(stored_reader: StoredReader, log: AIOKafkaConsumer, sites: Sites) -> tuple[Comparison, Expected]:
    """Compare one partition after the other: only one is in memory."""
    stored = await stored_reader.read_stored()
    recount = LogRecount(log, stored, sites)
    await recount.begin()
    comparison = Comparison(stored, sites, may_lack=recount.may_lack)
    with progress_bar("records", recount.records) as advance:
        async for number in stored_reader.partitions(stored, recount.partitions):
            comparison.compare_partition(number, *await recount.partition(number, advance))
    expected = recount.finish()
    async for site, day, ids in stored_reader.visitor_days():
        comparison.compare_visitor_day(site, day, ids, expected)
    comparison.finish(expected)
    return comparison, expected


def drift_message(drift: Drift, sites: Mapping[str, Site]) -> str:
    """Return the sentence for one difference."""
    where = [drift.site, drift.article or "(site)"] if drift.site else []
    where.append(drift.kind)
    if drift.start is not None:
        zone = sites[drift.site].zone if drift.site in sites else UTC
        where.append(datetime.fromtimestamp(drift.start, zone).isoformat())
    if drift.partition is not None:
        where.append(f"partition {drift.partition}")
    expected, change = _expected(drift)
    return f"{' '.join(where)} {drift.measure}: expected {expected}, stored {drift.stored}, drift {change:+}"


def _expected(drift: Drift) -> tuple[str, int]:
    """Return the expected value or its bounds, and the distance from it."""
    change = drift.stored - drift.at_most if drift.stored > drift.at_most else drift.stored - drift.expected
    if drift.expected == drift.at_most:
        return str(drift.expected), change
    if drift.at_most >= UNBOUNDED:
        return f"at least {drift.expected}", change
    if drift.expected <= -UNBOUNDED:
        return f"at most {drift.at_most}", change
    return f"{drift.expected} to {drift.at_most}", change

"""The command: read what is stored and what the log has, compare, and print a sentence for each difference.

Counters may run meanwhile: everything is read in one transaction, and the log is read to exactly the stored offsets.
`sites.toml` must be the one that was used for counting: another zone makes other days.
"""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime

from services.stats.admin.verify.adjustments import verify_adjustments
from services.stats.admin.verify.comparison import compare, find_losses
from services.stats.admin.verify.log_recount import recount_log
from services.stats.admin.verify.settled_days import read_log_begins
from services.stats.admin.verify.stored import read_stored
from services.stats.admin.verify.values import UNBOUNDED, Drift
from services.stats.settings import StatsSettings
from shared.cli import open_command_pool
from shared.kafka.log_reader import log_reader
from shared.sites import Site
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
            stored = await read_stored(connection, begins)
        expected, spans = await recount_log(reader, stored, sites)
        adjustments = await verify_adjustments(reader, pool)
    for number, loss in sorted(find_losses(stored, expected, spans).items()):
        since = datetime.fromtimestamp(loss.until_ms / 1000, UTC).isoformat(timespec="seconds")
        print(
            f"partition {number}: {loss.records} counted records from before {since} are no longer in the log; "
            "the values that they touch are compared within bounds and with their sums"
        )
    report = compare(stored, expected, spans, sites)
    drifts = [*report.drifts, *adjustments.drifts]
    for drift in drifts:
        print(drift_message(drift, sites))
    counters = report.counters + adjustments.counters
    if drifts:
        print(f"drift in {len(drifts)} of {counters} counters")
        return 1
    print(f"drift 0 over {counters} counters, {expected.records} records")
    return 0


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

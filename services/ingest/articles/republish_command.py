"""`presstally ingest republish`: compare Postgres with the whole topics, and repair what differs.

The relay does the same by itself if it notices that a log is another one. It also sends what the command queues.
"""

import argparse
import asyncio
import time

import asyncpg

from services.ingest.articles.topic_recovery import ComparisonReport, TopicRecovery
from services.ingest.articles.witness import read_witness
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.cli import open_command_pool
from shared.kafka.log_reader import log_reader

SENT_SECONDS = 30.0
POLL_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--after-restore",
        action="store_true",
        help="Postgres was restored, and Kafka too, from copies of one moment: versions and numbers skip some",
    )


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    """Run the command and return its exit code: 0 if Postgres and the topics agree now."""
    async with (
        open_command_pool(settings, role="presstally_ingest", size=2, statement_timeout_seconds=60) as pool,
        pool.acquire() as connection,
        log_reader(settings.kafka) as reader,
    ):
        witness = await read_witness(settings.kafka)
        recovery = TopicRecovery(connection, reader)
        report = await recovery.compare(witness, is_relay=False, everything=True, after_restore=arguments.after_restore)
        print_report(report)
        return 1 if await _wait_until_sent(pool) or report.conflicts else 0


def print_report(report: ComparisonReport) -> None:
    """Print by what Postgres and the topics differed."""
    print(
        f"articles: {report.articles:,} in the topic, {report.sent_again:,} sent again, "
        f"{report.taken_over:,} taken over; opening balances: {report.balances_sent_again:,} sent again, "
        f"{report.balances_taken_over:,} taken over; structure and static pages: {report.structures_sent_again:,} sent "
        f"again, {report.structures_taken_over:,} taken over"
    )
    if report.was_restored:
        print("Postgres is older than what was given before: versions and numbers skip those since its backup")
    if report.unreadable:
        hint = "`presstally stats dlq list --topic articles` shows them"
        print(f"{report.unreadable:,} unreadable record(s) not compared; {hint}")
    for conflict in report.conflicts:
        print(f"conflict: {conflict}")


async def _wait_until_sent(pool: asyncpg.Pool) -> int:
    deadline = time.monotonic() + SENT_SECONDS
    while count := await pool.fetchval(SQL["count_pending_messages"]):
        if time.monotonic() > deadline:
            print(f"{count:,} messages are not sent after {SENT_SECONDS:g} s; ingest sends them when it is running")
            return int(count)
        await asyncio.sleep(POLL_SECONDS)
    return 0

"""`presstally ingest partitions show|add`: the number of partitions over which events are distributed."""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from services.ingest.collector.partition_plan import CHANGE_INTERVAL_MS, NOTICE_MS, PartitionPlan, PlanEntry
from services.ingest.collector.partition_router import ADD_COMMAND, read_plan
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.cli import CommandError, open_command_pool
from shared.kafka.config import KafkaConfig
from shared.sites_file import read_sites
from shared.topics import PAGE_VIEWS

PARTITIONS_MAX = 1_000
SPARE_MS = 60_000
"""Added to the notice of a change whose time is chosen here."""
VISIBLE_SECONDS = 20.0
SOON = "soon"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="show|add")
    verbs.add_parser("show", help="show the partitions in Kafka, and how many are used since when")
    add = verbs.add_parser(
        "add", help="add partitions to page-views, and use them from the next midnight of the first site on"
    )
    add.add_argument("partitions", type=int, help="how many there are then, in all; never fewer than now")
    add.add_argument(
        "--at",
        type=_instant,
        metavar=f"TIME|{SOON}",
        help="use them from this time on, such as 2026-12-01T00:00+07:00, "
        f"at least {NOTICE_MS // 60_000} minutes ahead; {SOON}: as early as possible",
    )


def _instant(text: str) -> datetime | str:
    if text == SOON:
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-12-01T00:00+07:00") from error
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset from UTC, such as +07:00")
    return at


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    """Run the command."""
    async with open_command_pool(settings, role="presstally_ingest") as pool:
        if arguments.verb == "add":
            await _add(pool, settings, arguments.partitions, arguments.at)
        await _show(pool, settings)


async def _add(pool: asyncpg.Pool, settings: IngestSettings, partitions: int, at: datetime | str | None) -> None:
    """Add partitions in Kafka first, so that no collector can be asked to use one that is missing; then record it."""
    if not 1 <= partitions <= PARTITIONS_MAX:
        raise CommandError(f"the number of partitions must be 1 to {PARTITIONS_MAX}")
    kafka = await count_partitions(settings.kafka)
    if partitions < kafka:
        raise CommandError(f"{PAGE_VIEWS.name} has {kafka} partitions already, and Kafka cannot remove any")
    now, plan = await read_plan(pool)
    entry = PlanEntry(_effective_at(at, settings, now), partitions)
    _check(plan, entry, now)
    if partitions > kafka:
        await create_partitions(settings.kafka, partitions)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_partition_plan"])
        now, plan = await read_plan(connection)
        if plan.newest is None:  # no collector has run yet
            await connection.execute(SQL["begin_partition_plan"], partitions)
        elif plan.newest.partitions < partitions:
            _check(plan, entry, now)
            await connection.execute(SQL["add_to_partition_plan"], _time(entry.effective_at), partitions)


def _effective_at(at: datetime | str | None, settings: IngestSettings, now: float) -> int:
    earliest = _time(int(now) + NOTICE_MS + SPARE_MS)
    if at is None:
        zone = next(iter(read_sites(settings.sites, settings.public_url).values())).zone
        day = earliest.astimezone(zone).date() + timedelta(days=1)
        at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round((at if isinstance(at, datetime) else earliest).timestamp() * 1000)


def _check(plan: PartitionPlan, entry: PlanEntry, now: float) -> None:
    """Check that a change can be added to the plan, unless the plan has this number already.

    Raises:
        CommandError: it would be unsafe.
    """
    newest = plan.newest
    if newest is None or newest.partitions == entry.partitions:
        return
    if entry.partitions < newest.partitions:
        raise CommandError(f"{newest.partitions} partitions are planned already; there can only be more")
    if entry.effective_at < now + NOTICE_MS:
        raise CommandError(
            f"--at must be at least {NOTICE_MS // 60_000} minutes ahead, so that every collector learns of it in time"
        )
    if entry.effective_at < newest.effective_at + CHANGE_INTERVAL_MS:
        hours = CHANGE_INTERVAL_MS // 3_600_000
        raise CommandError(
            f"{newest.partitions} partitions are used from {_time(newest.effective_at)} on; "
            f"the next change must be at least {hours} hours later"
        )


async def _show(pool: asyncpg.Pool, settings: IngestSettings) -> None:
    kafka = await count_partitions(settings.kafka)
    now, plan = await read_plan(pool)
    zone = next(iter(read_sites(settings.sites, settings.public_url).values())).zone
    print(f"{PAGE_VIEWS.name} has {kafka} partitions in Kafka")
    for entry in plan.entries:
        local = _time(entry.effective_at).astimezone(zone).isoformat(" ", "seconds")
        verb = "are used from" if entry.effective_at > now else "in use since"
        print(f"  {entry.partitions} {verb} {local if entry.effective_at else 'the beginning'}")
    if plan.newest is not None and plan.newest.partitions != kafka:
        print(f"to use the same number, run `{ADD_COMMAND} {max(kafka, plan.newest.partitions)}`")


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def count_partitions(kafka: KafkaConfig) -> int:
    """Return the number of partitions of page-views in Kafka.

    Raises:
        CommandError: the topic does not exist.
        KafkaError: Kafka is unavailable.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    try:
        await admin.start()
        (topic,) = await admin.describe_topics([PAGE_VIEWS.name])
    finally:
        await admin.close()
    if topic["error_code"]:
        raise CommandError(f"the topic {PAGE_VIEWS.name} does not exist; run `presstally topics`")
    return len(topic["partitions"])


async def create_partitions(kafka: KafkaConfig, partitions: int) -> None:
    """Let page-views have so many partitions, and wait until brokers show them.

    Raises:
        KafkaError: Kafka is unavailable or denies it.
        TimeoutError: they are not shown in time.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=10_000)
    try:
        await admin.start()
        await admin.create_partitions({PAGE_VIEWS.name: NewPartitions(partitions)})
    finally:
        await admin.close()
    async with asyncio.timeout(VISIBLE_SECONDS):
        while await count_partitions(kafka) < partitions:  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.2)

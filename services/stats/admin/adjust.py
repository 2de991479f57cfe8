"""`presstally stats adjust …`: change a total by an amount that nobody measured, with who and why.

An adjustment goes the way of all others: through Kafka `counter-adjustments` into Postgres, once. Nothing is ever
changed or deleted: a reversal is an adjustment of the opposite amount, whose id follows from the first one's, so that
there can be only one.
"""

import argparse
import asyncio
import getpass
import time
from typing import get_args
from uuid import uuid4

import asyncpg
import msgspec

from services.stats.admin.lost_adjustments import send_lost_adjustments
from services.stats.counting.exclusions import reversal_id
from services.stats.settings import StatsSettings
from shared.cli import CommandError, open_command_pool
from shared.events import Adjustment, Measure
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.retry import retry_until_done
from shared.sites import Sites
from shared.sites_file import read_sites
from shared.topics import COUNTER_ADJUSTMENTS

KAFKA_SECONDS = 15.0
APPLIED_SECONDS = 15.0
APPLIED_POLL_SECONDS = 0.1

READ_ADJUSTMENTS = """
SELECT id, site, article, measure, amount, who, why, created_at
FROM stats.adjustments
WHERE $1::text IS NULL OR site = $1
ORDER BY created_at, id
"""
READ_ADJUSTMENT = "SELECT id, site, article, measure, amount, excluded_agent FROM stats.adjustments WHERE id = $1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--amount", type=int, help="what to add to the total; may be negative")
    what.add_argument("--reverse", metavar="ID", help="take an adjustment back, by another one")
    what.add_argument(
        "--send-again", action="store_true", help="send the adjustments to Kafka that it has lost; none counts twice"
    )
    what.add_argument("--list", action="store_true", help="show all adjustments, or those of --site")
    parser.add_argument("--site", help="slug of the site, as in sites.toml")
    parser.add_argument("--article", help="id of the article; default: the site's own counter")
    parser.add_argument("--measure", choices=get_args(Measure), help="default: what the site shows")
    parser.add_argument("--who", help="who answers for it; default: your login name")
    parser.add_argument("--why", help="the reason, for the audit")


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> None:
    """Run the command."""
    sites = read_sites(settings.sites, settings.public_url)
    needs_reason = arguments.amount is not None or arguments.reverse is not None
    if not needs_reason and not arguments.list and not arguments.send_again:
        raise CommandError("one of --amount, --reverse, --send-again or --list is required")
    if needs_reason and not (arguments.why or "").strip():
        raise CommandError("--why is required: an amount that nobody measured needs its reason")
    if arguments.site is not None and arguments.site not in sites:
        raise CommandError(f"unknown site {arguments.site!r}; {settings.sites} does not have it")
    async with open_command_pool(settings, role="presstally_stats") as pool:
        if arguments.list:
            await _list(pool, arguments.site)
        elif arguments.send_again:
            async with pool.acquire() as connection:
                if not await send_lost_adjustments(connection, settings.kafka):
                    print("Kafka has all adjustments")
        elif arguments.reverse is not None:
            await _reverse(pool, settings, arguments)
        else:
            adjustment = _new(arguments, sites)
            await submit(pool, settings, adjustment)
            print(_describe(adjustment))


def _new(arguments: argparse.Namespace, sites: Sites) -> Adjustment:
    if arguments.site is None:
        raise CommandError("--site is required")
    if arguments.amount == 0:
        raise CommandError("an amount of 0 changes nothing")
    return Adjustment(
        id=str(uuid4()),
        site=arguments.site,
        article=arguments.article,
        measure=arguments.measure or sites[arguments.site].default_measure,
        amount=arguments.amount,
        who=author(arguments),
        why=arguments.why,
        at=time.time_ns() // 1_000_000,
    )


def author(arguments: argparse.Namespace) -> str:
    """Return who answers for an adjustment.

    Raises:
        CommandError: nobody is named.
    """
    try:
        return arguments.who or getpass.getuser()
    except (KeyError, OSError) as error:
        raise CommandError("your login has no name; --who is required") from error


async def _reverse(pool: asyncpg.Pool, settings: StatsSettings, arguments: argparse.Namespace) -> None:
    if arguments.site or arguments.article or arguments.measure:
        raise CommandError("a reversal has the site, article and measure of what it reverses; leave them out")
    reversed_id = arguments.reverse
    row = await pool.fetchrow(READ_ADJUSTMENT, reversed_id)
    if row is None:
        raise CommandError(f"unknown adjustment {reversed_id}; --list shows them")
    if row["excluded_agent"] is not None:
        raise CommandError(f"{reversed_id} is an exclusion; `presstally stats exclude --reverse` counts again")
    reversal = reversal_id(reversed_id)
    if await pool.fetchrow(READ_ADJUSTMENT, reversal) is not None:
        print(f"{reversed_id} is already reversed by {reversal}; nothing was changed")
        return
    adjustment = Adjustment(
        id=reversal,
        site=row["site"],
        article=row["article"] or None,
        measure=row["measure"],
        amount=-row["amount"],
        who=author(arguments),
        why=f"reverses {reversed_id}: {arguments.why}",
        at=time.time_ns() // 1_000_000,
    )
    await submit(pool, settings, adjustment)
    print(_describe(adjustment))


async def submit(pool: asyncpg.Pool, settings: StatsSettings, adjustment: Adjustment) -> None:
    """Publish an adjustment, and wait until it is in Postgres."""
    try:
        value = msgspec.json.encode(adjustment)
        msgspec.json.decode(value, type=Adjustment)  # what its reader would refuse is refused here
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise CommandError(f"invalid adjustment: {error}") from error
    producer = Producer(settings.kafka)
    producer.start()
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            key = adjustment.id.encode()
            await retry_until_done(
                lambda: producer.send(COUNTER_ADJUSTMENTS.name, value, key=key),
                on=KafkaUnavailable,
                what="send an adjustment",
            )
    except TimeoutError:
        raise CommandError(
            f"Kafka at {settings.kafka} did not confirm {adjustment.id} within {KAFKA_SECONDS:g} s"
            f"{_failure_reason(producer)}. It may still arrive: check --list before you try again"
        ) from None
    finally:
        await producer.stop()
    await _wait_until_applied(pool, adjustment)


def _describe(adjustment: Adjustment) -> str:
    of = f"{adjustment.site} {adjustment.article}" if adjustment.article else adjustment.site
    return f"{adjustment.id}: {adjustment.amount:+,} {adjustment.measure} of {of}"


def _failure_reason(producer: Producer) -> str:
    return f" ({producer.problem})" if producer.problem else ""


async def _wait_until_applied(pool: asyncpg.Pool, adjustment: Adjustment) -> None:
    try:
        async with asyncio.timeout(APPLIED_SECONDS):
            while True:
                if await pool.fetchrow(READ_ADJUSTMENT, adjustment.id) is not None:
                    return
                await asyncio.sleep(APPLIED_POLL_SECONDS)
    except TimeoutError:
        raise CommandError(
            f"{adjustment.id} is in Kafka and not in the counter after {APPLIED_SECONDS:g} s. Is a counter running? "
            "It will be entered then; do not send it again"
        ) from None


async def _list(pool: asyncpg.Pool, site: str | None) -> None:
    rows = await pool.fetch(READ_ADJUSTMENTS, site)
    ids = {row["id"] for row in rows}
    print(f"{'id':<36}  {'at':<20}  {'site':<16}  {'article':<36}  {'measure':<8}  {'amount':>15}  who: why")
    for row in rows:
        reversal = reversal_id(row["id"])
        note = f" (reversed by {reversal})" if reversal in ids else ""
        print(
            f"{row['id']:<36}  {row['created_at']:%Y-%m-%dT%H:%M:%SZ}  {row['site']:<16}  "
            f"{row['article'] or '(site)':<36}  {row['measure']:<8}  {row['amount']:>+15,}  "
            f"{row['who']}: {row['why']}{note}"
        )

"""`presstally stats exclude`: take a group that behaves as programs do out of the counts, or put it back.

An exclusion is an adjustment with author and reason, and goes the way of all others: through Kafka
`counter-adjustments` into Postgres. It is applied by a rebuild, which counts the log again with the events of these
visitors as those of bots and swaps all numbers at once. What the log no longer has cannot be counted again: then
nothing is changed.
"""

import argparse
import time
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg

from services.stats.admin.adjust import author, submit
from services.stats.admin.exclusions import CLOCK_MS, LATE_MS
from services.stats.admin.lost_records import refuse_lost_records
from services.stats.admin.rebuild import Rebuild, consuming, only_one
from services.stats.admin.suspects import local_date
from services.stats.counting.exclusions import Exclusion, reversal_id
from services.stats.local_calendar import date_start
from services.stats.queries import SQL
from services.stats.settings import StatsSettings
from services.stats.suspects.evidence_reader import read_suspects
from shared.cli import CommandError, open_command_pool
from shared.events import Adjustment, ExcludedGroup
from shared.kafka.log_reader import log_reader
from shared.sites import Site, Sites
from shared.sites_file import read_sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--group", help="a group that `presstally stats suspects` names, of --site and --day")
    what.add_argument("--reverse", metavar="ID", help="count the visitors of an exclusion again")
    what.add_argument("--list", action="store_true", help="show all exclusions, or those of --site")
    parser.add_argument("--site", help="slug of the site, as in sites.toml")
    parser.add_argument("--day", type=local_date, metavar="YYYY-MM-DD", help="local day; default: today")
    parser.add_argument("--who", help="who answers for it; default: your login name")
    parser.add_argument("--why", help="the reason, for the audit")


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> None:
    """Run the command."""
    sites = read_sites(settings.sites, settings.public_url)
    async with open_command_pool(settings, role="presstally_stats", size=8, statement_timeout_seconds=120) as pool:
        if arguments.list:
            if arguments.site is not None and arguments.site not in sites:
                raise CommandError(f"unknown site {arguments.site!r}; {settings.sites} does not have it")
            await _list(pool, sites, arguments.site)
            return
        if not (arguments.why or "").strip():
            raise CommandError("--why is required: it is the line of the audit")
        if arguments.reverse is not None:
            adjustment, exclusion = await _reversal(pool, arguments)
            row = await pool.fetchrow(SQL["read_exclusion_visitors"], exclusion.id)
            if row is not None and not row["is_excluded"]:
                print(f"{exclusion.id} is already reversed by {adjustment.id}; nothing was changed")
                return
        else:
            adjustment, exclusion = await _exclusion(pool, sites, arguments)
        await _recount(pool, settings, sites, adjustment, exclusion)
        row = await pool.fetchrow(SQL["read_exclusion_visitors"], exclusion.id)
        assert row is not None, "the rebuild has applied it"
        if arguments.reverse is not None:
            visitors = f"{row['visitors']:,} visitors of {exclusion.site}"
            print(f"{visitors} are counted again; the exclusion {exclusion.id} is reversed")
        else:
            print(taken_out(exclusion, row["visitors"], row["arrived_before"], sites[exclusion.site]))


def taken_out(exclusion: Exclusion, visitors: int, arrived_before: int, site: Site) -> str:
    """Return the message after an exclusion: how many visitors it has, and what is not in it yet."""
    until, complete = (
        f"{datetime.fromtimestamp(milliseconds / 1000, site.zone):%Y-%m-%d %H:%M}"
        for milliseconds in (arrived_before, exclusion.end * 1000 + LATE_MS)
    )
    return (
        f"{visitors:,} visitors of {site.slug} were taken out of the counts by {exclusion.id}\n"
        f"They had arrived by {until}. Events of these hours may arrive late, until {complete}: "
        "`presstally stats rebuild` takes those out, too, that have arrived by then. "
        "In later hours `stats suspects` names the group again."
    )


async def _exclusion(pool: asyncpg.Pool, sites: Sites, arguments: argparse.Namespace) -> tuple[Adjustment, Exclusion]:
    site = sites.get(arguments.site or "")
    if site is None:
        raise CommandError("--site is required, and must be one of sites.toml")
    now = time.time_ns() // 1_000_000
    at = date_start(arguments.day, site.zone) if arguments.day is not None else now // 1000
    suspects = {one.name: one for one in await read_suspects(pool, site, at)}
    suspect = suspects.get(arguments.group)
    if suspect is None:
        raise CommandError(f"{arguments.group} is no suspect of {site.slug} on that day; `stats suspects` names them")
    group = ExcludedGroup(agent=suspect.agent, begin=suspect.begin, end=suspect.end)
    adjustment = Adjustment(
        id=str(uuid4()),
        site=site.slug,
        article=None,
        measure="visitors",
        amount=0,
        who=author(arguments),
        why=arguments.why,
        at=now - CLOCK_MS,
        excluded=group,
    )
    return adjustment, Exclusion(adjustment.id, site.slug, group.agent, group.begin, group.end, adjustment.at)


async def _reversal(pool: asyncpg.Pool, arguments: argparse.Namespace) -> tuple[Adjustment, Exclusion]:
    exclusions = {row["id"]: Exclusion(*tuple(row)) for row in await pool.fetch(SQL["read_exclusions"])}
    exclusion = exclusions.get(arguments.reverse)
    if exclusion is None:
        raise CommandError(f"unknown exclusion {arguments.reverse}; --list shows them")
    adjustment = Adjustment(
        id=reversal_id(exclusion.id),
        site=exclusion.site,
        article=None,
        measure="visitors",
        amount=0,
        who=author(arguments),
        why=f"reverses {exclusion.id}: {arguments.why}"[:500],
        at=time.time_ns() // 1_000_000,
    )
    return adjustment, exclusion


async def _recount(
    pool: asyncpg.Pool, settings: StatsSettings, sites: Sites, adjustment: Adjustment, exclusion: Exclusion
) -> None:
    """Enter the adjustment and rebuild the counts with it; neither if the log no longer has all of the day."""
    async with only_one(settings.database_url.get_secret_value()) as lock, consuming(settings.kafka) as consumer:
        async with log_reader(settings.kafka) as reader:
            await refuse_lost_records(pool, reader)
        rebuild = Rebuild(pool, lock, consumer, sites, new_log=False)
        await rebuild.begin()
        if exclusion.site not in sites or not rebuild.recounts(exclusion):
            await rebuild.abandon()
            raise CommandError(
                "Kafka no longer has all events of that day and of the two days before, so the counts of the day stay "
                "as they are; nothing was changed"
            )
        await submit(pool, settings, adjustment)
        await rebuild.finish()


async def _list(pool: asyncpg.Pool, sites: Sites, slug: str | None) -> None:
    rows = await pool.fetch(SQL["list_exclusions"], slug)
    if not rows:
        print("there are no exclusions")
    for row in rows:
        print(describe(dict(row), sites.get(row["site"])))


def describe(row: dict[str, Any], site: Site | None) -> str:
    """Return the line of an exclusion."""
    zone = site.zone if site is not None else None
    begin, end = (datetime.fromtimestamp(row[name], zone) for name in ("excluded_from", "excluded_to"))
    until = datetime.fromtimestamp(row["arrived_before"] / 1000, zone)
    excluded = f"out of the counts, of what had arrived by {until:%Y-%m-%d %H:%M}"
    state = {True: excluded, False: "counted", None: "not applied: run `presstally stats rebuild`"}
    return (
        f"{row['id']}  {row['site']}  group {row['excluded_agent']:08x}  {begin:%Y-%m-%d %H:%M} to {end:%H:%M}  "
        f"{row['visitors'] or 0:,} visitors, {state[row['is_excluded']]}  {row['who']}: {row['why']}"
    )

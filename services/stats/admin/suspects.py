"""`presstally stats suspects`: name the groups of visitors that behave as programs do, with the reason."""

import argparse
import time
from datetime import date, datetime

from services.stats.local_calendar import date_start
from services.stats.settings import StatsSettings
from services.stats.statistics.periods import FIRST_YEAR, LAST_YEAR
from services.stats.suspects.evidence_reader import read_suspects
from services.stats.suspects.finding import NETWORKS_MAX, Suspect
from shared.cli import CommandError, open_command_pool
from shared.sites import Site
from shared.sites_file import read_sites

STATEMENT_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--site", help="slug of the site, as in sites.toml; default: all")
    parser.add_argument("--day", type=local_date, metavar="YYYY-MM-DD", help="local day; default: today")


def local_date(text: str) -> date:
    """Return the day that the operator named.

    Raises:
        ArgumentTypeError: it is not one, or is in no year that can have counts.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2026-03-04")
    return day


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> None:
    """Run the command."""
    sites = read_sites(settings.sites, settings.public_url)
    if arguments.site is not None and arguments.site not in sites:
        raise CommandError(f"unknown site {arguments.site!r}; {settings.sites} does not have it")
    found = False
    async with open_command_pool(
        settings, role="presstally_stats", statement_timeout_seconds=STATEMENT_SECONDS
    ) as pool:
        for site in [sites[arguments.site]] if arguments.site is not None else sites.values():
            at = date_start(arguments.day, site.zone) if arguments.day is not None else int(time.time())
            for suspect in await read_suspects(pool, site, at):
                found = True
                print(describe(suspect, site))
    if not found:
        print("no group behaves as programs do; what arrived in the last half hour is not in the evidence yet")


def describe(suspect: Suspect, site: Site) -> str:
    """Return a message that names a suspect: which group, when, how large, and why it is one."""
    begin, end = (datetime.fromtimestamp(one, site.zone) for one in (suspect.begin, suspect.end))
    networks = f"{suspect.networks:,}" if suspect.networks < NETWORKS_MAX else f"more than {NETWORKS_MAX:,}"
    return (
        f"{site.slug} {begin:%Y-%m-%d} {begin:%H:%M} to {end:%H:%M}, group {suspect.name} ({suspect.browser}): "
        f"{suspect.visitors:,} visitors, {suspect.share:.1%} of the site's.\n"
        f"    They have one user agent and come from {networks} networks, open "
        f"{suspect.views / suspect.arrivals:.2f} pages each, and "
        f"{suspect.visitors / suspect.arrivals:.1%} of their pages send nothing after that; "
        f"of everybody else's {suspect.rest_silent:.1%}."
    )

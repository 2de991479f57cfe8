"""`presstally render rebuild`: rebuild the portal from the topic, check it, swap; `rollback` swaps back.

Builders and the site go on meanwhile. A rebuild that fails or is killed does not change the live portal: the next
generation is a separate set of tables until the swap, which is one transaction.
"""

import argparse
import sys
import time
from collections.abc import Mapping

import asyncpg

from services.render.crawl.site_check import SiteCheckReport, check_site, print_findings
from services.render.queries import GENERATIONS
from services.render.rebuild import generations
from services.render.rebuild.generations import Generation, GenerationError
from services.render.rebuild.replay import Replay, replaying
from services.render.settings import RenderSettings
from shared.sites import Sites
from shared.sites_file import read_sites


def add_rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rebuild`."""
    parser.add_argument("--compare", action="store_true", help="also render every live page; list those that change")
    parser.add_argument("--check", action="store_true", help="build and check, but do not swap")
    _add_force(parser)


def add_rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rollback`."""
    _add_force(parser)


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="swap even if pages fail or links are broken")
    parser.add_argument(
        "--drop-missing", action="store_true", help="drop the live articles that the topic does not have; do not ask"
    )


async def rebuild(arguments: argparse.Namespace, settings: RenderSettings) -> None:
    """Rebuild the portal next to the live one, check it and swap."""
    force = arguments.force
    sites = read_sites(settings.sites, settings.public_url)
    async with generations.exclusive_connection(settings.database_url.get_secret_value()) as connection:
        known = await generations.read_generations(connection)
        live, schema = known["live"].schema, known["spare"].schema
        await generations.truncate(connection, schema)
        async with replaying(settings.kafka, connection, schema, sites) as replay:
            begun = time.monotonic()
            await replay.catch_up(await replay.ends())
            await replay.add_structures_of(live)
            count = sum(version is not None for version in replay.versions.values())
            seconds = time.monotonic() - begun
            print(f"rebuilt {count} articles in {schema}, {count / max(seconds, 0.001):,.0f} a second", flush=True)
            print_findings("records that cannot be stored", replay.unreadable)
            await connection.execute(GENERATIONS[schema]["analyze"], schema)
            orphans = await generations.orphans(connection, replay, live, schema)
            confirm_dropping(orphans, is_confirmed=arguments.drop_missing or getattr(arguments, "check", False))
            await _compare_rows(connection, live, schema)
            reports = await _check_sites(connection, schema, sites, settings, force=force)
            if arguments.compare:
                await _compare_pages(connection, live, reports, sites, settings)
            if arguments.check:
                print(f"not swapped; {live} is still live")
                return
            await _swap(connection, replay, known["live"], schema, orphans)


async def rollback(arguments: argparse.Namespace, settings: RenderSettings) -> None:
    """Swap back to the former generation."""
    force = arguments.force
    sites = read_sites(settings.sites, settings.public_url)
    async with generations.exclusive_connection(settings.database_url.get_secret_value()) as connection:
        known = await generations.read_generations(connection)
        if "former" not in known:
            raise GenerationError("there is no former generation before the first rebuild")
        former, live = known["former"], known["live"].schema
        schema = former.schema
        async with replaying(settings.kafka, connection, schema, sites) as replay:
            await replay.catch_up(await replay.ends())
            await replay.add_structures_of(live)
            print_findings("records that cannot be stored", replay.unreadable)
            # Articles that were withdrawn since, and are gone from the topic, stay removed; the rebuild's orphans stay.
            gone = await generations.article_ids(connection, schema) - replay.versions.keys() - set(former.orphans)
            await connection.execute(GENERATIONS[schema]["delete_articles"], list(gone))
            orphans = await generations.orphans(connection, replay, live, schema)
            confirm_dropping(orphans, is_confirmed=arguments.drop_missing or getattr(arguments, "check", False))
            await _compare_rows(connection, live, schema)
            await _check_sites(connection, schema, sites, settings, force=force)
            await _swap(connection, replay, known["live"], schema, orphans)


def confirm_dropping(orphans: list[str], *, is_confirmed: bool) -> None:
    """Name the live articles that would be dropped, and ask; without a terminal refuse.

    Raises:
        GenerationError: it is not confirmed.
    """
    if not orphans:
        return
    print(f"live articles that the topic does not have: {len(orphans)}", *orphans, sep="\n  ", flush=True)
    if is_confirmed:
        return
    if sys.stdin.isatty() and input("Drop them from the portal? Type yes: ").strip() == "yes":
        return
    raise GenerationError(
        f"{len(orphans)} live articles are not in the topic, and nothing has changed. Ingest sends them again when it "
        "is running; --drop-missing drops them"
    )


async def _check_sites(
    connection: asyncpg.Connection, schema: str, sites: Sites, settings: RenderSettings, *, force: bool
) -> dict[str, SiteCheckReport]:
    """Render every page of a generation and resolve its links.

    Raises:
        GenerationError: a page cannot be rendered, or a link that the portal itself made is broken.
    """
    begun, reports = time.monotonic(), {}
    for site in sites.values():
        reports[site.slug] = report = await check_site(connection, schema, site, site.url)
        print_findings(f"{site.slug}: pages that cannot be rendered", report.failed)
        print_findings(f"{site.slug}: broken links", report.broken)
        print_findings(f"{site.slug}: broken links in texts, for their editors", report.editors_broken)
    count = sum(len(report.checksums) for report in reports.values())
    rate = count / max(time.monotonic() - begun, 0.001)
    print(f"checked {count} pages and their links, {rate:,.0f} a second", flush=True)
    errors = sum(len(report.failed) + len(report.broken) for report in reports.values())
    if errors and not force:
        raise GenerationError(f"{errors} errors; the live portal has not changed. --force swaps anyway")
    return reports


async def _compare_rows(connection: asyncpg.Connection, live: str, schema: str) -> None:
    differ = await generations.differing_articles(connection, live, schema)
    print_findings("articles whose rows differ from the live ones", differ)
    if not differ:
        print("all rows are the same as the live ones", flush=True)


async def _compare_pages(
    connection: asyncpg.Connection,
    live: str,
    reports: Mapping[str, SiteCheckReport],
    sites: Sites,
    settings: RenderSettings,
) -> None:
    for site in sites.values():
        now = (await check_site(connection, live, site, site.url)).checksums
        then = reports[site.slug].checksums
        differ = sorted(address for address in now.keys() | then.keys() if now.get(address) != then.get(address))
        print_findings(f"{site.slug}: pages that change", differ)
        print(f"{site.slug}: {len(then)} pages, {len(differ)} of them different from the live ones", flush=True)


async def _swap(
    connection: asyncpg.Connection, replay: Replay, live: Generation, schema: str, orphans: list[str]
) -> None:
    seconds = await generations.swap(connection, replay, live.schema, schema, orphans)
    print(f"{schema} is live now; builders waited {seconds * 1000:.0f} ms. `rollback` makes {live.schema} live again")
    await generations.truncate_spares(connection)

"""`python -m services.render rebuild`: make the portal anew from the topic, look it over, swap; `rollback` swaps back.

Builders and readers go on meanwhile. What fails or is killed on the way leaves what readers get alone: the next
generation is a set of tables of its own until the swap, which is one transaction.
"""

import argparse
import time
from collections.abc import Mapping

import asyncpg

from services.render.crawl.site_check import Found, look_over, tell
from services.render.queries import GENERATIONS
from services.render.rebuild import generations
from services.render.rebuild.generations import Generation, GenerationError
from services.render.rebuild.replay import Replay, replaying
from services.render.settings import RenderSettings
from shared.sites import Sites, read_sites

ORPHANS_SHARE_MAX = 0.1
"""Of the live articles: if the topic has lost more, it is more likely wrong than they are."""


def add_rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rebuild`."""
    parser.add_argument("--compare", action="store_true", help="also make every live page, and name those that change")
    parser.add_argument("--check", action="store_true", help="build and look over, but do not swap")
    _add_force(parser)


def add_rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rollback`."""
    _add_force(parser)


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--force", action="store_true", help="swap although pages fail, links are broken or the topic lost articles"
    )


async def rebuild(arguments: argparse.Namespace, settings: RenderSettings) -> None:
    """Rebuild the portal beside the live one, check it and swap."""
    force = arguments.force
    sites = read_sites(settings.sites)
    async with generations.alone(settings.database_url.get_secret_value()) as connection:
        known = await generations.read_generations(connection)
        live, place = known["live"].place, known["spare"].place
        await generations.empty(connection, place)
        async with replaying(settings.kafka, connection, place, sites) as replay:
            begun = time.monotonic()
            await replay.catch_up(await replay.ends())
            count = sum(version is not None for version in replay.versions.values())
            seconds = time.monotonic() - begun
            print(f"made {count} articles anew in {place}, {count / max(seconds, 0.001):,.0f} a second", flush=True)
            tell("record cannot be kept", replay.unreadable)
            await connection.execute(GENERATIONS[place]["analyze"], place)
            orphans = await generations.orphans(connection, replay, live, place)
            most = await _orphans_max(connection, live, orphans, replay, force=force)
            await _compare_rows(connection, live, place)
            found = await _look_over(connection, place, sites, settings, force=force)
            if arguments.compare:
                await _compare_pages(connection, live, found, sites, settings)
            if arguments.check:
                print(f"nothing is swapped; readers go on with {live}")
                return
            await _swap(connection, replay, known["live"], place, most)


async def rollback(arguments: argparse.Namespace, settings: RenderSettings) -> None:
    """Swap back to the former generation."""
    force = arguments.force
    sites = read_sites(settings.sites)
    async with generations.alone(settings.database_url.get_secret_value()) as connection:
        known = await generations.read_generations(connection)
        if "former" not in known:
            raise GenerationError("there is no former generation: it comes to be with the first rebuild")
        former, live = known["former"], known["live"].place
        place = former.place
        async with replaying(settings.kafka, connection, place, sites) as replay:
            await replay.catch_up(await replay.ends())
            tell("record cannot be kept", replay.unreadable)
            # What was withdrawn since, and is gone from the topic, stays away. What the rebuild dropped comes back.
            gone = await generations.ids(connection, place) - replay.versions.keys() - set(former.orphans)
            await connection.execute(GENERATIONS[place]["forget_articles"], list(gone))
            orphans = await generations.orphans(connection, replay, live, place)
            most = await _orphans_max(connection, live, orphans, replay, force=force)
            await _compare_rows(connection, live, place)
            await _look_over(connection, place, sites, settings, force=force)
            await _swap(connection, replay, known["live"], place, most)


async def _orphans_max(
    connection: asyncpg.Connection, live: str, orphans: list[str], replay: Replay, *, force: bool
) -> int:
    """Return how many articles may be dropped.

    Raises:
        GenerationError: too many would be.
    """
    count = len(await generations.ids(connection, live))
    most = max(1, int(count * ORPHANS_SHARE_MAX))
    tell("article is not in the topic and is dropped", orphans)
    if force:
        return count
    if count and not replay.versions:
        raise GenerationError(f"the topic is empty, and {count} articles are live; --force drops them")
    if len(orphans) > most:
        raise GenerationError(f"the topic has lost {len(orphans)} of {count} live articles; --force drops them")
    return most


async def _look_over(
    connection: asyncpg.Connection, place: str, sites: Sites, settings: RenderSettings, *, force: bool
) -> dict[str, Found]:
    """Make every page of a generation and follow its links.

    Raises:
        GenerationError: a page cannot be made, or the portal itself made a link that leads nowhere.
    """
    begun, seen = time.monotonic(), {}
    for site in sites.values():
        seen[site.slug] = found = await look_over(connection, place, site, settings.public_url or site.origins[0])
        tell(f"page of {site.slug} cannot be made", found.failed)
        tell(f"link of {site.slug} leads nowhere", found.broken)
        tell(f"link in a text of {site.slug} leads nowhere, which its editors may want to know", found.editors_broken)
    count = sum(len(found.tags) for found in seen.values())
    rate = count / max(time.monotonic() - begun, 0.001)
    print(f"looked over {count} pages and their links, {rate:,.0f} a second", flush=True)
    faults = sum(len(found.failed) + len(found.broken) for found in seen.values())
    if faults and not force:
        raise GenerationError(f"{faults} faults; readers go on as they were. --force swaps all the same")
    return seen


async def _compare_rows(connection: asyncpg.Connection, live: str, place: str) -> None:
    differ = await generations.that_differ(connection, live, place)
    tell("article has other rows than the live one", differ)
    if not differ:
        print("all rows are as the live ones", flush=True)


async def _compare_pages(
    connection: asyncpg.Connection, live: str, seen: Mapping[str, Found], sites: Sites, settings: RenderSettings
) -> None:
    for site in sites.values():
        now = (await look_over(connection, live, site, settings.public_url or site.origins[0])).tags
        then = seen[site.slug].tags
        differ = sorted(address for address in now.keys() | then.keys() if now.get(address) != then.get(address))
        tell(f"page of {site.slug} changes", differ)
        print(f"{site.slug}: {len(then)} pages, {len(differ)} of them other than the live ones", flush=True)


async def _swap(connection: asyncpg.Connection, replay: Replay, live: Generation, place: str, orphans_max: int) -> None:
    seconds = await generations.swap(connection, replay, live.place, place, orphans_max)
    print(f"readers get {place} now; builders waited {seconds * 1000:.0f} ms. `rollback` brings {live.place} back")
    await generations.empty_spares(connection)

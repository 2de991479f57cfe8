"""`presstally ingest media crop`: the crops of images of before crops were made, and of their articles."""

import argparse
import getpass

import asyncpg

from services.ingest.articles.store import read_article
from services.ingest.articles.topic_comparison import NotComparedError, check_compared
from services.ingest.auth.actors import Actor
from services.ingest.media.library import MediaItem, MediaStore, media_item
from services.ingest.media.recrop import cut_crops, update_articles
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.articles import Figure, Focus
from shared.cli import CommandError, open_command_pool
from shared.http.problems import Problem
from shared.object_store import open_store
from shared.progress_bar import progress_bar
from shared.sites_file import read_sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    crop = actions.add_parser("crop", help="cut the crops that images lack, and give them to the articles")
    crop.add_argument("--site", help="slug of the site; default: all")
    crop.add_argument("--who", default=None, help="name in the audit; default: your login name")


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    """Run the command, and return its exit code: 1 if crops of an image could not be cut."""
    sites = read_sites(settings.sites, settings.public_url)
    if arguments.site is not None and arguments.site not in sites:
        raise CommandError(f"unknown site {arguments.site!r}; {settings.sites} has {', '.join(sites)}")
    media = MediaStore(open_store(settings.media))
    actor = Actor(arguments.who or getpass.getuser())
    async with open_command_pool(settings, role="presstally_ingest", size=2) as pool:
        try:
            await check_compared(pool)
            return await _crop(pool, media, list(sites) if arguments.site is None else [arguments.site], actor)
        except NotComparedError as error:
            raise CommandError(f"{error}: ingest does that when it starts, so start it first") from error


async def _crop(pool: asyncpg.Pool, media: MediaStore, sites: list[str], actor: Actor) -> int:
    images = cropped = articles = 0
    failed: list[str] = []
    last = ("", "")
    with progress_bar("images", await pool.fetchval(SQL["count_media"], sites)) as advance:
        while rows := await pool.fetch(SQL["media_by_id"], *last, sites):
            for item in map(media_item, rows):
                last = (item.id, item.site)
                images += 1
                try:
                    for focus in await _focus_points(pool, item):
                        cropped += await cut_crops(pool, media, item.site, item.id, focus)
                    articles += await update_articles(pool, item, actor)
                except Problem as problem:
                    failed.append(f"{item.site}, {item.file_name or item.id}: {problem.detail}")
                advance(1)
    print(f"{images:,} images: {cropped:,} cropped; {articles:,} articles have new crops")
    for one in failed:
        print(f"not cropped: {one}")
    return 1 if failed else 0


async def _focus_points(pool: asyncpg.Pool, item: MediaItem) -> list[Focus | None]:
    """Return the focus points of an image: its own, and those that articles have for it."""
    found = [item.image.focus]
    for row in await pool.fetch(SQL["articles_with_media"], item.site, item.id):
        async with pool.acquire() as connection:
            stored = await read_article(connection, row["id"])
        versions = [] if stored is None else [one for one in (stored.head, stored.live) if one is not None]
        blocks = [block for version in versions for block in (version.lead_image, *version.body)]
        images = [block.image for block in blocks if isinstance(block, Figure) and block.image is not None]
        found += [image.focus or item.image.focus for image in images if image.media == item.id]
    return list(dict.fromkeys(found))

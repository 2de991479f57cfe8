"""`python -m services.render export DIR`: a complete static copy of a site, for any server of files.

All of it is made from one snapshot, by the same surfaces that readers ask, and has the same bytes. Images are there
before the pages that show them, articles before the lists that lead to them, and what is gone goes last: a server may
serve the folder meanwhile.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import asyncpg
import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from services.render.crawl.all_pages import Failed, Plan, WholeReader, every_page, plan
from services.render.crawl.links import medium, own_links
from services.render.crawl.site_check import Found, Links, tell
from services.render.export.folder import Folder, FolderError, file_name, open_folder
from services.render.export.server_configs import Redirects, caddyfile, netlify_headers, netlify_redirects, nginx_map
from services.render.pages.document import Document
from services.render.pages.html import render_error
from services.render.pages.themes import theme_of
from services.render.queries import GENERATIONS, SQL
from services.render.settings import RenderSettings
from services.render.site.responses import ASK_FIRST, FOR_EVER, page_policy, safe_headers
from shared.cli import CommandError, unreachable
from shared.object_store import PUBLIC, TYPES, open_store
from shared.sites import Site, read_sites

STATEMENT_SECONDS = 120
IDLE_SECONDS = 600
"""Of the snapshot, while images are fetched."""
AFTER_FAILURE = "what was not replaced is unchanged, run it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="where the copy stands or shall stand")
    parser.add_argument("--site", help="the site's slug; not needed if there is only one")


async def run(arguments: argparse.Namespace, settings: RenderSettings) -> int:
    """Export a site and return the exit code: 1 if the copy is incomplete."""
    sites = read_sites(settings.sites)
    slug = arguments.site or (next(iter(sites)) if len(sites) == 1 else "")
    if not slug:
        raise CommandError(f"--site is required: one of {', '.join(sites)}")
    if slug not in sites:
        raise CommandError(f"unknown site {slug!r}; choose from {', '.join(sites)}")
    try:
        with open_folder(arguments.folder) as folder:
            return await _export(settings, sites[slug], folder)
    except FolderError as error:
        raise CommandError(str(error)) from error
    except BaseError as error:
        raise CommandError(f"{unreachable('the media store', error)}; {AFTER_FAILURE}") from error


async def _export(settings: RenderSettings, site: Site, folder: Folder) -> int:
    begun = time.monotonic()
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        command_timeout=STATEMENT_SECONDS + 2,
        server_settings={
            "role": "presstally_render",
            "application_name": "presstally_render export",
            "statement_timeout": str(STATEMENT_SECONDS * 1000),
            "idle_in_transaction_session_timeout": str(IDLE_SECONDS * 1000),
            "timezone": "UTC",
        },
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            sql = GENERATIONS[await connection.fetchval(SQL["live_place"])]
            reader = WholeReader(connection, site, sql)
            copying = Copying(folder, open_store(settings.media), settings.public_url or site.origins[0])
            found = await copying.everything(reader)
    finally:
        await connection.close(timeout=5)
    is_whole = not (found.failed or found.broken or copying.missing)
    if is_whole:
        folder.remove_the_rest()
    count, seconds = len(found.tags), time.monotonic() - begun
    print(
        f"{site.slug}: {count} pages, {count / seconds:,.0f} a second; "
        f"{folder.written} files written, {folder.same} as they were, {folder.removed} removed"
    )
    tell("page cannot be made", found.failed)
    tell("link leads nowhere", found.broken)
    tell("image is not in the media store", copying.missing)
    tell("link in a text leads nowhere, which its editors may want to know", found.editors_broken)
    if not is_whole:
        print("export: the copy is not whole; nothing was removed from it", file=sys.stderr)
    return 0 if is_whole else 1


class Copying:
    """Makes all of a site and puts it into a folder. `missing`: images that the store has not, and who shows them."""

    def __init__(self, folder: Folder, store: ObjectStore, public_url: str) -> None:
        self._folder = folder
        self._store = store
        self._public_url = public_url
        self._media: set[str] = set()
        self.missing: dict[str, str] = {}

    async def everything(self, reader: WholeReader) -> Found:
        """Put all of a site into the folder, and return what was found on the way."""
        found, of = Found(), await plan(reader)
        links = Links(of, reader.site, self._public_url)
        for path, document in theme_of(reader.site).assets.items():
            self._put(path, document)
        for status in (404, 410):
            self._put(f"/{status}.html", render_error(reader.site, self._public_url, status))
        async for address, outcome in every_page(reader, of, self._public_url):
            if not isinstance(outcome, Document):
                found.failed[address] = outcome.reason if isinstance(outcome, Failed) else str(outcome)
                continue
            found.tags[address] = outcome.tag
            own = own_links(outcome, self._public_url)
            links.note(address, own)
            await self._put_media(own, address)
            self._put(address, outcome)
        await links.follow(reader, found)
        self._put_settings(reader.site, await _redirects(reader, found, of))
        return found

    def _put(self, address: str, document: Document) -> None:
        self._folder.put(file_name(address, document.media_type), document)

    async def _put_media(self, links: Iterable[str], page: str) -> None:
        """Put the images that a page shows. A name stands for one content for ever."""
        for link in sorted(set(links) - self._media):
            name = medium(link)
            if name is None:
                continue
            self._media.add(link)
            file = link.lstrip("/")
            if self._folder.has(file):
                self._folder.keep(file)
                continue
            try:
                content = bytes(await (await obstore.get_async(self._store, PUBLIC + name)).bytes_async())
            except (FileNotFoundError, NotFoundError):
                self.missing[link] = page
                continue
            self._folder.put(file, Document(content, TYPES[name.rpartition(".")[2]]), may_compress=False)

    def _put_settings(self, site: Site, redirects: Redirects) -> None:
        headers = {**safe_headers(page_policy(theme_of(site).early_script_hash)), "cache-control": ASK_FIRST}
        texts = {
            "Caddyfile": caddyfile(redirects, headers, FOR_EVER),
            "redirects.nginx": nginx_map(redirects),
            "_redirects": netlify_redirects(redirects),
            "_headers": netlify_headers(headers, FOR_EVER),
        }
        for name, text in texts.items():
            self._folder.put(name, Document(text.encode(), "text/plain"), may_compress=False)


async def _redirects(reader: WholeReader, found: Found, of: Plan) -> Redirects:
    taken, moved, gone = of.addresses, dict(found.moved), set()
    for address, path, state, is_public in await reader.rows("whole_old_addresses"):
        if address in taken:
            continue  # an address of ours wins over a former one
        if is_public:
            moved[address] = path
        elif state == "killed":
            gone.add(address)
    for path, state in await reader.rows("whole_gone"):
        if state == "killed" and path not in taken:
            gone.add(path)
    moved.setdefault("/favicon.ico", theme_of(reader.site).paths["icon.svg"])
    numbers: Mapping[int, str] = of.articles
    return Redirects(dict(sorted(moved.items())), sorted(gone), numbers)

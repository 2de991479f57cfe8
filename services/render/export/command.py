"""`presstally render export DIR`: a complete static export of a site, for any file server.

Everything is rendered from one snapshot, by the route handlers that serve the portal, and has the same bytes; only the
page of the search is another one, which searches in the browser. Images
are written before the pages that show them, articles before the lists that link to them, and stale files are removed
last: a server may serve the folder meanwhile.
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

from services.render.crawl.all_pages import BulkPageReader, RenderFailure, SiteUrls, render_all, site_urls
from services.render.crawl.links import copied_page, file_id, media_name, own_links
from services.render.crawl.site_check import LinkChecker, SiteCheckReport, print_findings
from services.render.export.folder import ExportFolder, ExportFolderError, file_name, open_folder
from services.render.export.search_export import SEARCH_PAGE, search_documents, search_page
from services.render.export.server_configs import Redirects, caddyfile, netlify_headers, netlify_redirects, nginx_map
from services.render.pages.document import Document
from services.render.pages.html import render_error
from services.render.pages.saved_copy import checksum_mark, complete
from services.render.pages.themes import PREVIEW_FILES, theme_of
from services.render.queries import GENERATIONS, SQL
from services.render.settings import RenderSettings
from services.render.site.page_reader import read_valid_site
from services.render.site.representations import CACHE_IMMUTABLE, CACHE_REVALIDATE, page_csp, security_headers
from services.render.site.routes import saved_article
from services.render.site.saved_copies import read_pictures
from shared.articles import article_path
from shared.cli import CommandError, unreachable
from shared.object_store import FILES, PUBLIC, TYPES, open_store
from shared.site_structure import AUTHOR_PATH_PREFIX, Kind, page_path
from shared.sites import Site
from shared.sites_file import read_sites

STATEMENT_SECONDS = 120
IDLE_SECONDS = 600
"""Postgres ends the snapshot if it is idle for so long, while images are fetched."""
AFTER_FAILURE = "what was not replaced is unchanged, run it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of the export")
    parser.add_argument("--site", help="the site's slug; not needed if there is only one")


async def run(arguments: argparse.Namespace, settings: RenderSettings) -> int:
    """Export a site and return the exit code: 1 if the export is incomplete."""
    sites = read_sites(settings.sites, settings.public_url)
    slug = arguments.site or (next(iter(sites)) if len(sites) == 1 else "")
    if not slug:
        raise CommandError(f"--site is required: one of {', '.join(sites)}")
    if slug not in sites:
        raise CommandError(f"unknown site {slug!r}; choose from {', '.join(sites)}")
    try:
        with open_folder(arguments.folder) as folder:
            return await _export(settings, sites[slug], folder)
    except ExportFolderError as error:
        raise CommandError(str(error)) from error
    except BaseError as error:
        raise CommandError(f"{unreachable('the media store', error)}; {AFTER_FAILURE}") from error


async def _export(settings: RenderSettings, site: Site, folder: ExportFolder) -> int:
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
            sql = GENERATIONS[await connection.fetchval(SQL["live_schema"])]
            reader = BulkPageReader(connection, await read_valid_site(connection, sql, site), sql)
            exporter = SiteExporter(folder, open_store(settings.media), site.url)
            report = await exporter.export_site(reader)
    finally:
        await connection.close(timeout=5)
    is_complete = not (report.failed or report.broken or exporter.missing)
    if is_complete:
        folder.remove_stale()
    count, seconds = len(report.checksums), time.monotonic() - begun
    print(
        f"{site.slug}: {count} pages, {count / seconds:,.0f} a second; "
        f"{folder.written} files written, {folder.unchanged} unchanged, {folder.removed} removed"
    )
    print_findings("pages that cannot be rendered", report.failed)
    print_findings("broken links", report.broken)
    print_findings("images and files missing from the media store", exporter.missing)
    print_findings("broken links in texts, for their editors", report.editors_broken)
    if not is_complete:
        print("export: the export is incomplete; no stale file was removed", file=sys.stderr)
    return 0 if is_complete else 1


class SiteExporter:
    """Renders all of a site into a folder. `missing`: images that are not in the media store, each with its page."""

    def __init__(self, folder: ExportFolder, store: ObjectStore, public_url: str) -> None:
        self._folder = folder
        self._store = store
        self._public_url = public_url
        self._media: set[str] = set()
        self.missing: dict[str, str] = {}

    async def export_site(self, reader: BulkPageReader) -> SiteCheckReport:
        """Write all of a site into the folder, and return the report of its check."""
        report, urls = SiteCheckReport(), await site_urls(reader)
        links = LinkChecker(urls, reader.site, self._public_url)
        theme = theme_of(reader.site)
        of_previews = {theme.paths[name] for name in PREVIEW_FILES if name in theme.paths}
        for path, document in theme.assets.items():
            if path not in of_previews:
                self._put(path, document)
        for status in (404, 410):
            self._put(f"/{status}.html", render_error(reader.site, self._public_url, status))
        async for url, result in render_all(reader, urls, self._public_url):
            if not isinstance(result, Document):
                report.failed[url] = result.reason if isinstance(result, RenderFailure) else str(result)
                continue
            report.checksums[url] = result.checksum
            own = own_links(result, self._public_url)
            links.record(url, own)
            await self._put_media(own, url)
            self._put(url, search_page(reader, self._public_url) if url == SEARCH_PAGE else result)
            for link in own:
                if copied_page(link) == url:
                    await self._put_copy(reader, link)
        async for url, document in search_documents(reader):
            self._put(url, document)
        await links.resolve(reader, report)
        self._put_server_configs(reader.site, await _redirects(reader, report, urls))
        return report

    def _put(self, url: str, document: Document) -> None:
        self._folder.put(file_name(url, document.media_type), document)

    async def _put_media(self, links: Iterable[str], page: str) -> None:
        """Write the images and files of a page. A name never changes its content."""
        for link in sorted(set(links) - self._media):
            name, document = media_name(link), file_id(link)
            if name is None and document is None:
                continue
            self._media.add(link)
            file = link.lstrip("/")
            if self._folder.has(file):
                self._folder.mark_current(file)
                continue
            stored = PUBLIC + name if name is not None else f"{FILES}{document}"
            try:
                content = bytes(await (await obstore.get_async(self._store, stored)).bytes_async())
            except (FileNotFoundError, NotFoundError):
                self.missing[link] = page
                continue
            kind = "application/octet-stream" if name is None else TYPES[name.rpartition(".")[2]]
            self._folder.put(file, Document(content, kind), may_compress=False)

    async def _put_copy(self, reader: BulkPageReader, link: str) -> None:
        """Write the copy of an article that its readers may keep, unless it was made of the same page before."""
        result = await saved_article(reader, link)
        if not isinstance(result, tuple):
            return
        article, page = result
        file = link.lstrip("/")
        if self._folder.begins_with(file, checksum_mark(page)):
            self._folder.mark_current(file)
            return
        pictures = await read_pictures(page, reader.site, self._store)
        canonical = self._public_url + article_path(article)
        self._folder.put(file, complete(page, pictures, canonical, self._public_url), may_compress=False)

    def _put_server_configs(self, site: Site, redirects: Redirects) -> None:
        headers = {**security_headers(page_csp(theme_of(site).inline_script_hash)), "cache-control": CACHE_REVALIDATE}
        texts = {
            "Caddyfile": caddyfile(redirects, headers, CACHE_IMMUTABLE),
            "redirects.nginx": nginx_map(redirects),
            "_redirects": netlify_redirects(redirects),
            "_headers": netlify_headers(headers, CACHE_IMMUTABLE),
        }
        for name, text in texts.items():
            self._folder.put(name, Document(text.encode(), "text/plain"), may_compress=False)


async def _redirects(reader: BulkPageReader, report: SiteCheckReport, urls: SiteUrls) -> Redirects:
    pages, moved, gone = urls.all, dict(report.redirects), set()
    for url, path, state, is_public in await reader.rows("all_old_addresses"):
        if url in pages:
            continue  # a page wins over an old URL
        if is_public:
            moved[url] = path
        elif state == "killed":
            gone.add(url)
    for path, state in await reader.rows("all_hidden"):
        if state == "killed" and path not in pages:
            gone.add(path)
    moved |= {url: to for url, to in (await _redirects_of_structure(reader, urls)).items() if url not in pages}
    deleted = {page_path(str(slug)) for (slug,) in await reader.rows("deleted_page_slugs")}
    gone |= deleted - pages - moved.keys()
    moved.setdefault("/favicon.ico", theme_of(reader.site).paths["icon.svg"])
    numbers: Mapping[int, str] = urls.articles
    return Redirects(dict(sorted(moved.items())), sorted(gone), numbers)


async def _redirects_of_structure(reader: BulkPageReader, urls: SiteUrls) -> dict[str, str]:
    """Return the addresses of slugs that were given up: each page of a list, feeds, and static pages."""
    index = reader.site.structure
    if index is None:
        return {}
    moved: dict[str, str] = {}
    roots: dict[Kind, str] = {"section": "/", "tag": "/tag/", "author": AUTHOR_PATH_PREFIX}
    for kind, root in roots.items():
        for slug in sorted(index.aliases[kind]):
            present = f"{root}{index.current(kind, slug)}/"
            moved |= {
                f"{root}{slug}/{url.removeprefix(present)}": url for url in urls.others if _is_of_list(url, present)
            }
            moved[f"{root}{slug}"] = present
    for former, slug in await reader.rows("static_page_former_slugs"):
        moved[page_path(former)] = page_path(slug)
    return moved


def _is_of_list(url: str, path: str) -> bool:
    """Return whether a URL is a page or a feed of a list."""
    rest = url.removeprefix(path)
    return url.startswith(path) and "/" not in rest and (rest in ("", "rss.xml", "atom.xml") or rest.endswith(".html"))

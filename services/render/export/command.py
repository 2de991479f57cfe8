"""`presstally render export DIR`: a complete static export of a site, for any file server.

Everything is rendered from one snapshot, by the route handlers that serve the portal, and has the same bytes; only the
page of the search is another one, which searches in the browser. Images
are written before the pages that show them, articles before the lists that link to them, and stale files are removed
last: a server may serve the folder meanwhile. Pages that were made of the same things before are left as they are.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from obstore.exceptions import BaseError

from services.render.crawl.all_pages import BulkPageReader
from services.render.crawl.site_check import SiteCheckReport, print_findings
from services.render.export.exporter import SiteExporter
from services.render.export.folder import ExportFolder, ExportFolderError, open_folder
from services.render.export.state import ExportState, everywhere, made_of, read_state, write_state
from services.render.queries import GENERATIONS, SQL
from services.render.settings import RenderSettings
from services.render.site.page_reader import read_valid_site
from shared.cli import CommandError, unreachable
from shared.object_store import open_store
from shared.sites import Site
from shared.sites_file import read_sites

STATEMENT_SECONDS = 120
IDLE_SECONDS = 600
"""Postgres ends the snapshot if it is idle for so long, while images are fetched."""
COLLECTED_AFTER_OBJECTS = 20_000
AFTER_FAILURE = "what was not replaced is unchanged, run it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of the export")
    parser.add_argument("--site", help="the site's slug; not needed if there is only one")
    parser.add_argument("--gzip", action="store_true", help="write each file also compressed, for servers that do not")
    parser.add_argument(
        "--pages-only", action="store_true", help="leave copies to keep and the search to services behind the same name"
    )
    parser.add_argument("--full", action="store_true", help="render every page, also those that have not changed")


async def run(arguments: argparse.Namespace, settings: RenderSettings) -> int:
    """Export a site and return the exit code: 1 if the export is incomplete."""
    sites = read_sites(settings.sites, settings.public_url)
    slug = arguments.site or (next(iter(sites)) if len(sites) == 1 else "")
    if not slug:
        raise CommandError(f"--site is required: one of {', '.join(sites)}")
    if slug not in sites:
        raise CommandError(f"unknown site {slug!r}; choose from {', '.join(sites)}")
    try:
        with open_folder(arguments.folder, with_gzip=arguments.gzip) as folder, _seldom_collected():
            return await _export(settings, sites[slug], folder, arguments)
    except ExportFolderError as error:
        raise CommandError(str(error)) from error
    except BaseError as error:
        raise CommandError(f"{unreachable('the media store', error)}; {AFTER_FAILURE}") from error


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for circles of references less often: an export makes few, and each look passes all decoded articles."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECTED_AFTER_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _export(settings: RenderSettings, site: Site, folder: ExportFolder, arguments: argparse.Namespace) -> int:
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
            state = everywhere(reader.site, site.url, (arguments.gzip, arguments.pages_only))
            before = ExportState(state) if arguments.full else read_state(folder, state)
            row = await connection.fetchrow(sql["site_version"], site.slug)
            assert row is not None
            version = made_of([value for name, value in row.items() if name != "at"])
            exporter = SiteExporter(
                folder, open_store(settings.media), site.url, before, pages_only=arguments.pages_only
            )
            if before.version == version and exporter.keep_all(row["at"]):
                report = SiteCheckReport({url: known.checksum for url, known in before.pages.items()})
                report.editors_broken = before.editors_broken
            else:
                report = await exporter.export_site(reader)
    finally:
        await connection.close(timeout=5)
    exporter.after.version = version
    exporter.after.is_complete = not (report.failed or report.broken or exporter.missing)
    if exporter.after.is_complete:
        folder.remove_stale()
    write_state(folder, exporter.after)
    _print_result(site, folder, report, exporter, time.monotonic() - begun)
    if not exporter.after.is_complete:
        print("export: the export is incomplete; no stale file was removed", file=sys.stderr)
    return 0 if exporter.after.is_complete else 1


def _print_result(
    site: Site, folder: ExportFolder, report: SiteCheckReport, exporter: SiteExporter, seconds: float
) -> None:
    count = len(report.checksums)
    print(
        f"{site.slug}: {count} pages, {count / seconds:,.0f} a second, {exporter.rendered:,} of them rendered; "
        f"{folder.written} files written, {folder.unchanged} unchanged, {folder.removed} removed"
    )
    print_findings("pages that cannot be rendered", report.failed)
    print_findings("broken links", report.broken)
    print_findings("images and files missing from the media store", exporter.missing)
    print_findings("broken links in texts, for their editors", report.editors_broken)

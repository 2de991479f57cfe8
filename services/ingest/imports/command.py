"""`presstally ingest import PATH… --site …`: import saved pages, feeds and exports as articles."""

import argparse
import asyncio
import contextlib
import getpass
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from services.ingest.articles.opening_balances import set_opening_balance
from services.ingest.articles.topic_comparison import NotComparedError, check_compared
from services.ingest.auth.actors import Actor
from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.drafts import ImportOptions
from services.ingest.imports.fetching.images import FetchTotals
from services.ingest.imports.fetching.options import add_fetch_arguments, open_fetcher, totals_line
from services.ingest.imports.files import ImportFile, find_files, is_no_article
from services.ingest.imports.identity import ImportRun
from services.ingest.imports.item import Content, FormatError, ImportItem, ItemOrError, ReadContext
from services.ingest.imports.mapped_file import open_mapped
from services.ingest.imports.page_folders import PageFolders
from services.ingest.imports.pipeline import ImportResult, run_import
from services.ingest.imports.readers.plain_text import SavedCounter
from services.ingest.imports.report import Report
from services.ingest.imports.warnings import count_by_kind
from services.ingest.media.library import MediaStore
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from services.ingest.structure.store import read_structure
from shared.cli import CommandError, open_command_pool
from shared.object_store import open_store
from shared.site_structure import StructureIndex
from shared.sites import Site, with_structure
from shared.sites_file import read_sites

FILE_BYTES_MAX = 1024 * 1024 * 1024
DETECTED_BYTES_MAX = 16 * 1024 * 1024
LIVE_POLL_SECONDS = 0.1
MAPPED_BYTES_MIN = 16 * 1024 * 1024
"""Larger files that are read item by item are mapped, so that they are never in memory as a whole."""
MAPPED = ("wxr", "feed", "ndjson", "ghost", "nukeviet", "ninjs")
PAGES = ("text", "html", "markdown", "docx")
"""Formats with one article per file."""
_USAGE = """
formats, with what to export and how to import it; --dry-run shows the results and writes nothing:
  wxr       WordPress: Tools, Export, All content       … import export.xml --site S --base-url https://old.example
  ghost     Ghost: Settings, Labs, Export               … import site.ghost.json --site S --base-url https://old.example
  nukeviet  NukeViet: phpMyAdmin, tables of news, JSON  … import news.json --site S --base-url https://old.example
  ninjs     agencies, Superdesk: ninjs 1 to 3           … import items.json --site S --section tin-tuc
  feed      RSS 1.0, RSS 2.0, Atom, Blogger             … import feed.rss --site S --section tin-tuc
  markdown  Hugo, Jekyll, Hexo, Pelican: the folder     … import content/ --site S --base-url https://old.example
  html      saved pages, also with their folders        … import pages/ --site S --section tin-tuc
  text      a page saved as plain text                  … import page.txt --site S --section tin-tuc --with-counter
  docx      a Word document: title, text, tables, pictures … import bai.docx --site S --section tin-tuc
  ndjson    one article per line, as in the API         … import articles.ndjson --site S
add --publish to publish what was public at its source, --fetch-images to bring its pictures, --report FILE for a list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = f"{_USAGE}\n{parser.epilog or ''}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with all its files")
    parser.add_argument("--site", required=True, help="slug of the site, as in sites.toml")
    parser.add_argument("--section", help="slug of the section for articles without a section of the site")
    parser.add_argument("--format", choices=READERS, help="default: detected from the file's name and content")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="publish articles that are public at their source; otherwise all are drafts",
    )
    parser.add_argument(
        "--with-counter",
        action="store_true",
        help="make the counter total of the page and the views of articles audited opening balances",
    )
    parser.add_argument(
        "--base-url", type=_web_address, help="address of the old site, for relative links and pictures"
    )
    parser.add_argument(
        "--categories-as-tags", action="store_true", help="keep the categories that are not the section as tags"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the result of each item as a line of JSON")
    parser.add_argument("--dry-run", action="store_true", help="show the results without writing anything")
    parser.add_argument(
        "--published-at", type=_instant, help="first publication, with time zone; default: from the file"
    )
    parser.add_argument("--external-id", help="ID of the page at its source; default: from the file")
    parser.add_argument("--who", default=None, help="who is responsible for the import; default: your login name")
    add_fetch_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="wait until it is live, and print its URL")
    parser.add_argument("--wait-seconds", type=float, default=30, help="timeout of --wait; default: 30")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no time zone; expected the form 2026-03-04T08:00+07:00")
    return instant.astimezone(UTC)


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text} is not an address such as https://old.example")
    return text


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    """Run the command and return its exit code: 0 if all was imported."""
    site = read_sites(settings.sites, settings.public_url).get(arguments.site)
    if site is None:
        raise CommandError(f"unknown site {arguments.site!r}; {settings.sites} does not have it")
    files = [file for path in arguments.files for file in find_files(path)]
    if arguments.external_id and len(files) > 1:
        raise CommandError("--external-id requires exactly one file")
    formats = {file: _format(file, arguments) for file in files}  # all are checked before anything is written
    with Report(arguments.report) as report:
        async with open_command_pool(settings, role="presstally_ingest", size=2) as pool:
            site = await _as_the_newsroom_has_it(pool, site)
            if arguments.section is not None and site.section(arguments.section) is None:
                known = ", ".join(section.slug for section in site.sections)
                raise CommandError(f"the site {site.slug} has no section {arguments.section!r}; it has {known}")
            importer = _Run(pool, site, arguments, sum(file.bytes for file in files), report, settings)
            try:
                await check_compared(pool)
                with importer.progress:
                    for file, kind in formats.items():
                        await importer.file(file, kind)
            except NotComparedError as error:
                raise CommandError(f"{error}: ingest does that when it starts, so start it first") from error
        return importer.end()


async def _as_the_newsroom_has_it(pool: asyncpg.Pool, site: Site) -> Site:
    """Return a site with the sections that its newsroom has; as it is configured if it was not seeded yet."""
    stored = await read_structure(pool, site.slug)
    return site if stored is None else with_structure(site, StructureIndex(stored.structure))


def _format(file: ImportFile, arguments: argparse.Namespace) -> str | FormatError:
    """Return the format of a file; an error if it is one of a folder and cannot be imported, which stops no other.

    Raises:
        CommandError: a file that was named cannot be imported.
    """
    try:
        if file.bytes > FILE_BYTES_MAX:
            raise FormatError(f"must have at most {FILE_BYTES_MAX:,} bytes (got {file.bytes:,})")
        if arguments.format:
            return str(arguments.format)
        with file.path.open("rb") as opened:
            return detect_format(file.name, opened.read(DETECTED_BYTES_MAX))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except FormatError as error:
        reason = str(error)
    if file.is_of_folder:
        return FormatError(reason)
    raise CommandError(f"{file.path} {reason}")


class _Run:
    """A run of the command: its options, progress bar and results."""

    def __init__(  # noqa: PLR0917 - what a run needs
        self,
        pool: asyncpg.Pool,
        site: Site,
        arguments: argparse.Namespace,
        bytes_total: int,
        report: Report,
        settings: IngestSettings,
    ) -> None:
        self._pool = pool
        self._site = site
        self._arguments = arguments
        self._who = arguments.who or _login_name()
        self._results: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._run = ImportRun()
        self._report_file = report
        self._folders = PageFolders()
        self._no_articles: Counter[str] = Counter()
        self._bytes_before = 0
        self._started_at = datetime.now(UTC)
        console = Console(stderr=True)
        columns = (SpinnerColumn(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, TextColumn("{task.fields[done]}"), console=console, transient=True)
        self.progress.disable = not console.is_terminal
        self._bar = self.progress.add_task("import", total=max(1, bytes_total), done="")
        self._is_quiet = console.is_terminal and sys.stdout.isatty()
        self._media = MediaStore(open_store(settings.media))
        self._fetcher = open_fetcher(arguments, settings, pool, Actor(self._who), self._show_images)

    def _show_images(self, totals: FetchTotals) -> None:
        self.progress.update(self._bar, done=f"{self._results.total():,} articles, {totals.fetched:,} images")

    async def file(self, file: ImportFile, kind: str | FormatError) -> None:
        """Import a file, or report why it cannot be imported."""
        if file.is_of_folder and is_no_article(file):
            self._no_articles[file.path.suffix.lower() or file.path.name] += 1
        elif isinstance(kind, FormatError):
            self._fail(file, str(kind))
        else:
            await self._import(file, kind)
        self._bytes_before += file.bytes
        self.progress.update(self._bar, completed=self._bytes_before)

    async def _import(self, file: ImportFile, kind: str) -> None:
        arguments = self._arguments
        options = ImportOptions(
            site=self._site,
            format=kind,
            file_name=file.name,
            actor=Actor(self._who),
            section=arguments.section,
            categories_as_tags=arguments.categories_as_tags,
            publish=arguments.publish,
            with_counter=arguments.with_counter,
            dry_run=arguments.dry_run,
            external_id=arguments.external_id,
            published_at=arguments.published_at,
            fetcher=self._fetcher,
            media=self._media if kind == "docx" else None,
        )
        counters: list[SavedCounter | None] = []
        try:
            defaults = self._folders.defaults(file.path, file.root) if kind == "markdown" else {}
            context = ReadContext(arguments.base_url or "", defaults)
            with _opened(file, kind) as content:
                items = _collect_counters(READERS[kind](content, file.name, context), counters)
                async for result in run_import(self._pool, items, options, self._run):
                    self.progress.update(self._bar, completed=self._bytes_before + context.bytes_read)
                    await self._report(file, kind, result)
        except (FormatError, OSError) as error:
            self._fail(file, str(error))
        else:
            if arguments.with_counter and kind in ("text", "html") and not arguments.dry_run:
                await self._import_counter(file, next((one for one in counters if one), None))

    def _fail(self, file: ImportFile, reason: str) -> None:
        self._results["failed"] += 1
        self._report_file.write(str(file.path), ImportResult(place="file", status="failed", reason=reason[:500]))
        self._print(f"import: {file.path}: {reason}", sys.stderr)

    async def _report(self, file: ImportFile, kind: str, result: ImportResult) -> None:
        self._results[result.status] += 1
        self._warnings += count_by_kind(result.warnings)
        self._report_file.write(str(file.path), result)
        self.progress.update(self._bar, done=f"{self._results.total():,} articles")
        where = str(file.path) if kind in PAGES else f"{file.path}, {result.place}"
        if result.line is not None and f"line {result.line}" not in where:
            where += f", line {result.line}"
        for warning in result.warnings:
            self._print(f"import: {where}: warning: {warning}", sys.stderr)
        if result.status in ("failed", "left_out"):
            left_out = "left out: " if result.status == "left_out" else ""
            title = f" ({result.title})" if result.title and left_out else ""
            self._print(f"import: {where}: {left_out}{result.reason}{title}", sys.stderr)
            return
        if not self._is_quiet or kind in PAGES:
            self._print(_line(result))
        if self._arguments.wait and not result.dry_run:
            self._print(await _wait_until_live(self._pool, result, self._arguments.wait_seconds))

    def _print(self, text: str, output: TextIO | None = None) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(text, file=output or sys.stdout)

    async def _import_counter(self, file: ImportFile, counter: SavedCounter | None) -> None:
        total = counter.total if counter else None
        site = self._site
        if total is None and file.is_of_folder:
            return  # most pages of a folder have none
        if total is None:
            raise CommandError(f"{file.path} has no counter total to import as an opening balance")
        async with self._pool.acquire() as connection, connection.transaction():
            balance = await set_opening_balance(
                connection,
                site=site.slug,
                article=None,
                measure=site.default_measure,
                amount=total,
                who=self._who,
                why=f"total on the saved page {file.path.name}",
            )
        note = "" if balance == total else f" (the page has {total:,}; the first import is kept until it is reversed)"
        self._print(f"opening balance of {site.slug}: {balance:,} {site.default_measure}{note}")

    def end(self) -> int:
        """Print a summary if there was more than one result, and return the exit code."""
        total = self._results.total()
        if total > 1 or self._arguments.dry_run:
            seconds = (datetime.now(UTC) - self._started_at).total_seconds()
            summary = ", ".join(
                f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(self._results.items())
            )
            prefix = "dry run, nothing was written: " if self._arguments.dry_run else ""
            self._print(
                f"{prefix}{summary or 'no articles'}; {seconds:.1f} s, {total / max(seconds, 0.001):,.0f}/s", sys.stderr
            )
        if self._no_articles:
            listed = ", ".join(f"{count:,} {name}" for name, count in sorted(self._no_articles.items()))
            self._print(f"{self._no_articles.total():,} files of folders are no articles: {listed}", sys.stderr)
        if self._fetcher is not None and not self._arguments.dry_run:
            self._print(totals_line(self._fetcher.totals), sys.stderr)
        if self._warnings:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self._warnings.items()))
            self._print(f"{self._warnings.total():,} warnings: {kinds}", sys.stderr)
        return 1 if self._results["failed"] or not total else 0


@contextlib.contextmanager
def _opened(file: ImportFile, kind: str) -> Iterator[Content]:
    """Yield the content of a file; a large one that is read item by item is mapped."""
    if kind not in MAPPED or file.bytes < MAPPED_BYTES_MIN:
        yield file.path.read_bytes()
        return
    with open_mapped(file.path) as mapped:
        yield mapped


def _collect_counters(items: Iterator[ItemOrError], counters: list[SavedCounter | None]) -> Iterator[ItemOrError]:
    for item in items:
        if isinstance(item, ImportItem):
            counters.append(item.counter)
        yield item


def _line(result: ImportResult) -> str:
    more = f" (opening balance {result.opening_balance:,} views)" if result.opening_balance is not None else ""
    if result.dry_run:
        day = f", {result.published_at:%Y-%m-%d}" if result.published_at else ", date unknown"
        urls = f", from {' and '.join(result.old_urls)}" if result.old_urls else ""
        is_ = "is" if result.status == "unchanged" else "would be"
        return f"{result.title}: {is_} {result.status}, {result.state} in {result.section}{day}{urls}{more}"
    named = f"{result.status} article {result.article}, number {result.number}, version {result.version}"
    return f"{named}: {result.title}{more}"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # users of containers may have no name
        return "import"


async def _wait_until_live(pool: asyncpg.Pool, result: ImportResult, timeout_seconds: float) -> str:
    if result.state != "published":
        raise CommandError(f"{result.article} has the state {result.state} and will not be live; add --publish")
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                row = await pool.fetchrow(SQL["publication_status"], [result.article])
                if row and row["version"] is not None and row["version"] >= (result.version or 0):
                    if row["status"] == "live":
                        return str(row["url"])
                    raise CommandError(f"{result.article} is {row['status']}: {row['reason']}")
                await asyncio.sleep(LIVE_POLL_SECONDS)
    except TimeoutError:
        raise CommandError(
            f"{result.article} was saved but is not live after {timeout_seconds:g} s; is the render service running?"
        ) from None

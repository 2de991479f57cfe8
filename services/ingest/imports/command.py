"""`python -m services.ingest import FILE… --site … --section …`: saved pages become articles."""

import argparse
import asyncio
import getpass
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from services.ingest.drafting import Draft, Saved, save, set_opening_balance
from services.ingest.imports.plain_text import PageError, SavedPage, read_page
from services.ingest.publications import SQL
from services.ingest.revisions import TooLargeError
from services.ingest.settings import IngestSettings
from shared.postgres import POSTGRES_AWAY, open_pool
from shared.sites import Site, read_sites

SOURCE_SYSTEM = "saved-page"
FILE_BYTES_MAX = 1024 * 1024
LIVE_POLL_SECONDS = 0.1


class ImportFailed(Exception):  # noqa: N818 - reads as it is said
    """An import cannot go on; the message is for the person at the terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a portal page saved as plain text")
    parser.add_argument("--site", required=True, help="slug of the site, as in sites.toml")
    parser.add_argument("--section", required=True, help="slug of the section, as in sites.toml")
    parser.add_argument("--publish", action="store_true", help="make it public; otherwise it stays a draft")
    parser.add_argument(
        "--with-counter",
        action="store_true",
        help="make the page's counter total the site's audited opening balance",
    )
    parser.add_argument("--published-at", type=_instant, help="when readers first saw it, with zone; default: unknown")
    parser.add_argument("--external-id", help="the page's id at its source; default: a checksum of its text")
    parser.add_argument("--who", default=None, help="who answers for the import; default: your login name")
    parser.add_argument("--wait", action="store_true", help="wait until readers can open it, and print its URL")
    parser.add_argument("--wait-seconds", type=float, default=30, help="how long; default: 30")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no zone; write 2026-03-04T08:00+07:00")
    return instant.astimezone(UTC)


def run(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    """Run the command and return its exit code."""
    try:
        asyncio.run(_import(arguments, settings))
    except (ImportFailed, PageError) as error:
        print(f"import: {error}", file=sys.stderr)
        return 1
    except POSTGRES_AWAY as error:
        print(f"import: Postgres: {error!r}", file=sys.stderr)
        return 1
    return 0


async def _import(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    site = read_sites(settings.sites).get(arguments.site)
    if site is None:
        raise ImportFailed(f"there is no site {arguments.site!r} in {settings.sites}")
    if site.section(arguments.section) is None:
        known = ", ".join(section.slug for section in site.sections)
        raise ImportFailed(f"the site {site.slug} has no section {arguments.section!r}; it has {known}")
    if arguments.external_id and len(arguments.files) > 1:
        raise ImportFailed("--external-id names one page; give one file")
    pages = [(file, _read(file)) for file in arguments.files]  # all are read before one is written
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest", size=2)
    try:
        for file, page in pages:
            await _import_page(pool, site, file, page, arguments)
    finally:
        await pool.close()


def _read(file: Path) -> SavedPage:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise ImportFailed(f"{file} is larger than {FILE_BYTES_MAX} bytes")
        return read_page(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ImportFailed(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImportFailed(f"{file} is not UTF-8: {error}") from error
    except PageError as error:
        raise ImportFailed(f"{file}: {error}") from error


async def _import_page(
    pool: asyncpg.Pool, site: Site, file: Path, page: SavedPage, arguments: argparse.Namespace
) -> None:
    draft = Draft(
        site=site.slug,
        section=arguments.section,
        title=page.title,
        lead=page.lead,
        body=page.body,
        source=page.source,
        language=site.language,
        source_system=SOURCE_SYSTEM,
        external_id=arguments.external_id or _checksum(site, page),
        published_at=arguments.published_at,
    )
    who = arguments.who or _login_name()
    try:
        saved = await save(pool, draft, publish=arguments.publish, now=datetime.now(UTC), who=who)
    except TooLargeError as error:
        raise ImportFailed(f"{file}: {error}") from error
    article = saved.article
    print(f"{saved.change} article {article.id}, number {article.number}, version {article.version}: {article.title}")
    if arguments.with_counter:
        await _bring_counter(pool, site, file, page, who)
    if arguments.wait:
        print(await _wait_until_live(pool, saved, arguments.wait_seconds))


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "import"


def _checksum(site: Site, page: SavedPage) -> str:
    # Without its counter: the same page saved a day later has other numbers and is the same page.
    text = "\0".join([site.slug, page.title, page.lead, repr(page.body), repr(page.source)])
    return hashlib.sha256(text.encode()).hexdigest()


async def _bring_counter(pool: asyncpg.Pool, site: Site, file: Path, page: SavedPage, who: str) -> None:
    total = page.counter.total if page.counter else None
    if total is None:
        raise ImportFailed(f"{file} has no counter total, so there is no opening balance to take over")
    balance = await set_opening_balance(
        pool,
        site=site.slug,
        article=None,
        measure=site.default_measure,
        amount=total,
        who=who,
        why=f"total on the saved page {file.name}",
    )
    note = "" if balance == total else f" (the page says {total:,}; the first one stands until it is reversed)"
    print(f"opening balance of {site.slug}: {balance:,} {site.default_measure}{note}")


async def _wait_until_live(pool: asyncpg.Pool, saved: Saved, timeout_seconds: float) -> str:
    article = saved.article
    if article.state != "published":
        raise ImportFailed(f"{article.id} is a {article.state}: it will not be live. Add --publish")
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                row = await pool.fetchrow(SQL["publications"], [article.id])
                if row and row["version"] is not None and row["version"] >= article.version:
                    if row["status"] == "live":
                        return str(row["url"])
                    raise ImportFailed(f"{article.id} is {row['status']}: {row['reason']}")
                await asyncio.sleep(LIVE_POLL_SECONDS)
    except TimeoutError:
        raise ImportFailed(
            f"{article.id} was saved and is not live after {timeout_seconds:g} s. Is the render service running?"
        ) from None

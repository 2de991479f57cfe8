"""The feeds of a site, as its readers get them, and their checksums."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.render.pages.document import Document
from services.render.pages.feeds import feed_paths
from services.render.site.page_reader import PageReader, SiteVersion, read_snapshot
from services.render.site.redirects_and_gone import NoPage, Redirect
from services.render.site.routes import match_route
from shared.logs import log
from shared.sites import Site

CHECKSUM_BYTES = 16


@dataclass(frozen=True)
class SiteFeeds:
    """The feeds of a site at one moment.

    Attributes:
        version: The site's version.
        seen_at: By the database's clock.
        checksums: By the URL of the feed.
    """

    version: SiteVersion
    seen_at: datetime
    checksums: dict[str, bytes]


async def read_feeds(pool: asyncpg.Pool, site: Site) -> SiteFeeds:
    """Return the feeds of a site in one snapshot. What is not public now is in none of them.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    version, (seen_at, checksums), _ = await read_snapshot(pool, site, _read)
    return SiteFeeds(version, seen_at, checksums)


async def _read(reader: PageReader) -> tuple[datetime, dict[str, bytes]]:
    seen_at = await reader.connection.fetchval(reader.sql["snapshot_time"])
    checksums = {}
    for path in feed_paths(reader.site):
        try:
            feed = await _render(reader, path)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - one feed that fails must not stop the others
            log.error("a feed cannot be announced", site=reader.site.slug, path=path, exc_info=error)
            continue
        checksums[reader.site.url + path] = hashlib.blake2b(feed.body, digest_size=CHECKSUM_BYTES).digest()
    return seen_at, checksums


async def _render(reader: PageReader, path: str) -> Document:
    """Return a feed as a reader gets it."""
    handler, request = match_route(path, "", {}, reader.site.url)
    result = await handler(reader, request)
    if isinstance(result, Redirect | NoPage):
        raise LookupError(f"{path} is no feed")  # noqa: TRY004 - a type of result, not of an argument
    return result()

"""Static pages in Postgres: a working copy and a public one, and its messages in the outbox, in one transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import msgspec

from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure.placeholders import placeholder_errors
from services.ingest.structure.store import next_version, queue_page
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.site_structure import StaticPage

PAGES_MAX = 200
"""Of a site."""
PAGE_BYTES_MAX = 256 * 1024
OLD_SLUGS_MAX = 50


@dataclass(frozen=True)
class StoredPage:
    """A static page: `page` is the working copy, `live` what was last sent to the topic."""

    page: StaticPage
    live: StaticPage | None
    created_at: datetime
    modified_by: str


async def read_page(
    connection: "asyncpg.Pool | Connection", page_id: str, *, for_update: bool = False
) -> StoredPage | None:
    """Return a static page, or None; `for_update` locks it until the transaction ends."""
    row = await connection.fetchrow(QUERIES["static_page_for_update" if for_update else "static_page"], page_id)
    return None if row is None else _stored(row)


async def list_pages(connection: "asyncpg.Pool | Connection", site: str) -> list[StoredPage]:
    """Return the static pages of a site by title."""
    return [_stored(row) for row in await connection.fetch(QUERIES["static_pages"], site)]


async def insert_page(connection: Connection, page: StaticPage, who: str) -> StoredPage:
    """Store a new page, which nobody sees yet.

    Raises:
        Problem: 409 if another page has its slug, or if there are too many; 413 if it is too large.
    """
    if await connection.fetchval(QUERIES["count_static_pages"], page.site) >= PAGES_MAX:
        raise Problem(409, f"A site has at most {PAGES_MAX} static pages.", limit=PAGES_MAX, code="limit_reached")
    await _check(connection, page)
    row = (page.id, page.site, page.version, page.slug, _json(page), page.modified_at, who)
    await connection.execute(QUERIES["insert_static_page"], *row)
    return StoredPage(page, None, page.modified_at, who)


async def change_page(connection: Connection, before: StoredPage, page: StaticPage, who: str) -> StoredPage:
    """Store another working copy of a page that is locked. Readers see the public one until it is published.

    Raises:
        Problem: like `insert_page`.
    """
    version, at = await _next(connection, before)
    page = msgspec.structs.replace(page, version=version, modified_at=at)
    await _check(connection, page)
    return await _update(connection, before, page, before.live, who)


async def publish_page(connection: Connection, before: StoredPage, who: str, *, is_withdrawal: bool) -> StoredPage:
    """Make the working copy of a page that is locked public, or withdraw the public one.

    Raises:
        InvalidContentError: it still has places that its ready-made beginning left to be filled in.
        Problem: 409 if there is nothing to withdraw, or if readers find another page at its slug.
    """
    live = before.live
    version, at = await _next(connection, before)
    if is_withdrawal:
        if live is None or live.state != "published":
            raise Problem(409, "The page is not public.", code="not_public")
        await connection.execute(QUERIES["end_previews_of_page"], before.page.id)
        sent = msgspec.structs.replace(live, state="withdrawn", version=version, modified_at=at)
        page = msgspec.structs.replace(before.page, version=version, modified_at=at)
    else:
        if errors := placeholder_errors(before.page):
            raise InvalidContentError(errors)
        await _check(connection, before.page)
        former = [live.slug, *live.old_slugs] if live else []
        old_slugs = [slug for slug in dict.fromkeys(former) if slug != before.page.slug][:OLD_SLUGS_MAX]
        page = sent = msgspec.structs.replace(
            before.page, state="published", version=version, modified_at=at, old_slugs=old_slugs
        )
    await queue_page(connection, sent)
    return await _update(connection, before, page, sent, who)


async def delete_page(connection: Connection, before: StoredPage, who: str) -> None:
    """Delete a page that is locked and not public. Its slug is free; addresses that were public are gone (410).

    Raises:
        Problem: 409 while it is public.
    """
    live = before.live
    if live is not None and live.state == "published":
        raise Problem(409, "The page is public. Unpublish it first.", code="still_public")
    await connection.execute(QUERIES["end_previews_of_page"], before.page.id)
    version, at = await _next(connection, before)
    changed = {"version": version, "modified_at": at, "body": [], "description": "", "is_deleted": True}
    page = msgspec.structs.replace(before.page, **changed)
    sent = None if live is None else msgspec.structs.replace(live, **changed)
    if sent is not None:
        await queue_page(connection, sent)
    row = (page.id, version, _json(page), sent and _json(sent), at, who, before.page.version)
    done = await connection.fetchval(QUERIES["delete_static_page"], *row)
    assert done is not None, "the row is locked"


async def _next(connection: Connection, before: StoredPage) -> tuple[int, datetime]:
    version = await next_version(connection, before.page.version)
    return version, datetime.fromtimestamp(version / 1000, UTC)


async def _update(
    connection: Connection, before: StoredPage, page: StaticPage, live: StaticPage | None, who: str
) -> StoredPage:
    row = (page.id, page.version, page.slug, _json(page), live and _json(live), page.modified_at, who)
    done = await connection.fetchval(QUERIES["update_static_page"], *row, before.page.version)
    assert done is not None, "the row is locked"
    return StoredPage(page, live, before.created_at, who)


async def _check(connection: Connection, page: StaticPage) -> None:
    await connection.execute(QUERIES["lock_static_pages"], page.site)
    owner = await connection.fetchval(QUERIES["static_page_of_slug"], page.site, page.slug, page.id)
    if owner is not None:
        raise Problem(409, f"Another page has the slug {page.slug!r}.", page=owner, code="slug_taken")
    size = len(msgspec.json.encode(page))
    if size > PAGE_BYTES_MAX:
        detail = f"A static page must have at most {PAGE_BYTES_MAX:,} bytes as JSON (got {size:,})."
        raise Problem(413, detail, limit=PAGE_BYTES_MAX, size=size)


def _stored(row: asyncpg.Record) -> StoredPage:
    page = msgspec.json.decode(row["content"], type=StaticPage)
    page = msgspec.structs.replace(page, version=row["version"], slug=row["slug"])
    live = None if row["live"] is None else msgspec.json.decode(row["live"], type=StaticPage)
    return StoredPage(page, live, row["created_at"], row["modified_by"])


def _json(page: StaticPage) -> str:
    return msgspec.json.encode(page).decode()

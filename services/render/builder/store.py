"""Articles → Postgres: an article and the rows of all its pages change together, in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import asyncpg
import msgspec

from services.render.builder import projections
from services.render.builder.search_index import search_terms
from services.render.queries import GENERATIONS, SQL
from shared.articles import Article, article_path, sort_time, updated_at
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, Connection, NamedQueries
from shared.site_structure import SiteStructure, StaticPage, StructureIndex
from shared.sites import Site, Sites
from shared.structure_times import all_changes

Status = Literal["live", "withdrawn"]
SiteArticle = tuple[Article, Site]
"""An article and its site."""


@dataclass(frozen=True)
class PublishedState:
    """The public state of an article."""

    version: int
    status: Status
    path: str | None
    is_new: bool
    """Whether this write changed it."""


async def save(pool: asyncpg.Pool, article: Article, site: Site) -> PublishedState:
    """Write an article's newest state; an older version changes nothing.

    Returns:
        The public state after it: of this version, or of a newer one that was stored already.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    async with _live_generation(pool) as (connection, sql):
        # First: a change of the structure locks it before it marks articles.
        structures = await read_structures(connection, sql, [site.slug], for_share=True)
        if not structures:  # no row to lock: the first structure of the site waits for the article, or this for it
            await connection.execute(SQL["lock_first_structure_shared"], site.slug)
            structures = await read_structures(connection, sql, [site.slug], for_share=True)
        before = await connection.fetchval(sql["site_of"], article.id)
        is_new = bool(await save_all(connection, sql, [(article, site)], structures))
        if is_new:
            for slug in sorted({site.slug, before or site.slug}):  # sorted: two builders must not deadlock
                await connection.execute(SQL["bump_site_version"], slug)
        row = await connection.fetchrow(sql["published_state"], article.id)
        assert row is not None
        status: Status = "live" if row["is_public"] else "withdrawn"
        return PublishedState(row["version"], status, row["path"] if row["is_public"] else None, is_new)


async def remove(pool: asyncpg.Pool, article_id: str) -> int | None:
    """Delete an article after its tombstone; return the version that was stored, or None."""
    async with _live_generation(pool) as (connection, sql):
        row = await connection.fetchrow(sql["delete_articles"], [article_id])
        if row is None:
            return None
        await connection.execute(SQL["bump_site_version"], row["site"])
        return int(row["version"])


async def reindex(pool: asyncpg.Pool, sites: Sites, yield_to_messages: Callable[[], Awaitable[None]]) -> int:
    """Rebuild the rows that an earlier version of the projections made; return how many articles were rebuilt.

    `yield_to_messages` is awaited before each article. An article that cannot be rebuilt is logged and skipped.
    """
    count, last = 0, ""
    while True:
        async with _live_generation(pool) as (connection, sql):
            rows = await connection.fetch(sql["outdated_rows"], projections.PROJECTION_VERSION, last)
        for row in rows:
            last = row["id"]
            await yield_to_messages()
            try:
                article = msgspec.json.decode(row["content"], type=Article)
                await save(pool, article, sites[article.site])
            except (msgspec.DecodeError, LookupError, *POSTGRES_DATA_ERRORS) as error:
                log.error("reindexing an article failed", article=last, reason=repr(error)[:500])
                continue
            count += 1
        if not rows:
            return count


@asynccontextmanager
async def _live_generation(pool: asyncpg.Pool) -> AsyncIterator[tuple[Connection, NamedQueries]]:
    """Yield a transaction and the statements for the live generation. A swap waits for the transaction's end."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_swap_shared"])
        yield connection, GENERATIONS[await connection.fetchval(SQL["live_schema"])]


async def read_structures(
    connection: "Connection | asyncpg.Connection", sql: NamedQueries, sites: Sequence[str], *, for_share: bool = False
) -> dict[str, StructureIndex]:
    """Return the structures of sites that have one; `for_share`: they cannot change until the transaction's end."""
    rows = await connection.fetch(sql["structures_for_share" if for_share else "structures"], list(sites))
    return {row["site"]: StructureIndex(msgspec.json.decode(row["content"], type=SiteStructure)) for row in rows}


async def save_structure(pool: asyncpg.Pool, structure: SiteStructure) -> bool:
    """Write a site's structure, and mark the articles whose words change with it; return False for an older version."""
    async with _live_generation(pool) as (connection, sql):
        await connection.execute(SQL["lock_first_structure"], structure.site)
        row = await connection.fetchrow(sql["structure_for_update"], structure.site)
        if await connection.fetchval(sql["save_structure"], *structure_row(structure)) is None:
            return False
        before = None if row is None else StructureIndex(msgspec.json.decode(row["content"], type=SiteStructure))
        if lists := projections.lists_with_other_words(before, StructureIndex(structure)):
            await connection.execute(sql["mark_outdated"], structure.site, lists)
        await connection.execute(SQL["bump_site_version"], structure.site)
        return True


async def save_page(pool: asyncpg.Pool, page: StaticPage) -> bool:
    """Write a static page; return False for an older version."""
    async with _live_generation(pool) as (connection, sql):
        if await connection.fetchval(sql["save_static_page"], *page_row(page)) is None:
            return False
        await connection.execute(SQL["bump_site_version"], page.site)
        return True


def structure_row(structure: SiteStructure) -> tuple[object, ...]:
    """Return the row of a structure."""
    content = msgspec.json.encode(structure).decode()
    return structure.site, structure.version, content, all_changes(structure)


def page_row(page: StaticPage) -> tuple[object, ...]:
    """Return the row of a static page."""
    return page.id, page.site, page.version, page.state, page.slug, msgspec.json.encode(page).decode()


async def save_all(
    connection: "Connection | asyncpg.Connection",
    sql: NamedQueries,
    articles: Sequence[SiteArticle],
    structures: Mapping[str, StructureIndex],
) -> set[str]:
    """Write articles, each once, into a generation; return the ids of those that were new or newer.

    Args:
        connection: In a transaction.
        sql: The statements for the generation.
        articles: As they came; their words are indexed as sites call them now.
        structures: Of the sites that have one.
    """
    rows = await connection.fetchmany(sql["save_article"], [_row(article) for article, _ in articles])
    saved = {row["id"] for row in rows}
    new = [(article, site) for article, site in articles if article.id in saved]
    if not new:
        return saved
    for name in ("delete_listings", "delete_old_addresses", "delete_search", "delete_visibility_changes"):
        await connection.execute(sql[name], list(saved))
    old_urls = [  # of withdrawn articles too: their old URLs are then gone (410) as well
        (article.id, article.site, found) for article, _ in new if (found := projections.old_urls(article))
    ]
    if old_urls:
        await connection.executemany(sql["save_old_addresses"], old_urls)
    published = [(article, site) for article, site in new if article.state == "published"]
    if published:
        await connection.executemany(sql["save_listings"], [_listings(article, site) for article, site in published])
        await connection.executemany(sql["save_search"], [_search(article, structures) for article, _ in published])
    changes = [
        (article.id, article.site, times)
        for article, _ in published
        if (times := projections.visibility_changes(article))
    ]
    if changes:
        await connection.executemany(sql["save_visibility_changes"], changes)
    return saved


def _row(article: Article) -> tuple[object, ...]:
    public_from, public_until = projections.visibility_window(article)
    return (
        article.id,
        article.site,
        article.number,
        article.section,
        article.version,
        article.state,
        article_path(article),
        sort_time(article),
        updated_at(article),
        public_from,
        public_until,
        projections.featured_until(article),
        msgspec.json.encode(article).decode(),
        projections.PROJECTION_VERSION,
    )


def _listings(article: Article, site: Site) -> tuple[object, ...]:
    keys = projections.list_keys(article, site)
    times = [projections.list_time(article, name) for name in keys]
    return article.id, article.site, times, article.number, list(keys), list(keys.values())


def _search(article: Article, structures: Mapping[str, StructureIndex]) -> tuple[object, ...]:
    structure = structures.get(article.site)
    terms = search_terms(article if structure is None else structure.resolved(article))
    return (
        article.id,
        article.site,
        sort_time(article),
        article.section,
        terms.title,
        terms.title_words,
        terms.words,
        terms.terms,
        terms.marked_words,
    )

"""Articles → Postgres: an article and the rows of all its pages change together, in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import asyncpg
import msgspec

from services.render.builder import projections
from services.render.queries import GENERATIONS, SQL
from shared.articles import Article, article_path
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, Connection, NamedQueries
from shared.sites import Site, Sites

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
        before = await connection.fetchval(sql["site_of"], article.id)
        is_new = bool(await save_all(connection, sql, [(article, site)]))
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


async def save_all(
    connection: "Connection | asyncpg.Connection", sql: NamedQueries, articles: Sequence[SiteArticle]
) -> set[str]:
    """Write articles, each once, into a generation; return the ids of those that were new or newer."""
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
        await connection.executemany(sql["save_search"], [_search(article) for article, _ in published])
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
        projections.sort_time(article),
        article.modified_at,
        public_from,
        public_until,
        projections.featured_until(article),
        msgspec.json.encode(article).decode(),
        projections.PROJECTION_VERSION,
    )


def _listings(article: Article, site: Site) -> tuple[object, ...]:
    keys = projections.list_keys(article, site)
    return article.id, article.site, projections.sort_time(article), article.number, list(keys), list(keys.values())


def _search(article: Article) -> tuple[object, ...]:
    terms = projections.search_terms(article)
    return (
        article.id,
        article.site,
        projections.sort_time(article),
        article.section,
        terms.title,
        terms.title_words,
        terms.lead_words,
        terms.body_words,
        terms.pairs,
        terms.marked_words,
    )

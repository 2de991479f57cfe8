"""Articles → Postgres: an article and all that its surfaces are made of change together, in one transaction."""

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
Placed = tuple[Article, Site]
"""An article and its site."""


@dataclass(frozen=True)
class Standing:
    """What readers get of an article now."""

    version: int
    status: Status
    path: str | None
    is_new: bool


async def save(pool: asyncpg.Pool, article: Article, site: Site) -> Standing:
    """Bring the portal to an article's newest state; an older version changes nothing.

    Returns:
        What readers get now: of this version, or of a newer one that was there.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is away.
    """
    async with _live(pool) as (connection, sql):
        before = await connection.fetchval(sql["site_of"], article.id)
        is_new = bool(await put(connection, sql, [(article, site)]))
        if is_new:
            for slug in sorted({site.slug, before or site.slug}):  # in order: two builders must not wait for each other
                await connection.execute(SQL["raise_generation"], slug)
        row = await connection.fetchrow(sql["standing"], article.id)
        assert row is not None
        status: Status = "live" if row["is_public"] else "withdrawn"
        return Standing(row["version"], status, row["path"] if row["is_public"] else None, is_new)


async def forget(pool: asyncpg.Pool, article_id: str) -> int | None:
    """Remove all of an article after its tombstone; return the version that stood there, or None."""
    async with _live(pool) as (connection, sql):
        row = await connection.fetchrow(sql["forget_articles"], [article_id])
        if row is None:
            return None
        await connection.execute(SQL["raise_generation"], row["site"])
        return int(row["version"])


async def derive_anew(pool: asyncpg.Pool, sites: Sites, turn: Callable[[], Awaitable[None]]) -> int:
    """Make the rows of articles anew that were made by other rules; return how many.

    Before each one `turn` is awaited, so that what is more urgent goes first. What cannot be made anew stays.
    """
    count, last = 0, ""
    while True:
        async with _live(pool) as (connection, sql):
            rows = await connection.fetch(sql["derived_otherwise"], projections.RULES, last)
        for row in rows:
            last = row["id"]
            await turn()
            try:
                article = msgspec.json.decode(row["content"], type=Article)
                await save(pool, article, sites[article.site])
            except (msgspec.DecodeError, LookupError, *POSTGRES_DATA_ERRORS) as error:
                log.error("The rows of an article cannot be made anew", article=last, reason=repr(error)[:500])
                continue
            count += 1
        if not rows:
            return count


@asynccontextmanager
async def _live(pool: asyncpg.Pool) -> AsyncIterator[tuple[Connection, NamedQueries]]:
    """Yield a transaction and the statements for what readers get. No swap comes between: it waits for the end."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["hold_swaps_off"])
        yield connection, GENERATIONS[await connection.fetchval(SQL["live_place"])]


async def put(connection: "Connection | asyncpg.Connection", sql: NamedQueries, articles: Sequence[Placed]) -> set[str]:
    """Write articles, each once, into a generation; return the ids of those that were new or newer."""
    rows = await connection.fetchmany(sql["save_article"], [_row(article) for article, _ in articles])
    saved = {row["id"] for row in rows}
    new = [(article, site) for article, site in articles if article.id in saved]
    if not new:
        return saved
    for name in ("drop_listings", "drop_old_addresses", "drop_search", "drop_boundaries"):
        await connection.execute(sql[name], list(saved))
    addresses = [  # also of what was withdrawn: its former address is gone too
        (article.id, article.site, found) for article, _ in new if (found := projections.old_addresses(article))
    ]
    if addresses:
        await connection.executemany(sql["save_old_addresses"], addresses)
    listed = [(article, site) for article, site in new if article.state == "published"]
    if listed:
        await connection.executemany(sql["save_listings"], [_listings(article, site) for article, site in listed])
        await connection.executemany(sql["save_search"], [_search(article) for article, _ in listed])
    ends = [(article.id, article.site, times) for article, _ in listed if (times := projections.boundaries(article))]
    if ends:
        await connection.executemany(sql["save_boundaries"], ends)
    return saved


def _row(article: Article) -> tuple[object, ...]:
    begins, ends = projections.public_times(article)
    return (
        article.id,
        article.site,
        article.number,
        article.section,
        article.version,
        article.state,
        article_path(article),
        projections.listed_at(article),
        article.modified_at,
        begins,
        ends,
        projections.front_until(article),
        msgspec.json.encode(article).decode(),
        projections.RULES,
    )


def _listings(article: Article, site: Site) -> tuple[object, ...]:
    lists = projections.lists(article, site)
    return article.id, article.site, projections.listed_at(article), article.number, list(lists), list(lists.values())


def _search(article: Article) -> tuple[object, ...]:
    words = projections.search_words(article)
    return (
        article.id,
        article.site,
        projections.listed_at(article),
        article.section,
        words.title,
        words.title_words,
        words.lead_words,
        words.body_words,
        words.pairs,
        words.marked_words,
    )

"""Articles → Postgres: an article and all that its surfaces are made of change together, in one transaction."""

from dataclasses import dataclass
from typing import Literal

import asyncpg
import msgspec

from services.render import derived
from shared.articles import Article, article_path
from shared.postgres import Connection, read_queries
from shared.sites import Site, Sites

SQL = read_queries(__package__)
Status = Literal["live", "withdrawn"]


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
    async with pool.acquire() as connection, connection.transaction():
        before = await connection.fetchval(SQL["site_of"], article.id)
        is_new = await _save_article(connection, article)
        if is_new:
            await _save_derived(connection, article, site)
            for slug in sorted({site.slug, before or site.slug}):  # in order: two builders must not wait for each other
                await connection.execute(SQL["raise_generation"], slug)
        row = await connection.fetchrow(SQL["standing"], article.id)
        assert row is not None
        status: Status = "live" if row["is_public"] else "withdrawn"
        return Standing(row["version"], status, row["path"] if row["is_public"] else None, is_new)


async def forget(pool: asyncpg.Pool, article_id: str) -> int | None:
    """Remove all of an article after its tombstone; return the version that stood there, or None."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["forget_article"], article_id)
        if row is None:
            return None
        await connection.execute(SQL["raise_generation"], row["site"])
        return int(row["version"])


async def derive_anew(pool: asyncpg.Pool, sites: Sites) -> int:
    """Make the rows of articles anew that were made by other rules; return how many."""
    count = 0
    while rows := await pool.fetch(SQL["derived_otherwise"], derived.RULES):
        for row in rows:
            article = msgspec.json.decode(row["content"], type=Article)
            site = sites.get(article.site) or next(iter(sites.values()))
            await save(pool, article, site)
            count += 1
    return count


async def _save_article(connection: Connection, article: Article) -> bool:
    begins, ends = derived.public_times(article)
    saved = await connection.fetchval(
        SQL["save_article"],
        article.id,
        article.site,
        article.number,
        article.section,
        article.version,
        article.state,
        article_path(article),
        derived.listed_at(article),
        article.modified_at,
        begins,
        ends,
        derived.front_until(article),
        msgspec.json.encode(article).decode(),
        derived.RULES,
    )
    return saved is not None


async def _save_derived(connection: Connection, article: Article, site: Site) -> None:
    for name in ("drop_listings", "drop_old_addresses", "drop_search", "drop_boundaries"):
        await connection.execute(SQL[name], article.id)
    addresses = derived.old_addresses(article)  # also of what was withdrawn: its former address is gone too
    await connection.execute(SQL["save_old_addresses"], article.id, article.site, addresses)
    if article.state != "published":
        return
    at = derived.listed_at(article)
    lists = derived.lists(article, site)
    await connection.execute(
        SQL["save_listings"], article.id, article.site, at, article.number, list(lists), list(lists.values())
    )
    await connection.execute(SQL["save_boundaries"], article.id, article.site, derived.boundaries(article))
    words = derived.search_words(article)
    await connection.execute(
        SQL["save_search"],
        article.id,
        article.site,
        at,
        article.section,
        words.title,
        words.title_words,
        words.lead_words,
        words.body_words,
        words.pairs,
        words.marked_words,
    )

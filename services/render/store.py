"""Articles and their pages → Postgres: what belongs together changes together."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from services.render.pages import (
    LIST_ARTICLES_MAX,
    Page,
    render_article,
    render_list,
    theme_version,
)
from shared.articles import Article, article_path, is_public
from shared.postgres import Connection, read_queries
from shared.sites import Site

SQL = read_queries(__package__)
Status = Literal["live", "withdrawn"]


@dataclass(frozen=True)
class Rendered:
    """What readers get of an article now."""

    version: int
    status: Status
    url: str | None
    is_new: bool


async def save(pool: asyncpg.Pool, article: Article, site: Site, public_url: str, now: datetime) -> Rendered | None:
    """Make an article's page and the lists that show it, in one transaction.

    Returns:
        What readers get now; None when a newer version is rendered already.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is away.
    """
    path = article_path(article)
    # What was committed as public must not wait for this machine's clock, which may be behind.
    public = is_public(article, max(now, article.modified_at))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_site"], site.slug)
        before = await connection.fetchrow(SQL["rendered_article"], article.id)
        if before and before["version"] > article.version:
            return None
        is_new = before is None or before["version"] < article.version
        if is_new:
            listed_at = article.published_at or article.first_published_at or article.modified_at
            await connection.execute(
                SQL["save_article"],
                article.id,
                site.slug,
                article.number,
                article.section,
                article.version,
                article.state,
                public,
                path,
                listed_at,
                msgspec.json.encode(article).decode(),
            )
            await connection.execute(SQL["drop_pages_of"], article.id, path if public else None)
            if public:
                await _save_page(connection, site, render_article(article, site, public_url))
            await _save_lists(connection, site, public_url, {article.section, before["section"] if before else ""})
    return Rendered(article.version, "live" if public else "withdrawn", public_url + path if public else None, is_new)


async def forget(
    pool: asyncpg.Pool, article_id: str, sites: dict[str, Site], public_urls: dict[str, str]
) -> int | None:
    """Remove all of an article after its tombstone; return the version that was rendered, or None."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["forget_article"], article_id)
        if row is None:
            return None
        await connection.execute(SQL["drop_pages_of"], article_id, None)
        if row["site"] in sites:
            await connection.execute(SQL["lock_site"], row["site"])
            await _save_lists(connection, sites[row["site"]], public_urls[row["site"]], {row["section"]})
        return int(row["version"])


async def renew(pool: asyncpg.Pool, site: Site, public_url: str) -> int | None:
    """Make all pages of a site anew if its theme or settings changed; return how many, or None."""
    version = theme_version(site, public_url)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_site"], site.slug)
        if await connection.fetchval(SQL["theme"], site.slug) == version:
            return None
        articles = [_article(row) for row in await connection.fetch(SQL["public_articles"], site.slug)]
        for article in articles:
            await _save_page(connection, site, render_article(article, site, public_url))
        await _save_lists(connection, site, public_url, {section.slug for section in site.sections})
        await connection.execute(SQL["save_theme"], site.slug, version)
        return len(articles)


async def _save_lists(connection: Connection, site: Site, public_url: str, sections: set[str]) -> None:
    for section in (None, *(section for section in site.sections if section.slug in sections)):
        rows = await connection.fetch(SQL["newest"], site.slug, section.slug if section else None, LIST_ARTICLES_MAX)
        await _save_page(connection, site, render_list([_article(row) for row in rows], site, section, public_url))


async def _save_page(connection: Connection, site: Site, page: Page) -> None:
    await connection.execute(SQL["save_page"], site.slug, page.path, page.article, page.html, page.etag)


def _article(row: asyncpg.Record) -> Article:
    return msgspec.json.decode(row["content"], type=Article)

"""Where images and files are used: in articles, static pages, banners and photos of authors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from services.ingest.articles.store import database_time
from services.ingest.auth.callers import Caller
from services.ingest.media.library import MediaItem
from services.ingest.queries import SQL, STRUCTURE_SQL
from services.ingest.structure.store import read_structure
from shared.articles import State
from shared.banners import Place
from shared.postgres import Connection

USES_MAX = 20
"""Articles that a list names of each image or file: the newest ones. A logo may be in thousands."""


class ArticleUse(msgspec.Struct, frozen=True):
    """An article that uses an image or offers a file, in its working, its live or its scheduled version."""

    id: str
    number: int
    title: str
    state: State
    is_live: bool
    """Visitors see it on its page."""


class PageUse(msgspec.Struct, frozen=True):
    """A static page that uses an image or offers a file in its working or its public copy."""

    page: str
    title: str
    is_live: bool
    """Visitors see it there."""


class BannerUse(msgspec.Struct, frozen=True):
    """A banner that shows an image."""

    banner: str
    """Its ID."""
    place: Place
    alt: str
    is_live: bool
    """Visitors see it now."""


class AuthorUse(msgspec.Struct, frozen=True):
    """An author whose page shows an image."""

    author: str
    """The slug."""
    name: str


class MediaWithUses(MediaItem, frozen=True, kw_only=True):
    """An image, and where it is used."""

    used_in: list[ArticleUse]
    """The newest articles that use it and that the caller may read."""
    pages: list[PageUse]
    """Static pages that use it."""
    banners: list[BannerUse]
    authors: list[AuthorUse]


Key = tuple[str, str]
"""The site and the id of an image or file."""


async def article_uses(
    connection: Connection, keys: Sequence[Key], places: Sequence[str] | None = None, limit: int | None = None
) -> Mapping[Key, list[ArticleUse]]:
    """Return the articles that use images or files, the newest first.

    Args:
        connection: To read them from.
        keys: The images or files.
        places: Sections that may be read, as `Caller.places_with` has them; None: all.
        limit: Of each image or file; None: all.
    """
    found: dict[Key, list[ArticleUse]] = defaultdict(list)
    sites, ids = [site for site, _ in keys], [one for _, one in keys]
    for row in await connection.fetch(SQL["article_uses_of_media"], sites, ids, places, limit):
        use = ArticleUse(row["id"], row["number"], row["title"], row["state"], row["is_live"])
        found[row["site"], row["media"]].append(use)
    return found


async def page_uses(connection: Connection, keys: Sequence[Key]) -> Mapping[Key, list[PageUse]]:
    """Return the static pages that use images or files, by title."""
    found: dict[Key, list[PageUse]] = defaultdict(list)
    sites, ids = [site for site, _ in keys], [one for _, one in keys]
    for row in await connection.fetch(STRUCTURE_SQL["page_uses_of_media"], sites, ids):
        found[row["site"], row["media"]].append(PageUse(row["id"], row["title"], row["is_live"]))
    return found


async def structure_uses(
    connection: Connection, keys: Sequence[Key]
) -> tuple[Mapping[Key, list[BannerUse]], Mapping[Key, list[AuthorUse]]]:
    """Return the banners and the authors that show images, in their order."""
    banners: dict[Key, list[BannerUse]] = defaultdict(list)
    authors: dict[Key, list[AuthorUse]] = defaultdict(list)
    now = await database_time(connection)
    for site in dict.fromkeys(site for site, _ in keys):
        stored = await read_structure(connection, site)
        if stored is None:
            continue
        for one in stored.structure.banners.items:
            if one.image.media is not None:
                use = BannerUse(one.id, one.place, one.image.alt, one.is_valid(now))
                banners[site, one.image.media].append(use)
        for author in stored.structure.authors:
            if author.photo is not None and author.photo.media is not None:
                authors[site, author.photo.media].append(AuthorUse(author.slug, author.name))
    return banners, authors


async def with_media_uses(pool: asyncpg.Pool, items: Sequence[MediaItem], caller: Caller) -> list[MediaWithUses]:
    """Return images with what uses them; of articles the newest ones that the caller may read."""
    keys = [(item.site, item.id) for item in items]
    async with pool.acquire() as connection:
        articles = await article_uses(connection, keys, caller.places_with("read"), USES_MAX)
        pages = await page_uses(connection, keys)
        banners, authors = await structure_uses(connection, keys)
    return [
        MediaWithUses(
            **{name: getattr(item, name) for name in MediaItem.__struct_fields__},
            used_in=articles.get(key, []),
            pages=pages.get(key, []),
            banners=banners.get(key, []),
            authors=authors.get(key, []),
        )
        for item, key in zip(items, keys, strict=True)
    ]

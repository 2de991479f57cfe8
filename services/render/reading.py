"""Postgres → what one page is made of, as of one moment."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from services.render import derived, search
from services.render.pages import Around
from services.render.store import SQL
from shared.articles import Article
from shared.postgres import Connection
from shared.sites import Section, Site

LISTED = 20
LINKED = 5
"""Related articles, and those of each section on the home page."""
ACQUIRE_SECONDS = 3.0
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class Reader:
    """Reads for one page, in one transaction, and notes what the page depends on.

    `key` tells two states of a page apart; `until` is when it must no longer be served, whatever happens.
    """

    connection: Connection
    site: Site
    key: list[Any] = field(default_factory=list)
    until: datetime = FAR_AHEAD

    async def articles(self, query: str, *arguments: object) -> list[Article]:
        """Return the articles of a query, and note them."""
        return self.note(await self.connection.fetch(SQL[query], self.site.slug, *arguments))

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that is not of articles, and note them."""
        rows = [tuple(row) for row in await self.connection.fetch(SQL[query], self.site.slug, *arguments)]
        self.key.append(rows)
        return rows

    def note(self, rows: Sequence[asyncpg.Record]) -> list[Article]:
        """Decode articles and note them."""
        articles = [msgspec.json.decode(row["content"], type=Article) for row in rows]
        self.key.append([(article.id, article.version) for article in articles])
        self.until = min([self.until, *(row["public_until"].replace(tzinfo=UTC) for row in rows)])
        return articles

    async def listed(self, name: str, page: int = 1, size: int = LISTED) -> tuple[list[Article], bool]:
        """Return one page of a list, and whether there is another."""
        articles = await self.articles("listed", name, size + 1, (page - 1) * size)
        return articles[:size], len(articles) > size

    async def around(self, article: Article) -> Around:
        """Return what stands around an article."""
        at, number = derived.listed_at(article), article.number
        section = f"section/{article.section}"
        tags = [name for name in derived.lists(article, self.site) if name.startswith("tag/")]
        newer = await self.articles("newer", section, at, number)
        older = await self.articles("older", section, at, number, LINKED + 1)
        related = await self.articles("related", tags, at, number, LINKED) if tags else []
        related = [one for one in related if one.id not in {one.id for one in older[:1]}]  # it stands there already
        known = {one.id for one in (*related, *older[:1])}
        related += [one for one in older if one.id not in known][: LINKED - len(related)]
        first = article.translation_of or article.id
        same = {one.language: one for one in reversed(await self.articles("translations", first))}
        others = [one for _, one in sorted(same.items()) if one.language != article.language]
        return Around(newer[0] if newer else None, older[0] if older else None, related, others)

    async def by_section(self, size: int) -> list[tuple[Section, list[Article]]]:
        """Return each section with its newest articles, but those that have none."""
        found = [(one, (await self.listed(f"section/{one.slug}", 1, size))[0]) for one in self.site.sections]
        return [(section, articles) for section, articles in found if articles]

    async def search(self, wanted: search.Wanted) -> search.Found:
        """Look for articles."""
        terms = search.parse(wanted.query)
        if terms is None:
            return search.Found()
        await self.connection.execute(SQL["prepare_search"])
        zone, day = self.site.zone, timedelta(days=1)
        since = datetime.combine(wanted.since, datetime.min.time(), zone) if wanted.since else LONG_AGO
        until = datetime.combine(wanted.until + day, datetime.min.time(), zone) if wanted.until else FAR_AHEAD
        size = search.PAGE_RESULTS
        place = (size + 1, (wanted.page - 1) * size)
        if wanted.by_date:
            found = await self.articles(
                "search_by_date", terms.folded, wanted.section, since, until, *place, terms.pairs
            )
            return search.Found(found[:size], 0, len(found) > size, terms=terms)
        filters = (wanted.section, since, until, search.RANKED_MAX)
        rows = await self.connection.fetch(
            SQL["search"], self.site.slug, terms.folded, terms.phrase, terms.marked, *filters, *place, terms.pairs
        )
        if not rows and wanted.page == 1 and not (wanted.section or wanted.since or wanted.until):
            nearest = await self.articles("search_nearest", " ".join(sorted(terms.words)), LINKED)
            return search.Found(nearest, len(nearest), is_nearest=bool(nearest), terms=terms)
        articles = self.note(rows)
        count = rows[0]["found"] if rows else 0
        return search.Found(articles[:size], count, len(articles) > size, terms=terms)


Look = tuple[int, datetime | None]
"""A site's generation, and when its pages last changed. Equal looks mean equal pages."""


async def look(pool: "asyncpg.Pool | Connection", site: Site) -> Look:
    """Return what tells whether a site's pages are still right."""
    row = await pool.fetchrow(SQL["look"], site.slug)
    assert row is not None
    return row["generation"], row["changed_at"]


async def at_one_moment(
    pool: asyncpg.Pool, site: Site, read: Callable[[Reader], Awaitable[Any]]
) -> tuple[Look, Any, Reader]:
    """Read in one snapshot; return the look that goes with it, what was read, and what was noted."""
    async with (
        pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        seen = await look(connection, site)
        reader = Reader(connection, site)
        return seen, await read(reader), reader

"""Postgres → what one page is made of, as of one moment."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

import asyncpg
import msgspec

from services.render.builder import projections
from services.render.pages import search_query
from services.render.pages.page_data import Around
from services.render.queries import GENERATIONS, PLACES, SQL
from shared.articles import Article
from shared.postgres import Connection, NamedQueries
from shared.sites import Section, Site

LISTED = 20
LINKED = 5
"""Related articles, and those of each section on the home page."""
ACQUIRE_SECONDS = 3.0
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(9999, 1, 1, tzinfo=UTC)
ANY = "*"
"""In place of an article's id: all of them."""


@dataclass
class Reader:
    """Reads for one page, in one transaction, and notes what the page depends on.

    `sql` are the statements for one generation. `key` tells two states of a page apart; `until` is when it must no
    longer be served, whatever happens; `shows` are the ids of the articles on it, and ANY if it tells more of articles
    than can be named.
    """

    connection: "Connection | asyncpg.Connection"
    site: Site
    sql: NamedQueries
    key: list[Any] = field(default_factory=list)
    until: datetime = FAR_AHEAD
    shows: set[str] = field(default_factory=set)

    async def articles(self, query: str, *arguments: object) -> list[Article]:
        """Return the articles of a query, and note them."""
        return self.note(await self.connection.fetch(self.sql[query], self.site.slug, *arguments))

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that is not of articles, and note them."""
        rows = [tuple(row) for row in await self.connection.fetch(self.sql[query], self.site.slug, *arguments)]
        self.key.append(rows)
        self.shows.add(ANY)
        return rows

    def note(self, rows: Sequence[asyncpg.Record]) -> list[Article]:
        """Decode articles and note them."""
        articles = [self.decode(row) for row in rows]
        self.key.append([(article.id, article.version) for article in articles])
        self.shows |= {intern(article.id) for article in articles}
        self.until = min([self.until, *(row["public_until"].replace(tzinfo=UTC) for row in rows)])
        return articles

    def decode(self, row: asyncpg.Record) -> Article:
        """Return the article of a row."""
        return msgspec.json.decode(row["content"], type=Article)

    async def article_row(self, number: int) -> asyncpg.Record | None:
        """Return the row of the article with a public number, whether readers may see it or not."""
        return await self.connection.fetchrow(self.sql["articles_of_numbers"], self.site.slug, [number])

    async def listed(self, name: str, page: int = 1, size: int = LISTED) -> tuple[list[Article], bool]:
        """Return one page of a list, and whether there is another."""
        articles = await self.articles("listed", name, size + 1, (page - 1) * size, True)
        return articles[:size], len(articles) > size

    async def around(self, article: Article) -> Around:
        """Return what stands around an article."""
        return self.arranged(article, await self.neighbours([article]))

    async def neighbours(self, articles: Sequence[Article], *, with_contents: bool = True) -> list[asyncpg.Record]:
        """Return what stands around each of some articles; `n` of a row is the article's place, from 1."""
        return await self.connection.fetch(
            self.sql["around"],
            self.site.slug,
            [f"section/{one.section}" for one in articles],
            [projections.listed_at(one) for one in articles],
            [one.number for one in articles],
            [
                " ".join(name for name in projections.lists(one, self.site) if name.startswith("tag/"))
                for one in articles
            ],
            [one.translation_of or one.id for one in articles],
            LINKED,
            with_contents,
        )

    def arranged(self, article: Article, rows: Sequence[asyncpg.Record]) -> Around:
        """Put in order what stands around an article, and note it."""
        rows = sorted(rows, key=lambda row: (row["shared"], row["listed_at"], row["number"]), reverse=True)
        newer, older, related, translations = (
            self.note([row for row in rows if row["kind"] == kind])
            for kind in ("newer", "older", "related", "translation")
        )
        related = [one for one in related if one.id not in {one.id for one in older[:1]}]  # it stands there already
        known = {one.id for one in (*related, *older[:1])}
        related += [one for one in older if one.id not in known][: LINKED - len(related)]
        same = {one.language: one for one in sorted(translations, key=lambda one: one.number, reverse=True)}
        others = [one for _, one in sorted(same.items()) if one.language != article.language]
        return Around(newer[0] if newer else None, older[0] if older else None, related, others)

    async def by_section(self, size: int) -> list[tuple[Section, list[Article]]]:
        """Return each section with its newest articles, but those that have none."""
        found = [(one, (await self.listed(f"section/{one.slug}", 1, size))[0]) for one in self.site.sections]
        return [(section, articles) for section, articles in found if articles]

    async def search(self, wanted: search_query.Wanted) -> search_query.Found:
        """Look for articles."""
        terms = search_query.parse(wanted.query)
        if terms is None:
            return search_query.Found()
        await self.connection.execute(self.sql["prepare_search"])
        zone, day = self.site.zone, timedelta(days=1)
        since = datetime.combine(wanted.since, datetime.min.time(), zone) if wanted.since else LONG_AGO
        until = datetime.combine(wanted.until + day, datetime.min.time(), zone) if wanted.until else FAR_AHEAD
        size = search_query.PAGE_RESULTS
        place = (size + 1, (wanted.page - 1) * size)
        fits = (terms.indexed, terms.pairs, terms.folded)
        filters = (wanted.section, since, until)
        if wanted.by_date:
            found = await self.articles("search_by_date", *fits, *filters, *place, terms.is_indexed)
            return search_query.Found(found[:size], 0, len(found) > size, terms=terms)
        given = (*fits, terms.phrase, terms.marked, *filters, search_query.RANKED_MAX, search_query.FEW_MAX, *place)
        rows = await self.connection.fetch(self.sql["search"], self.site.slug, *given, terms.is_indexed)
        if not rows and wanted.page == 1 and not (wanted.section or wanted.since or wanted.until):
            nearest = await self._nearest(" ".join(sorted(terms.words)))
            return search_query.Found(nearest, len(nearest), is_nearest=bool(nearest), terms=terms)
        articles = self.note(rows)
        count = rows[0]["found"] if rows else 0
        return search_query.Found(articles[:size], count, len(articles) > size, terms=terms)

    async def _nearest(self, words: str) -> list[Article]:
        for likeness in search_query.LIKENESSES:
            await self.connection.execute(self.sql["set_likeness"], likeness)
            if found := await self.articles("search_nearest", words, LINKED):
                return found
        return []


Look = tuple[int, datetime | None]
"""A site's generation, and when its pages last changed. Equal looks mean equal pages."""
NEVER_WRITTEN: Look = (0, None)
"""How a site stands that never had an article."""


_last_place = PLACES[0]
"""The generation that readers got when this process looked last: it seldom changes, so it is asked first."""


async def _looked(connection: Connection, site: Site) -> asyncpg.Record:
    global _last_place  # noqa: PLW0603 - a guess that is checked each time
    while True:
        asked = _last_place
        row = await connection.fetchrow(GENERATIONS[asked]["look"], site.slug)
        assert row is not None
        if row["place"] == asked:
            return row
        _last_place = row["place"]


async def withdrawn(pool: asyncpg.Pool, articles: Iterable[str]) -> set[str]:
    """Return those of the articles that readers may not see now."""
    place = await pool.fetchval(SQL["live_place"])
    return {row["id"] for row in await pool.fetch(GENERATIONS[place]["withdrawn"], list(articles))}


async def at_one_moment(
    pool: asyncpg.Pool, site: Site, read: Callable[[Reader], Awaitable[Any]]
) -> tuple[Look, Any, Reader]:
    """Read in one snapshot; return the look that goes with it, what was read, and what was noted.

    Which generation is read is a row of the same snapshot: a swap meanwhile changes nothing of it.
    """
    async with (
        pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await _looked(connection, site)
        reader = Reader(connection, site, GENERATIONS[row["place"]], [row["number"]])
        return (row["generation"], row["changed_at"]), await read(reader), reader

"""Postgres → the rows of one page, read in one snapshot."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sys import intern
from typing import Any

import asyncpg
import msgspec

from services.render.builder import projections
from services.render.pages.front_page import AboveSections
from services.render.pages.page_data import BreakingBar, RelatedArticles
from services.render.queries import GENERATIONS, SCHEMAS, SQL
from services.render.site.timed_site import valid_site
from shared.articles import Article, Block, article_path, related_ids, sort_time
from shared.front_page import BreakingNews, FrontPage, FrontPageSlot
from shared.postgres import Connection, NamedQueries
from shared.site_structure import KINDS, PageLink, SiteStructure, StructureIndex
from shared.sites import Section, Site, with_structure

LIST_PAGE_SIZE = 20
RELATED_MAX = 5
"""Related articles of a page."""
ACQUIRE_SECONDS = 3.0
FAR_AHEAD = datetime(9999, 1, 1, tzinfo=UTC)
ANY_ARTICLE = "*"
"""In place of an article's id: the page depends on articles that cannot be listed."""

SiteVersion = tuple[int, datetime | None]
"""A site's version number, and when its pages last changed. Equal versions mean equal pages."""
NO_VERSION: SiteVersion = (0, None)
"""The version of a site that never had an article."""


@dataclass
class PageReader:
    """Reads the rows of one page in one transaction, and tracks what the page depends on.

    Attributes:
        connection: In a read-only transaction.
        site: The page's site, with what of its structure is valid now.
        sql: The statements for one generation.
        dependencies: Equal lists mean equal pages.
        expires_at: When the page must no longer be served, whether or not anything was written.
        article_ids: The articles on the page; ANY_ARTICLE if it also depends on others.
        whole_site: The site with what of its structure is not valid yet, or not any more; None: where nobody needs it.
    """

    connection: "Connection | asyncpg.Connection"
    site: Site
    sql: NamedQueries
    dependencies: list[Any] = field(default_factory=list)
    expires_at: datetime = FAR_AHEAD
    article_ids: set[str] = field(default_factory=set)
    whole_site: Site | None = None

    async def articles(self, query: str, *arguments: object) -> list[Article]:
        """Return the articles of a query, and track them."""
        return self.track(await self.connection.fetch(self.sql[query], self.site.slug, *arguments))

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that does not return articles, and track them."""
        return self.track_rows(
            [tuple(row) for row in await self.connection.fetch(self.sql[query], self.site.slug, *arguments)]
        )

    def track_rows(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Record that the page depends on rows that are no articles, and return them."""
        self.dependencies.append(rows)
        self.article_ids.add(ANY_ARTICLE)
        return rows

    def track(self, rows: Sequence[asyncpg.Record]) -> list[Article]:
        """Decode articles, and record that the page depends on them."""
        articles = [self.decode(row) for row in rows]
        self.dependencies.append([(article.id, article.version) for article in articles])
        self.article_ids |= {intern(article.id) for article in articles}
        ends = {row["public_until"] for row in rows}  # asyncpg's infinity has no time zone
        self.expires_at = min([self.expires_at, *(end.replace(tzinfo=UTC) for end in ends)])
        return articles

    def decode(self, row: asyncpg.Record) -> Article:
        """Return the article of a row, with its section, tags and authors as they are called now."""
        return self.site.resolved(msgspec.json.decode(row["content"], type=Article))

    def list_keys(self, name: str) -> list[str]:
        """Return the lists that show what is in a list now."""
        return [name] if self.site.structure is None else self.site.structure.list_keys(name)

    async def article_row(self, number: int) -> asyncpg.Record | None:
        """Return the row of the article with a public number, whether it is public or not."""
        return await self.connection.fetchrow(self.sql["articles_of_numbers"], self.site.slug, [number])

    async def listed(self, name: str, page: int = 1, size: int = LIST_PAGE_SIZE) -> tuple[list[Article], bool]:
        """Return one page of a list, and whether there is another."""
        articles = self.track(await self.list_rows(name, size + 1, (page - 1) * size, with_contents=True))
        return articles[:size], len(articles) > size

    async def list_rows(self, name: str, limit: int, offset: int, *, with_contents: bool) -> list[asyncpg.Record]:
        """Return rows of a list, and of those that stand for it."""
        keys = self.list_keys(name)
        query, wanted = ("listed", name) if len(keys) == 1 else ("listed_in_any", keys)
        return await self.connection.fetch(self.sql[query], self.site.slug, wanted, limit, offset, with_contents)

    async def tags(self, limit: int) -> list[tuple[str, int]]:
        """Return the most used tags under their present names, with the numbers of articles."""
        index = self.site.structure
        if index is None or not (index.tags or index.aliases["tag"]):
            return [(str(name), int(count)) for _, name, count in await self.rows("tags", limit)]
        former = sorted(index.aliases["tag"])
        lists = [f"tag/{slug}" for slug in former], [f"tag/{index.current('tag', slug)}" for slug in former]
        found = await self.rows("tags_of_aliases", limit, *lists)
        return [(index.tag_name(str(name)), int(count)) for _, name, count in found]

    async def list_counts(self) -> dict[str, int]:
        """Return how many articles each list has, under its present name."""
        counts = {str(name): int(count) for name, count in await self.rows("all_lists")}
        index = self.site.structure
        if index is None:
            return counts
        for kind in KINDS:
            for slug in index.aliases[kind]:
                if counts.pop(f"{kind}/{slug}", None) is not None:
                    present = f"{kind}/{index.current(kind, slug)}"
                    (row,) = await self.rows("count_listed", index.list_keys(present))
                    counts[present] = int(row[0])
        return counts

    async def related_articles(self, article: Article) -> RelatedArticles:
        """Return the articles that an article's page links to."""
        return self.arrange_related(article, await self.related_rows([article]), await self.inside(article.body))

    async def related_rows(self, articles: Sequence[Article], *, with_contents: bool = True) -> list[asyncpg.Record]:
        """Return the rows of the related articles of some articles; `n` is the article's index, from 1."""
        return await self.connection.fetch(
            self.sql["related_articles"],
            self.site.slug,
            [" ".join(self.list_keys(f"section/{one.section}")) for one in articles],
            [sort_time(one) for one in articles],
            [one.number for one in articles],
            [" ".join(self._tag_pairs(one)) for one in articles],
            [one.translation_of or one.id for one in articles],
            RELATED_MAX,
            with_contents,
        )

    def _tag_pairs(self, article: Article) -> list[str]:
        tags = [name for name in projections.list_keys(article, self.site) if name.startswith("tag/")]
        return [f"{key}={name}" for name in tags for key in self.list_keys(name)]

    def arrange_related(
        self, article: Article, rows: Sequence[asyncpg.Record], inside: Mapping[str, Article]
    ) -> RelatedArticles:
        """Order the related articles of an article, and track them; `inside` are tracked already."""
        rows = sorted(rows, key=lambda row: (row["shared"], row["listed_at"], row["number"]), reverse=True)
        newer, older, related, translations = (
            self.track([row for row in rows if row["kind"] == kind])
            for kind in ("newer", "older", "related", "translation")
        )
        related = [one for one in related if one.id not in {one.id for one in older[:1]}]  # linked as the older one
        related = [one for one in related if one.id not in inside]
        known = {*inside, *(one.id for one in (*related, *older[:1]))}
        related += [one for one in older if one.id not in known][: RELATED_MAX - len(related)]
        same = {one.language: one for one in sorted(translations, key=lambda one: one.number, reverse=True)}
        others = [one for _, one in sorted(same.items()) if one.language != article.language]
        return RelatedArticles(newer[0] if newer else None, older[0] if older else None, related, others, inside)

    async def inside(self, body: Sequence[Block]) -> dict[str, Article]:
        """Return the public ones of the articles that a body shows as cards, by ID."""
        ids = related_ids(body)
        return {one.id: one for one in await self.articles("public_articles_by_id", ids)} if ids else {}

    async def front_page(self) -> tuple[list[Article], BreakingBar | None]:
        """Return the articles of the front page's slots, and its bar, as they are valid now."""
        front = FrontPage() if self.site.structure is None else self.site.structure.structure.front_page
        placed = await self._placed(front.slots)
        return list({one.id: one for one in placed}.values()), await self._breaking_bar(front.breaking)

    async def _placed(self, slots: Sequence[FrontPageSlot]) -> list[Article]:
        return await self.articles("placed", [one.article for one in slots], [one.until for one in slots])

    async def _breaking_bar(self, news: BreakingNews | None) -> BreakingBar | None:
        if news is None:
            return None
        if news.article is not None:
            found = await self._placed([FrontPageSlot(article=news.article, until=news.until)])
            return BreakingBar(news.text, article_path(found[0]), news.until) if found else None
        is_shown = bool(await self.connection.fetchval(self.sql["is_before"], news.until))
        self.dependencies.append(is_shown)
        if not is_shown:
            return None
        return BreakingBar(news.text, news.url, news.until)

    async def by_section(self, size: int) -> list[tuple[Section, list[Article]]]:
        """Return each section with its newest articles, without the empty sections."""
        found = [(one, (await self.listed(f"section/{one.slug}", 1, size))[0]) for one in self.site.sections]
        return [(section, articles) for section, articles in found if articles]

    async def by_section_without(
        self, above: AboveSections, size: int, sections_max: int
    ) -> list[tuple[Section, list[Article]]]:
        """Return sections with newest articles that are not above them on the front page, in the sections' order."""
        found: list[tuple[Section, list[Article]]] = []
        for one in self.site.sections:
            if len(found) == sections_max:
                break
            articles, has_more = await self.listed(f"section/{one.slug}", 1, size)
            if has_more and all(article.id in above.ids for article in articles):
                articles, _ = await self.listed(f"section/{one.slug}", 1, size + len(above.articles))
            if others := [article for article in articles if article.id not in above.ids]:
                found.append((one, others[:size]))
        return found


_last_schema = SCHEMAS[0]
"""The schema that was live when this process last read: it seldom changes, so it is read first."""


async def _read_site_version(connection: Connection, site: Site) -> asyncpg.Record:
    global _last_schema  # noqa: PLW0603 - a guess that is checked each time
    while True:
        schema = _last_schema
        row = await connection.fetchrow(GENERATIONS[schema]["site_version"], site.slug)
        assert row is not None
        if row["schema_name"] == schema:
            return row
        _last_schema = row["schema_name"]


_structured: dict[str, tuple[Site, tuple[int, int], Site]] = {}
"""By slug: a site as it is configured, the versions of its structure and pages, and the site with both."""


async def _site_with_structure(connection: Connection, sql: NamedQueries, site: Site, stamp: tuple[int, int]) -> Site:
    known = _structured.get(site.slug)
    if known is not None and known[0] is site and known[1] == stamp:
        return known[2]
    structured = await read_site(connection, sql, site)
    _structured[site.slug] = site, stamp, structured
    return structured


async def read_valid_site(connection: asyncpg.Connection, sql: NamedQueries, site: Site) -> Site:
    """Return a site like `read_site`, with what of its structure is valid now."""
    return valid_site(await read_site(connection, sql, site), await connection.fetchval(sql["snapshot_time"]))[0]


async def read_site(connection: "Connection | asyncpg.Connection", sql: NamedQueries, site: Site) -> Site:
    """Return a site with the structure and static pages of a generation; as it is configured if there is none yet."""
    content = await connection.fetchval(sql["structure"], site.slug)
    if content is None:
        return site
    rows = await connection.fetch(sql["static_page_links"], site.slug)
    pages = {row["id"]: PageLink(row["slug"], row["title"], row["kind"], row["language"]) for row in rows}
    return with_structure(site, StructureIndex(msgspec.json.decode(content, type=SiteStructure), pages))


async def hidden_articles(pool: asyncpg.Pool, article_ids: Iterable[str]) -> set[str]:
    """Return those of the given articles that are not public now."""
    schema = await pool.fetchval(SQL["live_schema"])
    return {row["id"] for row in await pool.fetch(GENERATIONS[schema]["hidden_articles"], list(article_ids))}


async def read_snapshot(
    pool: asyncpg.Pool, site: Site, read: Callable[[PageReader], Awaitable[Any]]
) -> tuple[SiteVersion, Any, PageReader]:
    """Read in one snapshot.

    The live generation is a row of the same snapshot, so a swap meanwhile changes nothing of what is read.

    Returns:
        The site's version in that snapshot, the result of `read`, and the reader with the tracked dependencies.
    """
    async with (
        pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await _read_site_version(connection, site)
        sql, stamp = GENERATIONS[row["schema_name"]], (row["structure_version"], row["pages_version"])
        whole = await _site_with_structure(connection, sql, site, stamp)
        site, since = valid_site(whole, row["at"])
        reader = PageReader(connection, site, sql, [row["number"], stamp, since], whole_site=whole)
        return (row["version"], row["changed_at"]), await read(reader), reader

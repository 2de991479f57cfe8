"""A generation → every page of a site, in bulk: for a static export, and to check a rebuild before its swap.

Each page is rendered by the route handler that serves it, from the same statements. Only the number of queries differs:
one for many articles, one for a whole list, and one for each content.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import asyncpg

from services.render.builder.projections import CORRECTIONS_LIST
from services.render.pages import paths
from services.render.pages.document import Document
from services.render.pages.feeds import author_feed_paths, feed_paths
from services.render.pages.page_data import RelatedArticles
from services.render.pages.paths import CORRECTIONS_PATH
from services.render.pages.sitemaps import PART_NUMBERS, part_path
from services.render.pages.structured_data import MANIFEST_PATH
from services.render.site import routes
from services.render.site.page_reader import LIST_PAGE_SIZE, PageReader
from services.render.site.redirects_and_gone import NoPage, Redirect
from shared.articles import Article
from shared.postgres import Connection
from shared.progress_bar import progress_bar
from shared.site_structure import author_path, page_path

BATCH_ARTICLES = 200
PAGES_PER_TURN = 10
"""After how many pages the next batch gets its turn. A turn costs as much as a tenth of a page."""
DECODED_ARTICLES_MAX = 12_000
"""Decoded articles that are kept, of about 20 KB each: tags relate articles that are far apart."""
LIST_ARTICLES_MAX = 10_000_000
LIST_ROWS = 5_000
"""Rows that are read together of lists that follow one another: most lists are short, and there are many."""


@dataclass(frozen=True)
class RenderFailure:
    """A page that cannot be rendered."""

    reason: str


class Unchanged:
    """A page that the caller has already, in place of its document."""


PageResult = Document | Redirect | NoPage | RenderFailure | Unchanged
IsKnown = Callable[[str, list[Any]], bool]
"""Whether the page of a URL that depends on these rows need not be rendered."""


def _nothing_is_known(url: str, dependencies: list[Any]) -> bool:
    return False


class OneQueryAtATime:
    """A connection whose queries wait for one another: a page may need one while the next batch is being read."""

    def __init__(self, connection: "Connection | asyncpg.Connection") -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a query."""
        async with self._turn:
            return await self._connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row of a query."""
        async with self._turn:
            return await self._connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        """Return the first value of the first row of a query."""
        async with self._turn:
            return await self._connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: object) -> str:
        """Execute a statement."""
        async with self._turn:
            return str(await self._connection.execute(query, *arguments))


@dataclass
class BulkPageReader(PageReader):
    """Reads many pages; the rows of articles and lists are prefetched, and each content is decoded once."""

    decoded: OrderedDict[str, Article] = field(default_factory=OrderedDict)
    prefetched_rows: dict[int, asyncpg.Record] = field(default_factory=dict)
    prefetched_related: dict[int, list[asyncpg.Record]] = field(default_factory=dict)
    prefetched_lists: dict[str, list[asyncpg.Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let the queries of pages and of the prefetch wait for one another."""
        self.connection = cast(asyncpg.Connection, OneQueryAtATime(self.connection))

    def track(self, rows: Sequence[asyncpg.Record]) -> list[Article]:
        """Decode articles, and record that the page depends on them.

        Also on when they changed: after a restore a version may come a second time, with another text.
        """
        articles = super().track(rows)
        self.dependencies.append([article.modified_at for article in articles])
        return articles

    def decode(self, row: asyncpg.Record) -> Article:
        """Return the article of a row, decoded before or now."""
        article = self.decoded.get(row["id"]) if "id" in row else None
        if article is None:
            article = super().decode(row)
            self.decoded[article.id] = article
        return article

    async def article_row(self, number: int) -> asyncpg.Record | None:
        """Return an article's row, prefetched or queried."""
        return self.prefetched_rows.get(number) or await super().article_row(number)

    async def related_articles(self, article: Article) -> RelatedArticles:
        """Return the articles that an article's page links to, prefetched or queried."""
        rows = self.prefetched_related.get(article.number)
        if rows is None:
            return await super().related_articles(article)
        return self.arrange_related(article, rows, await self.inside(article.body))

    async def listed(self, name: str, page: int = 1, size: int = LIST_PAGE_SIZE) -> tuple[list[Article], bool]:
        """Return one page of a list; the first request for a list reads all of it, and those that follow."""
        if size != LIST_PAGE_SIZE:
            return await super().listed(name, page, size)
        rows = (await self._whole_list(name))[(page - 1) * size :]
        self._trim_decoded()
        await self._load_missing(rows[:size])
        return self.track(rows[:size]), len(rows) > size

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that does not return articles; the name of a list is read with the list."""
        found = await self._whole_list(str(arguments[0])) if query == "list_name" else []
        if not (found and "name" in found[0]):
            return await super().rows(query, *arguments)
        return self.track_rows([(found[0]["name"],)])

    async def _whole_list(self, name: str) -> list[asyncpg.Record]:
        if name not in self.prefetched_lists:
            self.prefetched_lists = await self._lists_from(name)
        return self.prefetched_lists[name]

    async def _lists_from(self, name: str) -> dict[str, list[asyncpg.Record]]:
        """Return a list, and those that follow it in the order of names; merged ones are read one by one."""
        rows = await self.connection.fetch(self.sql["lists_from"], self.site.slug, name, LIST_ROWS)
        found = {one: list(of_list) for one, of_list in groupby(rows, itemgetter("list"))}
        if len(rows) == LIST_ROWS:
            found.popitem()  # has perhaps more
        found = {one: of_list for one, of_list in found.items() if len(self.list_keys(one)) == 1}
        if name not in found:
            found[name] = await self.list_rows(name, LIST_ARTICLES_MAX, 0, with_contents=False)
        return found

    async def prefetch(self, numbers: Sequence[int]) -> None:
        """Read articles and their related articles."""
        self._trim_decoded()
        rows = await self.connection.fetch(self.sql["articles_of_numbers"], self.site.slug, list(numbers))
        articles = [self.decode(row) for row in rows]
        await self._load_missing(rows)
        related_rows = await self.related_rows(articles, with_contents=False)
        await self._load_missing(related_rows)
        self.prefetched_rows |= {row["number"]: row for row in rows}
        related = defaultdict(list)
        for row in related_rows:
            related[articles[row["n"] - 1].number].append(row)
        self.prefetched_related |= {article.number: related[article.number] for article in articles}

    def release(self, numbers: Iterable[int]) -> None:
        """Drop the prefetched rows of articles."""
        for number in numbers:
            self.prefetched_rows.pop(number, None)
            self.prefetched_related.pop(number, None)

    async def contents(self, rows: Sequence[asyncpg.Record]) -> list[Article]:
        """Return the articles of rows that may have no contents."""
        self._trim_decoded()
        await self._load_missing(rows)
        return [self.decoded[row["id"]] for row in rows]

    async def _load_missing(self, rows: Iterable[asyncpg.Record]) -> None:
        missing = set()
        for row in rows:
            if row["id"] in self.decoded:
                self.decoded.move_to_end(row["id"])  # the least recently used are dropped first
            else:
                missing.add(row["id"])
        for row in await self.connection.fetch(self.sql["article_contents"], list(missing)) if missing else ():
            self.decode(row)

    def _trim_decoded(self) -> None:
        while len(self.decoded) > DECODED_ARTICLES_MAX:
            self.decoded.popitem(last=False)


async def render_url(
    reader: PageReader, url: str, public_url: str, is_known: IsKnown = _nothing_is_known
) -> PageResult:
    """Return the portal's response to a URL: a path, perhaps with a query.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError: Postgres is unavailable.
    """
    path, _, query = url.partition("?")
    handler, request = routes.match_route(unquote(path), query, dict(parse_qsl(query)), public_url)
    reader.dependencies.clear()
    try:
        result = await handler(reader, request)
        if isinstance(result, Redirect | NoPage):
            return result
        return Unchanged() if is_known(url, reader.dependencies) else result()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - one page that fails must not stop the others
        return RenderFailure(repr(error)[:300])


@dataclass(frozen=True)
class SiteUrls:
    """All URLs of a site: articles by number, then lists and everything else."""

    articles: dict[int, str]
    others: list[str]

    @property
    def all(self) -> set[str]:
        """All of them."""
        return {*self.articles.values(), *self.others}


async def site_urls(reader: PageReader) -> SiteUrls:
    """Return all URLs of a site that have a page."""
    site = reader.site
    articles = {row[0]: row[1] for row in await reader.rows("all_articles")}
    counts = await reader.list_counts()
    lists = {f"section/{one.slug}": paths.section_path(one.slug) for one in site.sections}
    lists |= {name: f"/{name}/" for name in counts if name.startswith("tag/")}
    lists[CORRECTIONS_LIST] = CORRECTIONS_PATH
    if site.structure is not None:
        lists |= {f"author/{slug}": author_path(slug) for slug in site.structure.authors}
        lists |= {f"tag/{slug}": f"/tag/{slug}/" for slug in site.structure.menu_tags}
    for name in counts:
        if name.startswith("month/"):
            year, month = name.removeprefix("month/").split("-")
            lists[name] = paths.month_path(int(year), int(month))
    others = [
        paths.page_path(path, number)
        for name, path in lists.items()
        for number in range(1, min(routes.PAGES_MAX, max(1, -(-counts.get(name, 0) // LIST_PAGE_SIZE))) + 1)
    ]
    parts = [int(row[0]) for row in await reader.rows("sitemap_parts", PART_NUMBERS)]
    if site.structure is not None:
        others += [page_path(one.slug) for one in site.structure.pages.values()]
    others += ["/", "/so-do-site", "/luu-tru/", "/tim-kiem"]
    others += [*feed_paths(site), *author_feed_paths(site)]
    others += [
        *map(part_path, parts),
        "/sitemap-pages.xml",
        "/sitemap.xml",
        "/news-sitemap.xml",
        "/robots.txt",
        MANIFEST_PATH,
    ]
    return SiteUrls(articles, others)


async def render_all(
    reader: BulkPageReader, urls: SiteUrls, public_url: str, is_known: IsKnown = _nothing_is_known
) -> AsyncIterator[tuple[str, PageResult]]:
    """Render each URL that is not known, with a progress bar. The next batch of articles is read meanwhile."""
    with progress_bar("pages", len(urls.articles) + len(urls.others)) as advance:
        async for rendered in _render_all(reader, urls, public_url, is_known):
            yield rendered
            advance(1)


async def _render_all(
    reader: BulkPageReader, urls: SiteUrls, public_url: str, is_known: IsKnown
) -> AsyncIterator[tuple[str, PageResult]]:
    batches = _batched(list(urls.articles))
    prefetch = asyncio.create_task(reader.prefetch(batches[0])) if batches else None
    try:
        for number, batch in enumerate(batches):
            assert prefetch is not None
            await prefetch
            if number + 1 < len(batches):
                prefetch = asyncio.create_task(reader.prefetch(batches[number + 1]))
            for place, one in enumerate(batch):
                yield urls.articles[one], await render_url(reader, urls.articles[one], public_url, is_known)
                if place % PAGES_PER_TURN == 0:
                    await asyncio.sleep(0)  # lets the prefetch take what Postgres has sent
            reader.release(batch)
    finally:
        if prefetch is not None:
            await asyncio.wait([prefetch])
    for url in urls.others:
        yield url, await render_url(reader, url, public_url, is_known)


def _batched(numbers: list[Any]) -> list[list[Any]]:
    return [numbers[begin : begin + BATCH_ARTICLES] for begin in range(0, len(numbers), BATCH_ARTICLES)]

"""A generation → every page of a site, in bulk: for a static copy, and to look a rebuild over before readers get it.

Each page is made by the same surface that readers ask, from the same statements. What differs is how often Postgres is
asked: for many articles at once, for a list once, and for each content once.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import asyncpg
import msgspec

from services.render.pages import paths
from services.render.pages.document import Document
from services.render.pages.feeds import feed_path
from services.render.pages.page_data import Around
from services.render.pages.sitemaps import PART_NUMBERS, part_path
from services.render.site import routes
from services.render.site.page_reader import LISTED, Reader
from services.render.site.routes import Absent, Moved
from shared.articles import Article

BATCH_ARTICLES = 200
SHELF_ARTICLES_MAX = 12_000
"""Decoded articles that are kept, of about 20 KB each: tags make neighbours of articles far from one another."""
LIST_ARTICLES_MAX = 10_000_000


@dataclass(frozen=True)
class Failed:
    """A page that cannot be made."""

    reason: str


Outcome = Document | Moved | Absent | Failed


@dataclass
class WholeReader(Reader):
    """Reads many pages; what they need of articles and lists is read ahead, and decoded once."""

    shelf: OrderedDict[str, Article] = field(default_factory=OrderedDict)
    rows_ahead: dict[int, asyncpg.Record] = field(default_factory=dict)
    around_ahead: dict[int, list[asyncpg.Record]] = field(default_factory=dict)
    list_ahead: tuple[str, list[asyncpg.Record]] = ("", [])

    def decode(self, row: asyncpg.Record) -> Article:
        """Return the article of a row, from the shelf if it is there."""
        article = self.shelf.get(row["id"]) if "id" in row else None
        if article is None:
            article = msgspec.json.decode(row["content"], type=Article)
            self.shelf[article.id] = article
        return article

    async def article_row(self, number: int) -> asyncpg.Record | None:
        """Return an article's row that was read ahead, or ask for it."""
        return self.rows_ahead.get(number) or await super().article_row(number)

    async def around(self, article: Article) -> Around:
        """Return what stands around an article that was read ahead."""
        rows = self.around_ahead.get(article.number)
        return await super().around(article) if rows is None else self.arranged(article, rows)

    async def listed(self, name: str, page: int = 1, size: int = LISTED) -> tuple[list[Article], bool]:
        """Return one page of a list, which is read when its first page is asked for."""
        if size != LISTED:
            return await super().listed(name, page, size)
        if self.list_ahead[0] != name:
            everything = (self.site.slug, name, LIST_ARTICLES_MAX, 0, False)
            self._clear_shelf()
            self.list_ahead = name, await self.connection.fetch(self.sql["listed"], *everything)
        rows = self.list_ahead[1][(page - 1) * size :]
        await self._fill_shelf(rows[:size])
        return self.note(rows[:size]), len(rows) > size

    async def read_ahead(self, numbers: Sequence[int]) -> None:
        """Read articles, and what stands around them."""
        self._clear_shelf()
        rows = await self.connection.fetch(self.sql["articles_of_numbers"], self.site.slug, list(numbers))
        articles = [self.decode(row) for row in rows]
        await self._fill_shelf(rows)
        near = await self.neighbours(articles, with_contents=False)
        await self._fill_shelf(near)
        self.rows_ahead |= {row["number"]: row for row in rows}
        around = defaultdict(list)
        for row in near:
            around[articles[row["n"] - 1].number].append(row)
        self.around_ahead |= {article.number: around[article.number] for article in articles}

    def forget(self, numbers: Iterable[int]) -> None:
        """Let go of what was read ahead."""
        for number in numbers:
            self.rows_ahead.pop(number, None)
            self.around_ahead.pop(number, None)

    async def _fill_shelf(self, rows: Iterable[asyncpg.Record]) -> None:
        missing = set()
        for row in rows:
            if row["id"] in self.shelf:
                self.shelf.move_to_end(row["id"])  # what is used goes last
            else:
                missing.add(row["id"])
        for row in await self.connection.fetch(self.sql["contents"], list(missing)) if missing else ():
            self.decode(row)

    def _clear_shelf(self) -> None:
        while len(self.shelf) > SHELF_ARTICLES_MAX:
            self.shelf.popitem(last=False)


async def answer(reader: Reader, address: str, public_url: str) -> Outcome:
    """Return what the portal answers at an address: a path, perhaps with a query."""
    path, _, query = address.partition("?")
    surface, asked = routes.find(unquote(path), query, dict(parse_qsl(query)), public_url)
    reader.key.clear()
    try:
        outcome = await surface(reader, asked)
        return outcome if isinstance(outcome, Moved | Absent) else outcome()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one page, the others are made
        return Failed(repr(error)[:300])


@dataclass(frozen=True)
class Plan:
    """All addresses of a site: articles by number, then the lists and all else."""

    articles: dict[int, str]
    others: list[str]

    @property
    def addresses(self) -> set[str]:
        """All of them."""
        return {*self.articles.values(), *self.others}


async def plan(reader: Reader) -> Plan:
    """Find all addresses at which there is something."""
    site = reader.site
    articles = {row[0]: row[1] for row in await reader.rows("whole_articles")}
    counts = dict(await reader.rows("whole_lists"))
    lists = {f"section/{one.slug}": paths.section_path(one.slug) for one in site.sections}
    lists |= {name: f"/{name}/" for name in counts if name.startswith("tag/")}
    for name in counts:
        if name.startswith("month/"):
            year, month = name.removeprefix("month/").split("-")
            lists[name] = paths.month_path(int(year), int(month))
    others = [
        paths.page_path(path, number)
        for name, path in lists.items()
        for number in range(1, min(routes.PAGES_MAX, max(1, -(-counts.get(name, 0) // LISTED))) + 1)
    ]
    parts = [int(row[0]) for row in await reader.rows("sitemap_parts", PART_NUMBERS)]
    others += ["/", "/so-do-site", "/luu-tru/", "/tim-kiem"]
    others += [feed_path(section, kind) for section in (None, *site.sections) for kind in ("rss", "atom")]
    others += [*map(part_path, parts), "/sitemap-pages.xml", "/sitemap.xml", "/news-sitemap.xml", "/robots.txt"]
    return Plan(articles, others)


async def every_page(reader: WholeReader, of: Plan, public_url: str) -> AsyncIterator[tuple[str, Outcome]]:
    """Make each page of a plan. The next articles are read while these are made."""
    batches = _batched(list(of.articles))
    ahead = asyncio.create_task(reader.read_ahead(batches[0])) if batches else None
    try:
        for number, batch in enumerate(batches):
            assert ahead is not None
            await ahead
            if number + 1 < len(batches):
                ahead = asyncio.create_task(reader.read_ahead(batches[number + 1]))
            for one in batch:
                yield of.articles[one], await answer(reader, of.articles[one], public_url)
                await asyncio.sleep(0)  # what Postgres has sent meanwhile is taken
            reader.forget(batch)
    finally:
        if ahead is not None:
            await asyncio.wait([ahead])
    for address in of.others:
        yield address, await answer(reader, address, public_url)


def _batched(numbers: list[Any]) -> list[list[Any]]:
    return [numbers[begin : begin + BATCH_ARTICLES] for begin in range(0, len(numbers), BATCH_ARTICLES)]

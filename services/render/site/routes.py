"""Addresses → what stands there: every page, feed and sitemap of a portal, in one table.

Each surface reads what it is made of (`Reader`) and returns a function that makes its document of it. The function is
pure, and is called only if what was read has changed since the document was made.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from urllib.parse import unquote

from services.render.pages import feeds, html, page_data, paths, sitemaps
from services.render.pages.dates import month_name
from services.render.pages.document import Document
from services.render.pages.search_query import PAGE_RESULTS, RANKED_MAX, Wanted
from services.render.site.page_reader import LISTED, Reader
from shared.articles import State
from shared.sites import Section

PAGES_MAX = 5_000
NUMBER_MAX = 2**53


@dataclass(frozen=True)
class Moved:
    """It stands elsewhere: 301."""

    path: str


@dataclass(frozen=True)
class Absent:
    """There is nothing: 404, or 410 if an article was killed."""

    status: int = 404


Make = Callable[[], Document]
Outcome = Make | Moved | Absent
Surface = Callable[[Reader, "Asked"], Awaitable[Outcome]]


@dataclass(frozen=True)
class Asked:
    """What was asked for: the address, its parts by name, and the query."""

    path: str
    query_string: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    public_url: str

    @property
    def page(self) -> int:
        """The page of a list, from 1; 0 if it is no number. Once it stood in the query: those links still hold."""
        return page_asked({"trang": self.parts["page"]} if self.parts.get("page") else self.query)


def page_asked(query: Mapping[str, str]) -> int:
    """Return which page of a list a query asks for, from 1; 0 if it is no number."""
    text = query.get("trang", "1")
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) and int(text) <= PAGES_MAX else 0


async def _home(reader: Reader, asked: Asked) -> Outcome:
    if asked.query_string and isinstance(moved := await _former(reader, asked), Moved):
        return moved
    front = await reader.articles("front", 4)
    newest = await reader.articles("newest", 13)
    placed = list({one.id: one for one in (*front, *newest)}.values())[:13]
    lead, above = placed[0] if placed else None, {one.id for one in placed[:5]}
    by_section = [
        (section, [one for one in articles if one.id not in above][:5] or articles[:5])
        for section, articles in await reader.by_section(10)
    ]
    return partial(html.render_home, lead, placed[1:], by_section, reader.site, asked.public_url)


async def _list(
    reader: Reader, asked: Asked, of: page_data.ListOf, name: str, *, may_be_empty: bool = False
) -> Outcome:
    if asked.page == 0:
        return Absent()
    articles, has_more = await reader.listed(name, asked.page)
    if not articles and not (may_be_empty and asked.page == 1):
        return Absent()
    reader.key.append(of.title)
    return partial(html.render_list, of, page_data.Part(articles, asked.page, has_more), reader.site, asked.public_url)


async def _section(reader: Reader, asked: Asked) -> Outcome:
    section = reader.site.section(asked.parts["section"])
    if section is None:
        return await _former(reader, asked)
    of = page_data.ListOf(paths.section_path(section.slug), section.name, "section", section)
    return await _list(reader, asked, of, f"section/{section.slug}", may_be_empty=True)


async def _tag(reader: Reader, asked: Asked) -> Outcome:
    name = f"tag/{asked.parts['tag']}"
    names = await reader.rows("list_name", name)
    if not names:
        return Absent()
    return await _list(reader, asked, page_data.ListOf(f"/{name}/", str(names[0][0]), "tag"), name)


async def _month(reader: Reader, asked: Asked) -> Outcome:
    year, month = int(asked.parts["year"]), int(asked.parts["month"])
    title = month_name(year, month, reader.site.language) if 1 <= month <= 12 and year else ""
    of = page_data.ListOf(paths.month_path(year, month), title, "archive")
    return await _list(reader, asked, of, f"month/{year:04d}-{month:02d}")


async def _months(reader: Reader, asked: Asked) -> Outcome:
    months = [(int(year), int(month), int(count)) for year, month, count in await reader.rows("months")]
    return partial(html.render_months, months, reader.site, asked.public_url)


async def _site_map(reader: Reader, asked: Asked) -> Outcome:
    by_section = await reader.by_section(LISTED // 2)
    tags = [(str(name), int(count)) for name, count in await reader.rows("tags", 60)]
    months = [(int(year), int(month), int(count)) for year, month, count in await reader.rows("months")]
    return partial(html.render_site_map, by_section, tags, months, reader.site, asked.public_url)


async def _search(reader: Reader, asked: Asked) -> Outcome:
    section = asked.query.get("chuyen-muc", "")
    wanted = Wanted(
        query=asked.query.get("q", "").strip()[:200],
        section=section if reader.site.section(section) else "",
        since=_day(asked.query.get("tu", "")),
        until=_day(asked.query.get("den", "")),
        by_date=asked.query.get("sap-xep") == "ngay",
        page=asked.page or 1,
    )
    if not wanted.by_date and wanted.page * PAGE_RESULTS > RANKED_MAX * 2:
        return Absent()
    found = await reader.search(wanted)
    reader.key.append(found)
    return partial(html.render_search, wanted, found, reader.site, asked.public_url)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 < day.year < 9000 else None


async def _feed(reader: Reader, asked: Asked) -> Outcome:
    section: Section | None = None
    if "section" in asked.parts:
        section = reader.site.section(asked.parts["section"])
        if section is None:
            return await _former(reader, asked)
        articles, _ = await reader.listed(f"section/{section.slug}", 1, feeds.FEED_ARTICLES_MAX)
    else:
        articles = await reader.articles("newest", feeds.FEED_ARTICLES_MAX)
    feed = feeds.rss if asked.parts["kind"] == "rss" else feeds.atom
    return partial(feed, articles, reader.site, section, asked.public_url)


async def _sitemap(reader: Reader, asked: Asked) -> Outcome:
    parts = [(int(part), changed_at) for part, changed_at in await reader.rows("sitemap_parts", sitemaps.PART_NUMBERS)]
    return partial(sitemaps.index, parts, reader.site, asked.public_url)


async def _sitemap_part(reader: Reader, asked: Asked) -> Outcome:
    part = int(asked.parts["part"])
    begin = (part - 1) * sitemaps.PART_NUMBERS
    if not 0 <= begin < NUMBER_MAX:
        return Absent()
    found = await reader.rows("sitemap_part", begin, begin + sitemaps.PART_NUMBERS)
    rows = [(str(path), at, picture) for path, at, picture in found]
    return partial(sitemaps.addresses, rows, reader.site, asked.public_url) if rows else Absent()


async def _sitemap_pages(reader: Reader, asked: Asked) -> Outcome:
    months = await reader.rows("months")
    tags = await reader.rows("tags", 40_000)
    found = ["/", "/so-do-site", "/luu-tru/", *(paths.section_path(one.slug) for one in reader.site.sections)]
    found += [paths.tag_path(str(name)) for name, _ in tags]
    found += [paths.month_path(int(year), int(month)) for year, month, _ in months]
    return partial(sitemaps.addresses, [(path, None, None) for path in found], reader.site, asked.public_url)


async def _news_sitemap(reader: Reader, asked: Asked) -> Outcome:
    articles = await reader.articles("news", sitemaps.NEWS_AGE, sitemaps.NEWS_ARTICLES_MAX)
    ends = [one.published_at + sitemaps.NEWS_AGE for one in articles if one.published_at]
    reader.until = min([reader.until, *ends])
    return partial(sitemaps.news, articles, reader.site, asked.public_url)


async def _robots(reader: Reader, asked: Asked) -> Outcome:
    return partial(sitemaps.robots, asked.public_url)


async def _article(reader: Reader, asked: Asked) -> Outcome:
    number = min(int(asked.parts["number"]), NUMBER_MAX + 1)
    row = await reader.article_row(number)
    if row is None or row["path"] != asked.path:
        former = await _former(reader, asked)
        if isinstance(former, Moved) or row is None:
            return former
        return _elsewhere(row["path"], row["state"], is_public=row["is_public"])
    if not row["is_public"]:
        return _elsewhere(row["path"], row["state"], is_public=False)
    article = reader.note([row])[0]
    return partial(html.render_article, article, await reader.around(article), reader.site, asked.public_url)


async def _former(reader: Reader, asked: Asked) -> Outcome:
    """Where an article stands now that once stood at this address."""
    with_query = f"{asked.path}?{asked.query_string}" if asked.query_string else asked.path
    addresses = list({with_query: 0, unquote(with_query): 0, asked.path: 0})
    row = await reader.connection.fetchrow(reader.sql["article_of_old_address"], reader.site.slug, addresses)
    return Absent() if row is None else _elsewhere(row["path"], row["state"], is_public=row["is_public"])


def _elsewhere(path: str, state: State, *, is_public: bool) -> Outcome:
    if is_public:
        return Moved(path)
    return Absent(410 if state == "killed" else 404)


async def _with_slash(reader: Reader, asked: Asked) -> Outcome:
    name = asked.path[1:]
    is_list = name == "luu-tru" or name.startswith(("luu-tru/", "tag/")) or reader.site.section(name) is not None
    return Moved(f"{asked.path}/") if is_list else await _former(reader, asked)


PAGE = r"(?:trang-(?P<page>[2-9]|[1-9]\d{1,3})\.html)?"

SURFACES: tuple[tuple[re.Pattern[str], Surface], ...] = tuple(
    (re.compile(pattern, re.ASCII), surface)
    for pattern, surface in (
        (r"/", _home),
        (r"/(?P<kind>rss|atom)\.xml", _feed),
        (r"/sitemap\.xml", _sitemap),
        (r"/sitemap-pages\.xml", _sitemap_pages),
        (r"/sitemap-articles-(?P<part>\d{1,12})\.xml", _sitemap_part),
        (r"/news-sitemap\.xml", _news_sitemap),
        (r"/robots\.txt", _robots),
        (r"/so-do-site", _site_map),
        (r"/tim-kiem", _search),
        (r"/luu-tru/", _months),
        (r"/luu-tru/(?P<year>\d{4})/(?P<month>\d{2})/" + PAGE, _month),
        (r"/tag/(?P<tag>[a-z0-9-]+)/" + PAGE, _tag),
        (r"/(?P<section>[a-z0-9-]+)/(?P<kind>rss|atom)\.xml", _feed),
        (r"/(?P<section>[a-z0-9-]+)/" + PAGE, _section),
        (r"/(?:[^/]*-)?(?P<number>\d{1,18})\.html", _article),
        (r"/(?:tag/[a-z0-9-]+|luu-tru/\d{4}/\d{2}|[a-z0-9-]+)", _with_slash),
        (r"/.*", _former),
    )
)


def find(path: str, query_string: str, query: Mapping[str, str], public_url: str) -> tuple[Surface, Asked]:
    """Return which surface answers for an address."""
    for pattern, surface in SURFACES:
        if found := pattern.fullmatch(path):
            return surface, Asked(path, query_string, found.groupdict(), query, public_url)
    return _former, Asked(path, query_string, {}, query, public_url)

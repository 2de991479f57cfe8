"""URLs → pages: every page, feed and sitemap of a portal, in one table.

Each handler reads its rows (`PageReader`) and returns a function that renders its document from them. The function is
pure, and is called only if what was read has changed since the document was rendered.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import msgspec

from services.render.builder.projections import CORRECTIONS_LIST, MEDIA_LIST, NOTICES_LIST
from services.render.pages import corrections, feeds, front_page, html, page_data, paths, saved_copy, sitemaps
from services.render.pages.dates import month_name
from services.render.pages.document import Document
from services.render.pages.saved_copy import saved_path
from services.render.pages.search_query import PAGE_RESULTS, RANKED_MAX, SearchRequest
from services.render.pages.structured_data import manifest
from services.render.pages.themes import theme_of
from services.render.site.page_reader import LIST_PAGE_SIZE, PageReader
from services.render.site.redirects_and_gone import NoPage, Redirect, find_old_url, redirect_or_gone
from services.render.site.search_reader import search as read_search
from shared.articles import Article, is_undated
from shared.front_page import FEATURED_MAX, home_size
from shared.site_structure import (
    AUTHOR_PATH_PREFIX,
    PAGE_PATH_PREFIX,
    Kind,
    StaticPage,
    author_path,
    page_path,
)
from shared.sites import Section

PAGES_MAX = 5_000
NUMBER_MAX = 2**53


Render = Callable[[], Document]
RouteResult = Render | Redirect | NoPage
RouteHandler = Callable[[PageReader, "PageRequest"], Awaitable[RouteResult]]


@dataclass(frozen=True)
class PageRequest:
    """A requested URL: its path, the named parts of the path, and the query."""

    path: str
    query_string: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    public_url: str

    @property
    def page(self) -> int:
        """The page of a list, from 1; 0 if it is invalid. It used to be in the query: those links still work."""
        return page_number({"trang": self.parts["page"]} if self.parts.get("page") else self.query)


def page_number(query: Mapping[str, str]) -> int:
    """Return which page of a list a query asks for, from 1; 0 if it is invalid."""
    text = query.get("trang", "1")
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) and int(text) <= PAGES_MAX else 0


async def _home(reader: PageReader, request: PageRequest) -> RouteResult:
    if request.query_string and isinstance(found := await _old_url(reader, request), Redirect):
        return found
    in_slots, breaking = await reader.front_page()
    featured = await reader.articles("featured", FEATURED_MAX)
    newest = await reader.articles("newest", home_size(len(in_slots))[0])
    above = front_page.above_sections(in_slots, featured, newest)
    below = front_page.BelowTheFold(
        await reader.by_section_without(above, front_page.SECTION_ARTICLES, front_page.SECTIONS_MAX),
        (await reader.listed(MEDIA_LIST, 1, front_page.MEDIA_MAX))[0],
        (await reader.listed(NOTICES_LIST, 1, front_page.NOTICES_MAX))[0],
    )
    page = front_page.compose(above, below, breaking)
    return partial(html.render_home, page, reader.site, request.public_url)


async def _list(
    reader: PageReader, request: PageRequest, info: page_data.ListInfo, name: str, *, may_be_empty: bool = False
) -> RouteResult:
    if request.page == 0:
        return NoPage()
    articles, has_more = await reader.listed(name, request.page)
    if not articles and not (may_be_empty and request.page == 1):
        return NoPage()
    reader.dependencies.append(info.title)
    page = page_data.ListPage(articles, request.page, has_more)
    return partial(html.render_list, info, page, reader.site, request.public_url)


async def _section(reader: PageReader, request: PageRequest) -> RouteResult:
    section = reader.site.section(request.parts["section"])
    if section is None:
        return await _old_url(reader, request)
    if section.slug != request.parts["section"]:
        return _moved(request, paths.section_path(section.slug))
    info = page_data.ListInfo(paths.section_path(section.slug), section.name, "section", section)
    return await _list(reader, request, info, f"section/{section.slug}", may_be_empty=True)


async def _tag(reader: PageReader, request: PageRequest) -> RouteResult:
    slug, index = request.parts["tag"], reader.site.structure
    name = f"tag/{slug}"
    if index is not None and index.current("tag", slug) != slug:
        return _moved(request, f"/tag/{index.current('tag', slug)}/")
    known = index.tags.get(slug) if index is not None else None
    names = [[known.name]] if known is not None else await reader.rows("list_name", name)
    is_in_menu = index is not None and slug in index.menu_tags
    if not names and not is_in_menu:
        return NoPage()
    info = page_data.ListInfo(f"/{name}/", str(names[0][0]) if names else slug, "tag")
    return await _list(reader, request, info, name, may_be_empty=is_in_menu)


async def _author(reader: PageReader, request: PageRequest) -> RouteResult:
    slug, index = request.parts["author"], reader.site.structure
    if index is None:
        return NoPage()
    current = index.current("author", slug)
    author = index.authors.get(current)
    if author is None:
        return await _old_url(reader, request)
    if current != slug:
        return _moved(request, author_path(current))
    info = page_data.ListInfo(author_path(slug), author.name, "author", author=author)
    return await _list(reader, request, info, f"author/{slug}", may_be_empty=True)


async def _author_feed(reader: PageReader, request: PageRequest) -> RouteResult:
    slug, index = request.parts["author"], reader.site.structure
    author = index.authors.get(index.current("author", slug)) if index is not None else None
    if author is None:
        return await _old_url(reader, request)
    if author.slug != slug:
        return Redirect(feeds.feed_path(author, request.parts["kind"]))
    articles, _ = await reader.listed(f"author/{slug}", 1, feeds.FEED_ARTICLES_MAX)
    return _feed_of(articles, author, reader, request)


async def _static_page(reader: PageReader, request: PageRequest) -> RouteResult:
    slug = request.parts["slug"]
    rows = await reader.rows("static_page", slug)
    if not rows:
        found = await _old_url(reader, request)
        is_gone = isinstance(found, NoPage) and await reader.rows("deleted_page", slug)
        return NoPage(410) if is_gone else found
    if rows[0][0] != slug:
        return Redirect(page_path(str(rows[0][0])))
    page = msgspec.json.decode(rows[0][1], type=StaticPage)
    return partial(html.render_static_page, page, await reader.inside(page.body), reader.site, request.public_url)


def _moved(request: PageRequest, path: str) -> Redirect:
    """Redirect a page of a list to the same page of the list that has its articles now."""
    return Redirect(paths.page_path(path, request.page or 1))


async def _month(reader: PageReader, request: PageRequest) -> RouteResult:
    year, month = int(request.parts["year"]), int(request.parts["month"])
    title = month_name(year, month, reader.site.language) if 1 <= month <= 12 and year else ""
    info = page_data.ListInfo(paths.month_path(year, month), title, "archive")
    return await _list(reader, request, info, f"month/{year:04d}-{month:02d}")


async def _archive(reader: PageReader, request: PageRequest) -> RouteResult:
    months = [(int(year), int(month), int(count)) for year, month, count in await reader.rows("months")]
    return partial(html.render_months, months, reader.site, request.public_url)


async def _site_map(reader: PageReader, request: PageRequest) -> RouteResult:
    by_section = await reader.by_section(LIST_PAGE_SIZE // 2)
    tags = await reader.tags(60)
    months = [(int(year), int(month), int(count)) for year, month, count in await reader.rows("months")]
    return partial(html.render_site_map, by_section, tags, months, reader.site, request.public_url)


async def _search(reader: PageReader, request: PageRequest) -> RouteResult:
    section = reader.site.section(request.query.get("chuyen-muc", ""))
    search = SearchRequest(
        query=request.query.get("q", "").strip()[:200],
        section=section.slug if section else "",
        since=_day(request.query.get("tu", "")),
        until=_day(request.query.get("den", "")),
        by_date=request.query.get("sap-xep") == "ngay",
        page=request.page or 1,
    )
    if not search.by_date and search.page * PAGE_RESULTS > RANKED_MAX * 2:
        return NoPage()
    result = await read_search(reader, search)
    reader.dependencies.append(result)
    return partial(html.render_search, search, result, reader.site, request.public_url)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 < day.year < 9000 else None


async def _feed(reader: PageReader, request: PageRequest) -> RouteResult:
    section: Section | None = None
    if "section" in request.parts:
        section = reader.site.section(request.parts["section"])
        if section is None:
            return await _old_url(reader, request)
        if section.slug != request.parts["section"]:
            return Redirect(feeds.feed_path(section, request.parts["kind"]))
        articles, _ = await reader.listed(f"section/{section.slug}", 1, feeds.FEED_ARTICLES_MAX)
    else:
        articles = await reader.articles("newest", feeds.FEED_ARTICLES_MAX)
    return _feed_of(articles, section, reader, request)


def _feed_of(articles: Sequence[Article], of: feeds.FeedOf, reader: PageReader, request: PageRequest) -> Render:
    dated = [one for one in articles if not is_undated(one)]  # others are no news
    feed = feeds.rss if request.parts["kind"] == "rss" else feeds.atom
    return partial(feed, dated, reader.site, of, request.public_url)


async def _corrections(reader: PageReader, request: PageRequest) -> RouteResult:
    if request.page == 0:
        return NoPage()
    articles, has_more = await reader.listed(CORRECTIONS_LIST, request.page)
    if not articles and request.page > 1:
        return NoPage()
    page = page_data.ListPage(articles, request.page, has_more)
    return partial(html.render_corrections, page, reader.site, request.public_url)


async def _corrections_feed(reader: PageReader, request: PageRequest) -> RouteResult:
    articles, _ = await reader.listed(CORRECTIONS_LIST, 1, corrections.FEED_ARTICLES_MAX)
    feed = corrections.rss if request.parts["kind"] == "rss" else corrections.atom
    return partial(feed, articles, reader.site, request.public_url)


async def _sitemap(reader: PageReader, request: PageRequest) -> RouteResult:
    parts = [(int(part), changed_at) for part, changed_at in await reader.rows("sitemap_parts", sitemaps.PART_NUMBERS)]
    return partial(sitemaps.index, parts, reader.site, request.public_url)


async def _sitemap_part(reader: PageReader, request: PageRequest) -> RouteResult:
    part = int(request.parts["part"])
    begin = (part - 1) * sitemaps.PART_NUMBERS
    if not 0 <= begin < NUMBER_MAX:
        return NoPage()
    found = await reader.rows("sitemap_part", begin, begin + sitemaps.PART_NUMBERS)
    rows = [(str(path), at, picture) for path, at, picture in found]
    return partial(sitemaps.urls, rows, reader.site, request.public_url) if rows else NoPage()


async def _sitemap_pages(reader: PageReader, request: PageRequest) -> RouteResult:
    months = await reader.rows("months")
    tags = await reader.tags(40_000)
    found = [
        "/",
        "/so-do-site",
        "/luu-tru/",
        paths.CORRECTIONS_PATH,
        *(paths.section_path(one.slug) for one in reader.site.sections),
    ]
    found += [paths.tag_path(name) for name, _ in tags]
    if reader.site.structure is not None:
        found += [page_path(one.slug) for one in reader.site.structure.pages.values()]
        found += [author_path(slug) for slug in reader.site.structure.authors]
    found += [paths.month_path(int(year), int(month)) for year, month, _ in months]
    return partial(sitemaps.urls, [(path, None, None) for path in found], reader.site, request.public_url)


async def _news_sitemap(reader: PageReader, request: PageRequest) -> RouteResult:
    articles = await reader.articles("news", sitemaps.NEWS_AGE, sitemaps.NEWS_ARTICLES_MAX)
    ends = [one.published_at + sitemaps.NEWS_AGE for one in articles if one.published_at]
    reader.expires_at = min([reader.expires_at, *ends])
    return partial(sitemaps.news, articles, reader.site, request.public_url)


async def _robots(reader: PageReader, request: PageRequest) -> RouteResult:
    return partial(sitemaps.robots, request.public_url)


SAVED = re.compile(saved_copy.PATH_PREFIX + r"(?:[^/]*-)?(\d{1,18})\.html", re.ASCII)
_PAGE_OF_A_LIST = re.compile(r"/trang-\d+\.html")
"""The address of a page of a list, without the list: its number is no article's, unless that has just this path."""


async def _manifest(reader: PageReader, request: PageRequest) -> RouteResult:
    return partial(manifest, reader.site, theme_of(reader.site))


async def _article(reader: PageReader, request: PageRequest) -> RouteResult:
    number = min(int(request.parts["number"]), NUMBER_MAX + 1)
    row = await reader.article_row(number)
    if row is None or row["path"] != request.path:
        found = await _old_url(reader, request)
        if isinstance(found, Redirect) or row is None or _PAGE_OF_A_LIST.fullmatch(request.path):
            return found
        return redirect_or_gone(row["path"], row["state"], is_public=row["is_public"])
    if not row["is_public"]:
        return redirect_or_gone(row["path"], row["state"], is_public=False)
    article = reader.track([row])[0]
    related = await reader.related_articles(article)
    return partial(html.render_article, article, related, reader.site, request.public_url)


async def saved_article(reader: PageReader, path: str) -> tuple[Article, Document] | Redirect | NoPage:
    """Return the article of the path of a copy, and the copy without its pictures."""
    found = SAVED.fullmatch(path)
    row = await reader.article_row(min(int(found[1]), NUMBER_MAX + 1)) if found else None
    if row is None:
        return await find_old_url(reader, path, "")
    if not row["is_public"]:
        return redirect_or_gone(row["path"], row["state"], is_public=False)
    article = reader.track([row])[0]
    if not article.allow_print:
        return NoPage()
    if saved_path(article) != path:
        return Redirect(saved_path(article))
    return article, html.render_saved(article, await reader.inside(article.body), reader.site, reader.site.url)


async def _old_url(reader: PageReader, request: PageRequest) -> RouteResult:
    return await find_old_url(reader, request.path, request.query_string)


async def _add_slash(reader: PageReader, request: PageRequest) -> RouteResult:
    name = request.path[1:]
    if section := reader.site.section(name):
        return Redirect(paths.section_path(section.slug))
    for kind, root in _LISTS_WITH_ALIASES.items():
        if name.startswith(root):
            slug, index = name.removeprefix(root), reader.site.structure
            return Redirect(f"/{root}{slug if index is None else index.current(kind, slug)}/")
    is_list = name == "luu-tru" or name.startswith("luu-tru/")
    return Redirect(f"{request.path}/") if is_list else await _old_url(reader, request)


_LISTS_WITH_ALIASES: Mapping[Kind, str] = {"tag": "tag/", "author": AUTHOR_PATH_PREFIX[1:]}


PAGE = r"(?:trang-(?P<page>[2-9]|[1-9]\d{1,3})\.html)?"

ROUTES: tuple[tuple[re.Pattern[str], RouteHandler], ...] = tuple(
    (re.compile(pattern, re.ASCII), handler)
    for pattern, handler in (
        (r"/", _home),
        (r"/(?P<kind>rss|atom)\.xml", _feed),
        (r"/sitemap\.xml", _sitemap),
        (r"/sitemap-pages\.xml", _sitemap_pages),
        (r"/sitemap-articles-(?P<part>\d{1,12})\.xml", _sitemap_part),
        (r"/news-sitemap\.xml", _news_sitemap),
        (r"/robots\.txt", _robots),
        (r"/manifest\.json", _manifest),
        (r"/so-do-site", _site_map),
        (r"/tim-kiem", _search),
        (r"/luu-tru/", _archive),
        (paths.CORRECTIONS_PATH + PAGE, _corrections),
        (paths.CORRECTIONS_PATH + r"(?P<kind>rss|atom)\.xml", _corrections_feed),
        (r"/luu-tru/(?P<year>\d{4})/(?P<month>\d{2})/" + PAGE, _month),
        (r"/tag/(?P<tag>[a-z0-9-]+)/" + PAGE, _tag),
        (AUTHOR_PATH_PREFIX + r"(?P<author>[a-z0-9-]+)/" + PAGE, _author),
        (AUTHOR_PATH_PREFIX + r"(?P<author>[a-z0-9-]+)/(?P<kind>rss|atom)\.xml", _author_feed),
        (PAGE_PATH_PREFIX + r"(?P<slug>[a-z0-9-]+)\.html", _static_page),
        (r"/(?P<section>[a-z0-9-]+)/(?P<kind>rss|atom)\.xml", _feed),
        (r"/(?P<section>[a-z0-9-]+)/" + PAGE, _section),
        (r"/(?:[^/]*-)?(?P<number>\d{1,18})\.html", _article),
        (r"/(?:(?:tag|tac-gia)/[a-z0-9-]+|luu-tru/(?:\d{4}/\d{2}|dinh-chinh)|[a-z0-9-]+)", _add_slash),
        (r"/.*", _old_url),
    )
)


def match_route(
    path: str, query_string: str, query: Mapping[str, str], public_url: str
) -> tuple[RouteHandler, PageRequest]:
    """Return the handler of a URL, and the request for it."""
    for pattern, handler in ROUTES:
        if found := pattern.fullmatch(path):
            return handler, PageRequest(path, query_string, found.groupdict(), query, public_url)
    return _old_url, PageRequest(path, query_string, {}, query, public_url)

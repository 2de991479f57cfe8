"""All pages of a site in bulk: the same as the portal serves, with fewer queries."""

from typing import Any

import pytest

from services.render.crawl import all_pages
from services.render.crawl.all_pages import BulkPageReader, RenderFailure, SiteUrls, render_all, render_url, site_urls
from services.render.crawl.site_check import offered_files
from services.render.pages.document import Document
from services.render.queries import GENERATIONS
from services.render.site.page_reader import LIST_PAGE_SIZE, PageReader
from services.render.site.redirects_and_gone import NoPage, Redirect
from shared.articles import Paragraph, Related
from tests.render.conftest import SITE, URL


async def test_site_urls_and_render_all_match_the_portal(portal: Any) -> None:
    """Every URL of a site is rendered once, with the bytes that the portal serves."""
    for number in range(1, LIST_PAGE_SIZE + 3):
        await portal.add(number, tags=["Chợ Cồn"] if number < 3 else [])
    async with portal.pool.acquire() as connection:
        reader = BulkPageReader(connection, SITE, GENERATIONS["render"])
        urls = await site_urls(reader)
        assert urls.articles[1] == "/bai-so-1-1.html"
        assert {"/", "/tin-tuc/", "/tin-tuc/trang-2.html", "/tag/cho-con/", "/sitemap.xml", "/rss.xml"} <= urls.all
        assert len(urls.articles) + len(urls.others) == len(urls.all)
        found = {url: page async for url, page in render_all(reader, urls, URL)}
    assert found.keys() == urls.all
    assert (reader.prefetched_rows, reader.prefetched_related) == ({}, {})
    for url, page in found.items():
        assert isinstance(page, Document), url
        if url != "/tim-kiem":
            assert (await portal.get(url)).body == page.body, url


async def test_pages_that_query_while_the_next_batch_is_read_match_the_portal(
    portal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cards of articles, and what a caller asks between two pages, are queried on the connection of the prefetch."""
    monkeypatch.setattr(all_pages, "BATCH_ARTICLES", 5)
    for number in range(1, 13):
        other = number % 12 + 1
        await portal.add(number, body=[Paragraph("Xem thêm"), Related(f"a-{other}", other)])
    found = {}
    async with portal.pool.acquire() as connection:
        reader = BulkPageReader(connection, SITE, GENERATIONS["render"])
        async for url, page in render_all(reader, await site_urls(reader), URL):
            found[url] = page
            assert await offered_files(reader, [f"/tep/{'a' * 32}/a.pdf"]) == set()
    for url, page in found.items():
        assert isinstance(page, Document), (url, page)
        if url != "/tim-kiem":
            assert (await portal.get(url)).body == page.body, url


@pytest.mark.parametrize("rows", [1, 3, 25, 5_000])
async def test_lists_that_are_read_together_are_those_of_the_portal(
    portal: Any, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """However many rows are read at once, each list is whole and has the name that the portal shows."""
    monkeypatch.setattr(all_pages, "LIST_ROWS", rows)
    for number in range(1, LIST_PAGE_SIZE + 4):
        await portal.add(number, tags=["Chợ Cồn"] * (number < 3) + ["Lúa", "Muối"][: number % 3])
    wanted = ["/tag/cho-con/", "/tag/lua/", "/tag/muoi/", "/tin-tuc/", "/tin-tuc/trang-2.html", "/tag/lua/"]
    async with portal.pool.acquire() as connection:
        reader = BulkPageReader(connection, SITE, GENERATIONS["render"])
        pages = {url: await render_url(reader, url, URL) for url in wanted}
        assert isinstance(await render_url(reader, "/tag/khong-co/", URL), NoPage)
    for url, page in pages.items():
        assert isinstance(page, Document), url
        assert (await portal.get(url)).body == page.body, url


async def test_render_url_of_other_urls_gives_redirect_not_found_or_failure(
    portal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong slug redirects, an unknown path has no page, and one page that fails is a failure with its reason."""
    await portal.add(1)
    async with portal.pool.acquire() as connection:
        reader = PageReader(connection, SITE, GENERATIONS["render"])
        assert isinstance(await render_url(reader, "/khac-1.html", URL), Redirect)
        assert isinstance(await render_url(reader, "/khac-9.html", URL), NoPage)
        broken = BulkPageReader(connection, SITE, GENERATIONS["render"])
        monkeypatch.setattr(broken, "decode", lambda _: 1 / 0)
        result = await render_url(broken, "/bai-so-1-1.html", URL)
        assert isinstance(result, RenderFailure)
        assert "ZeroDivisionError" in result.reason


async def test_render_all_of_an_empty_site_has_lists_only(portal: Any) -> None:
    """A site without articles has its lists, feeds and sitemaps."""
    async with portal.pool.acquire() as connection:
        reader = BulkPageReader(connection, SITE, GENERATIONS["render"])
        urls = await site_urls(reader)
        assert urls.articles == {}
        pages = [page async for _, page in render_all(reader, SiteUrls({}, urls.others), URL)]
    assert all(isinstance(page, Document) for page in pages)

"""Every page of a site, rendered in bulk, with the links that lead nowhere."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from services.render.crawl.all_pages import BulkPageReader, render_all, site_urls
from services.render.crawl.site_check import check_site, print_findings
from services.render.pages.document import Document
from services.render.queries import SQL
from shared.articles import Paragraph, Seo

URL = "https://haihau.example"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the render service."""
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    yield connection
    await connection.close()


async def test_render_all_gives_the_bytes_that_the_site_serves(portal: Any, connection: Any) -> None:
    """Bulk reading renders each URL of the site as a request does, with all related articles."""
    for number in range(1, 26):
        await portal.add(number, tags=["chợ", f"số {number % 3}"])
    reader = BulkPageReader(connection, portal.site, SQL)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        urls = await site_urls(reader)
        pages = {url: result async for url, result in render_all(reader, urls, URL)}
    assert pages.keys() == urls.all
    assert {"/bai-so-1-1.html", "/tin-tuc/trang-2.html", "/tag/cho/", "/atom.xml", "/sitemap.xml"} <= pages.keys()
    for url, result in pages.items():
        assert isinstance(result, Document), (url, result)
        assert result.body == (await portal.get(url)).body, url


async def test_check_site_tells_editors_links_from_the_portals(
    portal: Any, connection: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken link in a text is for its editors; an old URL is a redirect; nothing else is wrong."""
    await portal.add(1, slug="cu")
    text = 'Xem <a href="/khong-co.html">đây</a> và <a href="/ten-cu-1.html">kia</a>.'
    await portal.add(2, body=[Paragraph(text)])
    report = await check_site(connection, "render", portal.site, URL)
    assert report.editors_broken == {"/khong-co.html": "/bai-so-2-2.html"}
    assert report.redirects == {"/ten-cu-1.html": "/cu-1.html"}
    assert (report.broken, report.failed) == ({}, {})
    assert report.checksums["/cu-1.html"]
    print_findings("broken links", report.editors_broken)
    print_findings("nothing", [])
    assert capsys.readouterr().out == "broken links: 1: /khong-co.html (/bai-so-2-2.html)\n"


async def test_check_site_of_articles_that_are_not_to_be_indexed_fails_nothing(portal: Any, connection: Any) -> None:
    """A site without an article for search engines has no part of a sitemap that could fail."""
    await portal.add(1, seo=Seo(noindex=True))
    report = await check_site(connection, "render", portal.site, URL)
    assert (report.broken, report.failed) == ({}, {})

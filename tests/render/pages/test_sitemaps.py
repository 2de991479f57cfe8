"""Sitemaps and robots.txt, checked by their schemas and by parsers that others keep."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree as ET

from lxml import etree

from shared.articles import Author, Figure, Image, Paragraph, Seo, Source
from shared.sites import Section, Site
from tests.leads import leads

URL = "https://haihau.example"
NAMES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "n": "http://www.google.com/schemas/sitemap-news/0.9"}
NAMES["i"] = "http://www.google.com/schemas/sitemap-image/1.1"
SCHEMAS = Path(__file__).parent.parent.parent / "data/schemas"
SITE = Site(
    slug="haihau", name="Hải Hậu", origins=[URL], timezone="Asia/Ho_Chi_Minh", sections=[Section("tin-tuc", "Tin")]
)


async def rich(portal: Any) -> Any:
    return await portal.add(
        5,
        title='Chợ "Cồn" <mở> & lại',
        authors=[Author("Trần Nam")],
        tags=["chợ phiên", "Cồn & Đông"],
        source=Source("Báo Nam Định", url="https://nguon.example/a?b=1&c=2"),
        lead_image=Figure("Chợ", Image("/media/a.jpg", "Quang cảnh chợ", 1600, 900, bytes=123_456)),
        body=[Paragraph("Đoạn <em>một</em>.")],
    )


async def test_sitemaps_have_every_page(portal: Any) -> None:
    """The index leads to parts by public number; each address is there once, answers 200, and says when it changed."""
    await rich(portal)
    await portal.add(10_001)
    index = ET.fromstring((await portal.get("/sitemap.xml")).body)
    parts = [found.text or "" for found in index.findall("s:sitemap/s:loc", NAMES)]
    assert parts == [f"{URL}/sitemap-{part}.xml" for part in ("pages", "articles-1", "articles-2")]
    addresses = []
    for part in parts:
        root = ET.fromstring((await portal.get(part.removeprefix(URL))).body)
        addresses += [found.text or "" for found in root.findall("s:url/s:loc", NAMES)]
    assert len(addresses) == len(set(addresses)) > 8
    for address in addresses:
        assert (await portal.get(address.removeprefix(URL))).status == 200, address
    dates = [found.text or "" for found in index.findall("s:sitemap/s:lastmod", NAMES)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+07:00", date) for date in dates)


async def test_sitemaps_are_valid_by_their_schemas(portal: Any) -> None:
    """Index, parts and news are valid by the protocol's rules, with pictures and news, and without any article."""
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "sitemap.xsd"))

    async def check(path: str) -> Any:
        root = etree.fromstring((await portal.get(path)).body)
        assert schema.validate(root), (path, schema.error_log)
        return root

    for path in ("/sitemap.xml", "/sitemap-pages.xml", "/news-sitemap.xml"):
        await check(path)
    await rich(portal)
    await portal.add(6, published_at=datetime.now(UTC), title="Một  tựa &amp; <đề>")
    for path in ("/sitemap.xml", "/sitemap-pages.xml", "/sitemap-articles-1.xml", "/news-sitemap.xml"):
        await check(path)
    root = await check("/sitemap-articles-1.xml")
    assert [found.text for found in root.findall(".//i:image/i:loc", NAMES)] == [f"{URL}/media/a.jpg"]
    assert len((await check("/news-sitemap.xml")).findall(".//n:news", NAMES)) == 2
    root[0][0].text = "/not-absolute"
    assert not schema.validate(root)


async def test_sitemaps_leave_out_what_search_engines_must_not_show(portal: Any) -> None:
    """Articles that search engines must not show, or that are canonical elsewhere, are in none, nor is their part."""
    await portal.add(1, seo=Seo(noindex=True), published_at=datetime.now(UTC))
    await portal.add(2, seo=Seo(canonical="https://nguon.example/a"), published_at=datetime.now(UTC))
    parts = ET.fromstring((await portal.get("/sitemap.xml")).body).findall("s:sitemap/s:loc", NAMES)
    assert [found.text for found in parts] == [f"{URL}/sitemap-pages.xml"]
    assert ET.fromstring((await portal.get("/news-sitemap.xml")).body).findall("s:url", NAMES) == []
    await portal.add(3, published_at=datetime.now(UTC))
    for path in ("/sitemap-articles-1.xml", "/news-sitemap.xml"):
        found = ET.fromstring((await portal.get(path)).body).findall("s:url/s:loc", NAMES)
        assert [one.text for one in found] == [f"{URL}/bai-so-3-3.html"], path


async def test_news_sitemap_drops_articles_older_than_two_days(portal: Any) -> None:
    """What is older than two days is not in it, though nothing was written since."""
    now = datetime.now(UTC)
    two_days = timedelta(days=2)
    await portal.add(1, published_at=now - two_days - timedelta(minutes=1))
    await portal.add(3, published_at=now)

    async def names() -> list[str]:
        root = ET.fromstring((await portal.get("/news-sitemap.xml")).body)
        assert all(found.text == "vi" for found in root.findall(".//n:language", NAMES))
        return [found.text or "" for found in root.findall("s:url/n:news/n:title", NAMES)]

    for version, lead in enumerate(leads(1.5), 1):
        end = datetime.now(UTC) + lead
        await portal.add(2, version=version, published_at=end - two_days)
        before = await names()
        if datetime.now(UTC) < end:
            break
    assert before == ["Bài số 3", "Bài số 2"]
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.1)
    assert await names() == ["Bài số 3"]


async def test_robots_txt_allows_all_but_the_api(portal: Any) -> None:
    """Articles, lists and feeds may be read, searches too, which say that they are not to be indexed."""
    text = (await portal.get("/robots.txt")).text
    robots = RobotFileParser()
    robots.parse(text.splitlines())
    assert robots.can_fetch("Googlebot", f"{URL}/bai-so-5-5.html")
    assert robots.can_fetch("Googlebot", f"{URL}/tim-kiem?q=x")
    assert '<meta name="robots" content="noindex">' in (await portal.get("/tim-kiem?q=x")).text
    assert not robots.can_fetch("Googlebot", f"{URL}/api/articles")
    assert robots.site_maps() == [f"{URL}/sitemap.xml", f"{URL}/news-sitemap.xml"]


async def test_lastmod_is_the_date_of_the_text(portal: Any) -> None:
    """A later change that nobody reads moves neither the date of the URL nor that of its part."""
    text = datetime(2026, 3, 4, 1, tzinfo=UTC)
    await portal.add(5, modified_at=text + timedelta(days=9), text_updated_at=text)
    for path, entry in (("/sitemap.xml", "s:sitemap"), ("/sitemap-articles-1.xml", "s:url")):
        root = ET.fromstring((await portal.get(path)).body)
        dates = {found.text for found in root.findall(f"{entry}/s:lastmod", NAMES)}
        assert dates == {"2026-03-04T08:00:00+07:00"}

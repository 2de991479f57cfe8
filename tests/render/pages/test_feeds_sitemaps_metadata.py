"""Feeds, sitemaps and metadata, read by parsers that others keep."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree as ET

import extruct
import feedparser
import msgspec
import pytest
from lxml import etree

from services.render.site.portal import Portal
from shared.articles import Author, Figure, Image, Paragraph, Source
from shared.sites import Section, Site, Sites

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


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml", "/tin-tuc/rss.xml", "/tin-tuc/atom.xml"])
async def test_feeds_have_ids_links_dates_and_authors(portal: Any, path: str) -> None:
    """A feed reader finds title, absolute links, permanent ids, dates, authors and summaries; text stays text."""
    article = await rich(portal)
    await portal.add(4)
    got = await portal.get(path)
    feed = feedparser.parse(got.body)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == ("rss20" if "rss" in path else "atom10")
    assert [link.href for link in feed.feed.links if link.rel == "self"] == [URL + path]
    first, second = feed.entries
    assert first.title.replace("&quot;", '"').replace("&lt;", "<").replace("&amp;", "&") == article.title
    assert first.link == f"{URL}/bai-so-5-5.html"
    assert first.id == "tag:haihau.example,2026:article/a-5"
    assert first.summary == "Phần dẫn của bài 5."
    assert datetime(*first.published_parsed[:6], tzinfo=UTC) == article.published_at.replace(microsecond=0)
    assert first.author == "Trần Nam"
    assert [tag.term for tag in first.tags] == ["Tin tức", "chợ phiên", "Cồn & Đông"]
    (enclosed,) = first.enclosures
    assert (enclosed.href, enclosed.length, enclosed.type) == (f"{URL}/media/a.jpg", "123456", "image/jpeg")
    assert all(link.href.startswith(URL) for link in (*feed.feed.links, *first.links))
    assert second.id == "tag:haihau.example,2026:article/a-4"
    await portal.change(5, slug="ten-khac", title="Tên khác")
    again = feedparser.parse((await portal.get(path)).body).entries[0]
    assert (again.id, again.link) == (first.id, f"{URL}/ten-khac-5.html")


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml", "/tin-tuc/rss.xml"])
async def test_feeds_have_the_sites_websub_hub(portal: Any, path: str) -> None:
    """With a WebSub hub in the site's settings each feed names it and itself once; without one, none."""
    feed = feedparser.parse((await portal.get(path)).body)
    assert [link for link in feed.feed.links if link.rel == "hub"] == []
    site = msgspec.structs.replace(SITE, hub="https://hub.example/")
    portal.portal = Portal(portal.pools, Sites(haihau=site), URL, 1024)
    feed = feedparser.parse((await portal.get(path)).body)
    told = {rel: [link.href for link in feed.feed.links if link.rel == rel] for rel in ("hub", "self")}
    assert told == {"hub": ["https://hub.example/"], "self": [URL + path]}


async def test_feeds_of_an_empty_portal_are_valid(portal: Any) -> None:
    """A portal without articles has valid feeds, sitemaps and lists."""
    for path in ("/rss.xml", "/atom.xml"):
        assert not feedparser.parse((await portal.get(path)).body).bozo
    for path in ("/", "/tin-tuc/", "/sitemap.xml", "/sitemap-pages.xml", "/news-sitemap.xml", "/so-do-site"):
        assert (await portal.get(path)).status == 200, path


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


async def test_news_sitemap_drops_articles_older_than_two_days(portal: Any) -> None:
    """What is older than two days is not in it, though nothing was written since."""
    now = datetime.now(UTC)
    two_days = timedelta(days=2)
    await portal.add(1, published_at=now - two_days - timedelta(minutes=1))
    await portal.add(2, published_at=now - two_days + timedelta(seconds=1.5))
    await portal.add(3, published_at=now)

    async def names() -> list[str]:
        root = ET.fromstring((await portal.get("/news-sitemap.xml")).body)
        assert all(found.text == "vi" for found in root.findall(".//n:language", NAMES))
        return [found.text or "" for found in root.findall("s:url/n:news/n:title", NAMES)]

    assert await names() == ["Bài số 3", "Bài số 2"]
    await asyncio.sleep((now + timedelta(seconds=1.6) - datetime.now(UTC)).total_seconds())
    assert await names() == ["Bài số 3"]


async def test_article_metadata_is_parsed_by_others(portal: Any) -> None:
    """Parsers find NewsArticle, breadcrumbs, OpenGraph and Dublin Core, whole, absolute and in the site's zone."""
    article = await rich(portal)
    page = (await portal.get("/bai-so-5-5.html")).text
    found = extruct.extract(page, base_url=f"{URL}/bai-so-5-5.html", uniform=True)
    news, way = found["json-ld"]
    assert news["@type"] == "NewsArticle"
    assert news["headline"] == article.title
    assert news["url"] == news["mainEntityOfPage"] == f"{URL}/bai-so-5-5.html"
    assert news["image"][0]["url"] == f"{URL}/media/a.jpg"
    assert news["datePublished"].endswith("+07:00")
    assert datetime.fromisoformat(news["datePublished"]) == article.published_at.replace(microsecond=0)
    assert news["author"][0]["name"] == "Trần Nam"
    required = (
        "@context",
        "headline",
        "image",
        "datePublished",
        "dateModified",
        "author",
        "publisher",
        "articleSection",
    )
    assert all(news.get(name) for name in (*required, "mainEntityOfPage", "inLanguage", "description"))
    assert all(one["width"] and one["height"] and one["url"].startswith(URL) for one in news["image"])
    assert news["publisher"]["name"] == "UBND huyện Hải Hậu"
    assert [one["name"] for one in way["itemListElement"]] == ["Trang chủ", "Tin tức", article.title]
    graph = found["opengraph"][0]
    assert graph["og:title"] == article.title
    assert graph["og:url"] == f"{URL}/bai-so-5-5.html"
    assert graph["og:image"] == f"{URL}/media/a.jpg"
    assert graph["og:locale"] == "vi_VN"
    core = {one["name"]: one["content"] for one in found["dublincore"][0]["elements"]}
    assert core["DC.title"] == article.title
    assert core["DC.source"] == "Báo Nam Định"


async def test_robots_txt_allows_all_but_searches(portal: Any) -> None:
    """robots.txt lets articles, lists and feeds be read, and names both sitemaps."""
    text = (await portal.get("/robots.txt")).text
    robots = RobotFileParser()
    robots.parse(text.splitlines())
    assert robots.can_fetch("Googlebot", f"{URL}/bai-so-5-5.html")
    assert not robots.can_fetch("Googlebot", f"{URL}/tim-kiem?q=x")
    assert robots.site_maps() == [f"{URL}/sitemap.xml", f"{URL}/news-sitemap.xml"]

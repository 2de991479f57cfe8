"""RSS and Atom, read by a parser that others keep."""

from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import feedparser
import msgspec
import pytest

from services.render.site.portal import Portal
from shared.articles import Author, Figure, File, Image, Paragraph, Source
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


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml"])
@pytest.mark.parametrize("title", ["Dùng thẻ <br> thế nào", "Viết &amp; hay &#38;", "AT&T: 5 < 7", "Họp & báo"])
async def test_feeds_keep_markup_in_titles_as_text(portal: Any, path: str, title: str) -> None:
    """A title about markup arrives as it is, though readers take titles and summaries of RSS for HTML."""
    await portal.add(5, title=title, lead=title)
    (entry,) = feedparser.parse((await portal.get(path)).body).entries
    assert (unescape(entry.title), unescape(entry.summary)) == (title, title)


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml", "/tin-tuc/rss.xml"])
async def test_feeds_have_no_undated_articles(portal: Any, path: str) -> None:
    """An old page without a date is no news: it is in no feed, however new it is here."""
    await portal.add(4)
    await portal.add(5, published_at=None, date_precision="unknown")
    assert [one.id for one in feedparser.parse((await portal.get(path)).body).entries] == [
        "tag:haihau.example,2026:article/a-4"
    ]


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
    assert unescape(first.title) == article.title
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
    portal.portal = Portal(portal.pools, Sites(haihau=site), 1024)
    feed = feedparser.parse((await portal.get(path)).body)
    told = {rel: [link.href for link in feed.feed.links if link.rel == rel] for rel in ("hub", "self")}
    assert told == {"hub": ["https://hub.example/"], "self": [URL + path]}
    hubs = ["https://a.example/", "https://b.example/"]
    portal.portal = Portal(portal.pools, Sites(haihau=msgspec.structs.replace(SITE, hub=hubs)), 1024)
    feed = feedparser.parse((await portal.get(path)).body)
    assert [link.href for link in feed.feed.links if link.rel == "hub"] == hubs


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml", "/tin-tuc/rss.xml", "/luu-tru/dinh-chinh/atom.xml"])
async def test_feeds_name_hubs_and_themselves_in_a_header(portal: Any, path: str) -> None:
    """Subscribers that only send HEAD find the hubs of a feed, in ASCII, and so does one who has the feed already."""
    assert "link" not in (await portal.get(path)).headers
    site = msgspec.structs.replace(SITE, hub=["https://trạm.example/a%20b", "http://b.example:8080"])
    portal.portal = Portal(portal.pools, Sites(haihau=site), 1024)
    hubs = ["https://xn--trm-tgz.example/a%20b", "http://b.example:8080/"]
    expected = ", ".join([*(f'<{hub}>; rel="hub"' for hub in hubs), f'<{URL}{path}>; rel="self"'])
    first = await portal.get(path)
    again = await portal.get(path, if_none_match=first.headers["etag"])
    head = await portal.request("HEAD", path)
    assert [got.headers.get("link") for got in (first, again, head)] == [expected] * 3
    assert "link" not in (await portal.get("/")).headers


async def test_feeds_of_an_empty_portal_are_valid(portal: Any) -> None:
    """A portal without articles has valid feeds, sitemaps and lists."""
    for path in ("/rss.xml", "/atom.xml"):
        assert not feedparser.parse((await portal.get(path)).body).bozo
    for path in ("/", "/tin-tuc/", "/sitemap.xml", "/sitemap-pages.xml", "/news-sitemap.xml", "/so-do-site"):
        assert (await portal.get(path)).status == 200, path


async def test_feeds_have_documents_as_enclosures(portal: Any) -> None:
    """RSS has one enclosure, a document where the article has no image; Atom has all."""
    file = File("/tep/x/a.pdf", "Nghị quyết", "x", 1_234, "application/pdf")
    await portal.add(1, body=[file])
    await portal.add(2, body=[file], lead_image=Figure("Chợ", Image("/media/a.jpg", "Chợ", 1600, 900, bytes=5)))
    for path, expected in (
        ("/rss.xml", [["image/jpeg"], ["application/pdf"]]),
        ("/atom.xml", [["image/jpeg", "application/pdf"], ["application/pdf"]]),
    ):
        entries = feedparser.parse((await portal.get(path)).body).entries
        assert [[one.type for one in entry.enclosures] for entry in entries] == expected, path
    last = entries[1].enclosures[0]
    assert (last.href, last.length, last.title) == (f"{URL}/tep/x/a.pdf", "1234", "Nghị quyết")

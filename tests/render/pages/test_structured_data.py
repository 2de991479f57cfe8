"""The breadcrumbs of an article's page, and its metadata as parsers that others keep read them."""

from datetime import datetime
from typing import Any

import extruct

from services.render.pages.structured_data import breadcrumbs
from services.render.pages.theme_check import sample_article
from shared.articles import Author, Figure, Image, Paragraph, Source
from shared.sites import Section, Site

URL = "https://x.example"
SITE = Site(slug="x", name="X", origins=[URL], timezone="UTC", sections=[Section("tin-tuc", "Tin tức")])


def test_breadcrumbs_lead_from_home_over_the_section_to_the_article() -> None:
    """Positions count from 1, and each step has its absolute URL."""
    steps = breadcrumbs(sample_article("tin-tuc"), SITE, URL, "Trang chủ")["itemListElement"]
    assert [(step["position"], step["name"], step["item"]) for step in steps] == [
        (1, "Trang chủ", f"{URL}/"),
        (2, "Tin tức", f"{URL}/tin-tuc/"),
        (3, "Đổi mới", f"{URL}/doi-moi-1.html"),
    ]


def test_breadcrumbs_without_a_known_section_have_two_steps() -> None:
    """A section that the site no longer has is left out."""
    steps = breadcrumbs(sample_article("gone"), SITE, URL, "Home")["itemListElement"]
    assert [step["position"] for step in steps] == [1, 2]


PORTAL_URL = "https://haihau.example"


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


async def test_article_metadata_is_parsed_by_others(portal: Any) -> None:
    """Parsers find NewsArticle, breadcrumbs, OpenGraph and Dublin Core, whole, absolute and in the site's zone."""
    article = await rich(portal)
    page = (await portal.get("/bai-so-5-5.html")).text
    found = extruct.extract(page, base_url=f"{PORTAL_URL}/bai-so-5-5.html", uniform=True)
    news, way = found["json-ld"]
    assert news["@type"] == "NewsArticle"
    assert news["headline"] == article.title
    assert news["url"] == news["mainEntityOfPage"] == f"{PORTAL_URL}/bai-so-5-5.html"
    assert news["image"][0]["url"] == f"{PORTAL_URL}/media/a.jpg"
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
    assert all(one["width"] and one["height"] and one["url"].startswith(PORTAL_URL) for one in news["image"])
    assert news["publisher"]["name"] == "UBND huyện Hải Hậu"
    assert [one["name"] for one in way["itemListElement"]] == ["Trang chủ", "Tin tức", article.title]
    graph = found["opengraph"][0]
    assert graph["og:title"] == article.title
    assert graph["og:url"] == f"{PORTAL_URL}/bai-so-5-5.html"
    assert graph["og:image"] == f"{PORTAL_URL}/media/a.jpg"
    assert graph["og:locale"] == "vi_VN"
    core = {one["name"]: one["content"] for one in found["dublincore"][0]["elements"]}
    assert core["DC.title"] == article.title
    assert core["DC.source"] == "Báo Nam Định"

"""The breadcrumbs of an article's page, and its metadata as parsers that others keep read them."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import extruct
import lxml.html
import msgspec

from services.render.pages.html import render_static_page
from services.render.pages.structured_data import breadcrumbs, first_language
from services.render.pages.theme_check import sample_article
from shared.articles import Author, Figure, Heading, Image, Paragraph, Seo, Source
from shared.site_structure import StaticPage
from shared.sites import Section, Site

URL = "https://x.example"
SITE = Site(slug="x", name="X", origins=[URL], timezone="UTC", sections=[Section("tin-tuc", "Tin tức")])


def test_breadcrumbs_lead_from_home_over_the_section_to_the_article() -> None:
    """Positions count from 1, and each step has its absolute URL."""
    steps = breadcrumbs([("Tin tức", "/tin-tuc/"), ("Đổi mới", "/doi-moi-1.html")], SITE, URL)["itemListElement"]
    assert [(step["position"], step["name"], step["item"]) for step in steps] == [
        (1, "Trang chủ", f"{URL}/"),
        (2, "Tin tức", f"{URL}/tin-tuc/"),
        (3, "Đổi mới", f"{URL}/doi-moi-1.html"),
    ]


def test_default_language_of_translations_is_that_of_the_site() -> None:
    """Else it is the original's; the order of the versions does not matter."""
    original = sample_article("tin-tuc")
    french = msgspec.structs.replace(original, id="fr", language="fr", translation_of="proof")
    own = msgspec.structs.replace(original, id="vi", language="vi", translation_of="proof")
    assert first_language([french, original, own], SITE) is own
    assert first_language([french, original], SITE) is original
    assert first_language([french], SITE) is french


async def test_pages_name_publisher_search_way_card_and_manifest(portal: Any) -> None:
    """Every kind of page has a card with an image; home has WebSite and publisher with logo, lists their way."""
    await portal.add(1)
    await portal.add(2, seo=Seo(noindex=True))
    pages = {path: (await portal.get(path)).text for path in ("/", "/tin-tuc/", "/bai-so-1-1.html", "/so-do-site")}
    for path, page in pages.items():
        found = extruct.extract(page, base_url=PORTAL_URL + path, uniform=True)
        assert found["opengraph"][0]["og:image"].startswith(f"{PORTAL_URL}/theme/share-"), path
        assert '<meta name="twitter:card" content="summary_large_image">' in page, path
        assert page.count('<meta name="robots" content="max-image-preview:large">') == 1, path
    kinds = {
        path: {one["@type"]: one for one in extruct.extract(page, uniform=True, syntaxes=["json-ld"])["json-ld"]}
        for path, page in pages.items()
    }
    assert kinds["/"].keys() == {"WebSite", "NewsMediaOrganization"}
    assert kinds["/"]["NewsMediaOrganization"]["logo"]["url"].startswith(f"{PORTAL_URL}/theme/icon-")
    assert kinds["/bai-so-1-1.html"]["NewsArticle"]["publisher"]["logo"]["url"].startswith(f"{PORTAL_URL}/theme/")
    assert [one["name"] for one in kinds["/tin-tuc/"]["BreadcrumbList"]["itemListElement"]] == ["Trang chủ", "Tin tức"]
    for path in ("/bai-so-2-2.html", "/tim-kiem", "/khong-co"):
        page = (await portal.get(path)).text
        assert re.findall('<meta name="robots" content="([^"]+)">', page) == ["noindex"], path
    manifest = json.loads((await portal.get("/manifest.json")).text)
    assert (manifest["name"], manifest["start_url"]) == (portal.site.name, "/")
    for icon in [one["src"] for one in manifest["icons"]] + re.findall('apple-touch-icon" href="([^"]+)"', pages["/"]):
        assert (await portal.get(icon)).status == 200


async def test_every_kind_of_page_tells_networks_what_it_is(portal: Any) -> None:
    """Title, description, kind and address of a shared page are there, once, and say what search engines read, too."""
    await portal.add(1, tags=["chợ phiên"])
    month = f"{portal.articles[1].published_at.astimezone(portal.site.zone):%Y/%m}"
    lists = (
        "/",
        "/tin-tuc/",
        "/tag/cho-phien/",
        "/luu-tru/",
        f"/luu-tru/{month}/",
        "/luu-tru/dinh-chinh/",
        "/so-do-site",
    )
    for path in (*lists, "/bai-so-1-1.html"):
        page = lxml.html.fromstring((await portal.get(path)).text)
        names = ("title", "description", "type")
        told = {name: page.xpath(f"//meta[@property='og:{name}']/@content") for name in names}
        assert all(len(found) == 1 and found[0] for found in told.values()), (path, told)
        assert told["description"] == page.xpath("//meta[@name='description']/@content"), path
        assert page.xpath("//meta[@property='og:url']/@content") == [PORTAL_URL + path]


def test_static_page_without_a_description_is_told_by_its_first_paragraph() -> None:
    """The description of the newsroom wins; a long paragraph is cut between words."""
    body: list[Any] = [Heading("Ban biên tập"), Paragraph("Chúng tôi <em>viết</em> về biển. " * 20)]
    fields: dict[str, Any] = {
        "slug": "p",
        "title": "P",
        "modified_at": datetime(2026, 11, 30, tzinfo=UTC),
        "body": body,
    }
    for description, expected in (("Ai viết trang này.", "Ai viết trang này."), ("", "Chúng tôi viết về biển.")):
        page = StaticPage(site="x", id="p", version=1, state="published", description=description, **fields)
        html = lxml.html.fromstring(render_static_page(page, {}, SITE, PORTAL_URL).body.decode())
        (about,) = html.xpath("//meta[@property='og:description']/@content")
        assert about.startswith(expected)
        assert len(about) <= 241


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

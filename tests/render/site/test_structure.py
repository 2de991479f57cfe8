"""Pages follow the structure of their site: renames and merges move articles at once, with redirects everywhere."""

import asyncio
import html
import json
import random
import re
from datetime import UTC, datetime
from typing import Any

import feedparser
import msgspec
import pytest

from services.render.builder import store
from services.render.crawl.site_check import check_site
from services.render.site import page_reader
from services.render.site.portal import Portal
from shared.articles import Author, Image, Paragraph, Related
from shared.site_structure import (
    MenuItem,
    SiteStructure,
    StaticPage,
    StructureAuthor,
    StructureSection,
    StructureTag,
)
from shared.sites import Sites
from tests.render.conftest import SITE, URL

AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forget_structures() -> None:
    """Tests have databases of their own, and versions in common."""
    page_reader._structured.clear()


def sections(*pairs: tuple[str, str]) -> list[StructureSection]:
    return [StructureSection(slug=slug, name=name, version=1) for slug, name in pairs]


async def apply(portal: Any, version: int, **fields: Any) -> bool:
    given = {"sections": sections(("tin-tuc", "Tin tức"), ("van-hoa", "Văn hóa")), **fields}
    structure = SiteStructure(site=portal.site.slug, version=version, modified_at=AT, **given)
    return await store.save_structure(portal.pool, structure)


async def put_page(portal: Any, version: int, **fields: Any) -> bool:
    given: dict[str, Any] = {"id": "p-1", "state": "published", "slug": "gioi-thieu", "title": "Giới thiệu", **fields}
    page = StaticPage(site=portal.site.slug, version=version, modified_at=AT, **given)
    return await store.save_page(portal.pool, page)


async def redirect_of(portal: Any, address: str) -> str | None:
    found = await portal.get(address)
    return found.headers.get("location") if found.status == 301 else None


async def test_renamed_section_moves_with_redirects_on_every_surface(portal: Any) -> None:
    """The list, its pages and feeds redirect, the new ones have the articles, and sitemaps have the new ones only."""
    for number in range(1, 46):
        await portal.add(number)
    before = await portal.get("/bai-so-1-1.html")
    assert "Tin tức" in before.text
    assert await apply(portal, 5, sections=sections(("thoi-su", "Thời sự")), section_aliases={"tin-tuc": "thoi-su"})
    for old, new in (
        ("/tin-tuc/", "/thoi-su/"),
        ("/tin-tuc", "/thoi-su/"),
        ("/tin-tuc/trang-2.html", "/thoi-su/trang-2.html"),
        ("/tin-tuc/trang-99.html", "/thoi-su/trang-99.html"),
        ("/tin-tuc/?trang=3", "/thoi-su/trang-3.html"),
        ("/tin-tuc/rss.xml", "/thoi-su/rss.xml"),
        ("/tin-tuc/atom.xml", "/thoi-su/atom.xml"),
    ):
        assert await redirect_of(portal, old) == new, old
    assert "Bài số 45" in (await portal.get("/thoi-su/")).text
    assert "Bài số 5" in (await portal.get("/thoi-su/trang-3.html")).text
    assert (await portal.get("/thoi-su/trang-4.html")).status == 404
    assert "Bài số 45" in (await portal.get("/thoi-su/rss.xml")).text
    article = await portal.get("/bai-so-1-1.html", if_none_match=before.headers["etag"])
    assert article.status == 200
    assert "/tin-tuc/" not in article.text
    assert '"articleSection":"Thời sự"' in article.text
    assert 'href="/thoi-su/"' in article.text
    for address in ("/", "/so-do-site", "/sitemap-pages.xml", "/tim-kiem?q=bai", "/khong-co"):
        found = (await portal.get(address)).text
        assert "/tin-tuc/" not in found, address
        assert "thoi-su" in found, address
    assert "/bai-so-3-3.html" in (await portal.get("/tim-kiem?q=bai&chuyen-muc=tin-tuc&sap-xep=ngay&trang=5")).text


async def test_merged_sections_are_one_list_without_duplicates(portal: Any) -> None:
    """Articles of both are in one order; one that was in both comes once; neighbours are of the whole section."""
    for number in range(1, 31):
        await portal.add(
            number, section="tin-tuc" if number % 2 else "van-hoa", also_in=["van-hoa"] * (number % 4 == 1)
        )
    await apply(portal, 1, sections=sections(("tin-tuc", "Tin tức")), section_aliases={"van-hoa": "tin-tuc"})
    listed = (await portal.get("/tin-tuc/")).text + (await portal.get("/tin-tuc/trang-2.html")).text
    places = [listed.index(f"/bai-so-{number}-{number}.html") for number in range(30, 0, -1)]
    assert places == sorted(places)
    middle = (await portal.get("/bai-so-15-15.html")).text
    assert 'rel="next" href="/bai-so-16-16.html"' in middle
    assert 'rel="prev" href="/bai-so-14-14.html"' in middle
    async with portal.pool.acquire() as connection:
        report = await check_site(connection, "render", portal.site, portal.site.url)
    assert (report.failed, report.broken) == ({}, {})


async def test_older_structure_changes_nothing_and_none_shows_the_seed(portal: Any) -> None:
    """Until the first structure has come the configuration's sections are shown; a message that is late is skipped."""
    await portal.add(1)
    assert "Văn hóa" in (await portal.get("/")).text
    assert await apply(portal, 5, sections=sections(("tin-tuc", "Mới")))
    assert not await apply(portal, 4)
    assert not await apply(portal, 5)
    home = (await portal.get("/")).text
    assert "Mới" in home
    assert "Văn hóa" not in home


async def test_tag_of_a_menu_has_a_page_before_articles_have_it(portal: Any) -> None:
    """The menu leads to an empty list, under the present slug, and a rebuild finds no broken link."""
    await portal.add(1)
    below = [MenuItem(kind="tag", target="lua")]
    menu = [MenuItem(kind="tag", target="mua", label="Mùa vụ"), MenuItem(kind="home", items=below)]
    tags = [StructureTag(slug="thoi-vu", name="Thời vụ", version=1), StructureTag(slug="ngao", name="Ngao", version=1)]
    await apply(portal, 1, menus={"main": menu}, tags=tags, tag_aliases={"mua": "thoi-vu"})
    assert 'href="/tag/thoi-vu/"' in (await portal.get("/")).text
    for address, name in (("/tag/thoi-vu/", "Thời vụ"), ("/tag/lua/", "lua")):
        found = await portal.get(address)
        assert (found.status, f"</span> {name}</h1>" in found.text) == (200, True), address
    assert (await portal.get("/tag/lua/trang-2.html")).status == 404
    assert (await portal.get("/tag/ngao/")).status == 404
    async with portal.pool.acquire() as connection:
        report = await check_site(connection, "render", portal.site, portal.site.url)
    assert (report.failed, report.broken) == ({}, {})
    assert "/tag/lua/" in report.checksums


async def test_pages_that_come_in_another_order_are_all_in_menus(portal: Any) -> None:
    """Static pages are on partitions of their own: one with a lower version than the last one is seen as well."""
    entries = [MenuItem(kind="page", target="p-1"), MenuItem(kind="page", target="p-2")]
    await apply(portal, 1, menus={"main": entries})
    await put_page(portal, 9, id="p-2", slug="lien-he", title="Liên hệ")
    assert "Liên hệ" in (await portal.get("/")).text
    await put_page(portal, 8)
    home, sitemap = (await portal.get("/")).text, (await portal.get("/sitemap-pages.xml")).text
    assert "Giới thiệu" in home
    assert "/trang/gioi-thieu.html" in sitemap


async def test_merged_tag_has_one_page_name_and_search_word(portal: Any) -> None:
    """The former tag redirects, its spelling is replaced on pages and in feeds, and searches find the new words."""
    await portal.add(1, tags=["Ruộng", "Lúa"])
    await portal.add(2, tags=["dat"])
    tag = StructureTag(slug="dat", name="Đất đai", version=1)
    with_slug = msgspec.structs.replace(tag, slug="dat-dai")
    aliases = {"ruong": "dat-dai", "dat": "dat-dai"}
    await apply(portal, 1, tags=[with_slug], tag_aliases=aliases)
    assert await redirect_of(portal, "/tag/ruong/") == "/tag/dat-dai/"
    assert await redirect_of(portal, "/tag/dat") == "/tag/dat-dai/"
    found = (await portal.get("/tag/dat-dai/")).text
    assert "Bài số 1" in found
    assert "Bài số 2" in found
    article = (await portal.get("/bai-so-1-1.html")).text
    assert "Đất đai" in article
    assert "Ruộng" not in article
    assert "<category>Đất đai</category>" in (await portal.get("/rss.xml")).text
    site_map = (await portal.get("/so-do-site")).text
    assert 'Đất đai</a> <span class="count">2</span>' in site_map
    assert "/tag/ruong/" not in (await portal.get("/sitemap-pages.xml")).text
    assert await store.reindex(portal.pool, {portal.site.slug: portal.site}, _no_wait) == 2
    assert "Bài số 1" in (await portal.get("/tim-kiem?q=dat+dai")).text
    assert "Bài số 1" not in (await portal.get("/tim-kiem?q=ruong&sap-xep=ngay")).text


async def _no_wait() -> None:
    return None


async def test_author_page_has_profile_and_articles_of_every_byline(portal: Any) -> None:
    """Bylines of the former name lead to the page; a private address is nowhere; bylines without a page are texts."""
    await portal.add(1, authors=[Author("N.V.A"), Author("Khách")])
    author = StructureAuthor(
        slug="nguyen-van-a",
        name="Nguyễn Văn A",
        role="Phóng viên",
        bio="Dòng một\nDòng <b>hai</b>",
        email="a@x.vn",
        version=1,
    )
    await apply(portal, 1, authors=[author], author_aliases={"n-v-a": "nguyen-van-a"})
    page = (await portal.get("/tac-gia/nguyen-van-a/")).text
    assert "Phóng viên" in page
    assert "&lt;b&gt;hai" in page
    assert "a@x.vn" not in page
    assert "Bài số 1" in page
    assert await redirect_of(portal, "/tac-gia/n-v-a/") == "/tac-gia/nguyen-van-a/"
    article = (await portal.get("/bai-so-1-1.html")).text
    assert '<a href="/tac-gia/nguyen-van-a/" rel="author">Nguyễn Văn A</a>' in article
    assert "https://haihau.example/tac-gia/nguyen-van-a/" in article
    assert "Khách" in article
    assert (await portal.get("/tac-gia/khach/")).status == 404


def linked_data(page: str, kind: str) -> dict[str, Any]:
    """Return the JSON-LD object of a type that a page has once."""
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    (one,) = [one for text in found if (one := json.loads(html.unescape(text)))["@type"] == kind]
    return dict(one)


async def test_author_page_describes_the_person_without_a_private_address(portal: Any) -> None:
    """ProfilePage and Person have name, role, life and photo; the address is there only if it is public."""
    profile = {"slug": "lan", "name": "Lan", "role": "Phóng viên", "bio": "Viết về biển", "email": "lan@x.vn"}
    photo = Image("/media/lan.jpg", "Lan", 400, 400)
    await portal.add(1, authors=[Author("Lan")])
    for version, is_public in ((1, False), (2, True)):
        author = StructureAuthor(**profile, photo=photo, email_is_public=is_public, version=version)
        await apply(portal, version, authors=[author])
        page = (await portal.get("/tac-gia/lan/")).text
        person = linked_data(page, "ProfilePage")["mainEntity"]
        assert (person["@type"], person["name"], person["jobTitle"]) == ("Person", "Lan", "Phóng viên")
        assert (person["description"], person["image"]) == ("Viết về biển", f"{URL}/media/lan.jpg")
        assert person["url"] == f"{URL}/tac-gia/lan/"
        assert person.get("email") == ("lan@x.vn" if is_public else None)
        assert ("lan@x.vn" in page) is is_public
        assert '<meta property="og:type" content="profile">' in page
    article = linked_data((await portal.get("/bai-so-1-1.html")).text, "NewsArticle")
    assert article["author"] == [{"@type": "Person", "name": "Lan", "url": person["url"]}]


async def test_author_page_has_pages_and_feeds_of_its_own_articles(portal: Any) -> None:
    """Further pages are canonical themselves; RSS and Atom have the articles of every byline, and name no hub."""
    for number in range(1, 26):
        await portal.add(number, authors=[Author("N.V.A" if number % 2 else "Nguyễn Văn A")])
    await portal.add(26, authors=[Author("Khách")])
    author = StructureAuthor(slug="nguyen-van-a", name="Nguyễn Văn A", version=1)
    await apply(portal, 1, authors=[author], author_aliases={"n-v-a": "nguyen-van-a"})
    second = (await portal.get("/tac-gia/nguyen-van-a/trang-2.html")).text
    assert f'<link rel="canonical" href="{URL}/tac-gia/nguyen-van-a/trang-2.html">' in second
    assert second.count('<li class="card">') == 5
    assert "ProfilePage" not in second
    assert (await portal.get("/tac-gia/nguyen-van-a/trang-3.html")).status == 404
    first = (await portal.get("/tac-gia/nguyen-van-a/")).text
    portal.portal = Portal(portal.pools, Sites(haihau=msgspec.structs.replace(SITE, hub="https://hub.example/")), 1024)
    for kind in ("rss", "atom"):
        path = f"/tac-gia/nguyen-van-a/{kind}.xml"
        feed = feedparser.parse((await portal.get(path)).body)
        assert feed.feed.title == "Nguyễn Văn A – Hải Hậu"
        assert len(feed.entries) == 25
        assert feed.entries[0].title == "Bài số 25"
        assert {link.rel: link.href for link in feed.feed.links} == {
            "self": URL + path,
            "alternate": f"{URL}/tac-gia/nguyen-van-a/",
        }
        assert await redirect_of(portal, f"/tac-gia/n-v-a/{kind}.xml") == path
        assert (await portal.get(f"/tac-gia/khach/{kind}.xml")).status == 404
    assert first.count('href="/tac-gia/nguyen-van-a/rss.xml"') == 1
    assert f'href="{URL}/tac-gia/nguyen-van-a/rss.xml"' in first


async def test_contact_pages_in_two_languages_name_each_other(portal: Any) -> None:
    """Language, translations and details of the configuration are on the page, and for search engines in its schema."""
    site = msgspec.structs.replace(SITE, phone="0228 000 000", email="bientap@haihau.example", address="Yên Định")
    portal.portal = Portal(portal.pools, Sites(haihau=site), 1024)
    await apply(portal, 1)
    await put_page(portal, 1, id="p-1", slug="lien-he", title="Liên hệ", kind="contact")
    await put_page(portal, 2, id="p-2", slug="contact", title="Contact", kind="contact", language="en")
    await put_page(portal, 3, id="p-3", slug="gioi-thieu", title="Giới thiệu", language="en")
    own, english = [(await portal.get(f"/trang/{slug}.html")).text for slug in ("lien-he", "contact")]
    for page in (own, english):
        for language, slug in (("vi", "lien-he"), ("en", "contact"), ("x-default", "lien-he")):
            assert f'hreflang="{language}" href="{URL}/trang/{slug}.html"' in page
        assert page.count('<a href="tel:0228000000">0228 000 000</a>') == 2  # above the text, and in the footer
    assert '<article lang="en">' in english
    assert "<article>" in own
    assert "<span>Phone: " in english
    assert '<p class="translation">Tiếng Anh: <a href="/trang/contact.html" hreflang="en" lang="en">' in own
    about = linked_data(english, "ContactPage")
    assert (about["inLanguage"], about["url"]) == ("en", f"{URL}/trang/contact.html")
    assert about["mainEntity"]["contactPoint"]["telephone"] == "0228 000 000"
    assert about["mainEntity"]["address"] == {"@type": "PostalAddress", "streetAddress": "Yên Định"}
    other = (await portal.get("/trang/gioi-thieu.html")).text
    assert "hreflang" not in other
    assert "ContactPage" not in other
    await put_page(portal, 4, id="p-2", slug="contact", title="Contact", kind="contact", state="withdrawn")
    assert "hreflang" not in (await portal.get("/trang/lien-he.html")).text


async def test_organization_page_without_details_has_a_valid_schema(portal: Any) -> None:
    """What the configuration does not have is left out, also for a page in a message of before."""
    await apply(portal, 1)
    await put_page(portal, 1, id="p-1", slug="to-chuc", title="Tổ chức", kind="organization")
    about = linked_data((await portal.get("/trang/to-chuc.html")).text, "AboutPage")
    assert "contactPoint" not in about["mainEntity"]
    assert about["mainEntity"]["name"] == "UBND huyện Hải Hậu"


async def test_static_page_menu_and_their_withdrawal(portal: Any) -> None:
    """A page is at its address and in the menu, follows another slug, and leaves the menu when it is withdrawn."""
    menu = [
        MenuItem(kind="home"),
        MenuItem(kind="section", target="cu", label="Mục cũ", items=[MenuItem(kind="section", target="van-hoa")]),
        MenuItem(kind="page", target="p-1"),
        MenuItem(kind="section", target="khong-co"),
        MenuItem(kind="url", target="https://cong.example/", label="Cổng <huyện>"),
    ]
    await apply(
        portal,
        1,
        menus={"main": menu, "footer": [MenuItem(kind="page", target="p-1")]},
        section_aliases={"cu": "tin-tuc"},
    )
    assert await put_page(portal, 1, body=[Paragraph("Về <strong>chúng tôi</strong>")])
    page = await portal.get("/trang/gioi-thieu.html")
    assert page.status == 200
    assert "<strong>chúng tôi</strong>" in page.text
    home = (await portal.get("/")).text
    assert home.count('href="/trang/gioi-thieu.html"') == 4  # menus, and the quick links
    assert 'href="/tin-tuc/">Mục cũ</a>' in home
    assert "Cổng &lt;huyện&gt;" in home
    assert "khong-co" not in home
    assert await put_page(portal, 2, slug="ve-chung-toi", old_slugs=["gioi-thieu"])
    assert await redirect_of(portal, "/trang/gioi-thieu.html") == "/trang/ve-chung-toi.html"
    assert await put_page(portal, 3, state="withdrawn", slug="ve-chung-toi", old_slugs=["gioi-thieu"])
    assert not await put_page(portal, 2)
    assert (await portal.get("/trang/ve-chung-toi.html")).status == 404
    assert "/trang/" not in (await portal.get("/")).text


async def test_addresses_of_a_deleted_page_are_gone_until_another_page_has_them(portal: Any) -> None:
    """410 like a killed article's, former slugs too; an old URL of an article and another page win."""
    await apply(portal, 1)
    await put_page(portal, 2, state="withdrawn", slug="ve", old_slugs=["gioi-thieu"], is_deleted=True)
    assert [(await portal.get(f"/trang/{one}.html")).status for one in ("ve", "gioi-thieu", "x")] == [410, 410, 404]
    assert "/trang/" not in (await portal.get("/sitemap-pages.xml")).text
    await put_page(portal, 3, id="p-2", slug="gioi-thieu")
    assert (await portal.get("/trang/gioi-thieu.html")).status == 200
    await portal.add(1, old_urls=["/trang/ve.html"])
    assert await redirect_of(portal, "/trang/ve.html") == "/bai-so-1-1.html"


@pytest.mark.parametrize(
    "address",
    ["/trang/", "/trang", "/tac-gia/", "/trang/khong-co.html", "/trang/trang-2.html", "/tac-gia/x", "/tag/khong-co"],
)
async def test_addresses_without_a_page_are_no_errors(portal: Any, address: str) -> None:
    """Addresses near those of the new pages are redirects or 404."""
    await apply(portal, 1)
    assert (await portal.get(address)).status in (301, 404)


async def test_merge_under_concurrent_publications_loses_no_article(portal: Any) -> None:
    """Articles are saved while structures come: at the end every list has all its articles, once."""
    chance = random.Random(3)

    async def publish() -> None:
        for number in range(1, 21):
            await portal.add(number, section=chance.choice(["tin-tuc", "van-hoa"]), tags=[chance.choice(["A", "B"])])
            await asyncio.sleep(0)

    async def restructure() -> None:
        for version in range(1, 11):
            tags = [StructureTag(slug="a", name="A" if version % 2 else "Á", version=version)]
            aliases = {"van-hoa": "tin-tuc"} if version == 10 else {}
            await apply(portal, version, tags=tags, tag_aliases={"b": "a"}, section_aliases=aliases)
            await asyncio.sleep(0)

    await asyncio.gather(publish(), restructure())
    await store.reindex(portal.pool, {portal.site.slug: portal.site}, _no_wait)
    listed = (await portal.get("/tin-tuc/")).text
    assert all(f"/bai-so-{number}-{number}.html" in listed for number in range(1, 21))
    words = await portal.pool.fetch("SELECT article FROM render.search WHERE marked_words @@ 'á'::tsquery")
    assert len(words) == 20


async def test_static_page_shows_cards_of_public_articles(portal: Any) -> None:
    """A card inside a static page comes and goes with its article."""
    await apply(portal, 1)
    await portal.add(1)
    await put_page(portal, 1, body=[Paragraph("Xem:"), Related("a-1", 1)])
    assert 'class="inside"' in (await portal.get("/trang/gioi-thieu.html")).text
    await portal.change(1, state="unpublished")
    assert 'class="inside"' not in (await portal.get("/trang/gioi-thieu.html")).text

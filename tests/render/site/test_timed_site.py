"""Banners and entries of menus on the portal: they begin and end by themselves, on every page."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.render.builder import store
from services.render.crawl.site_check import check_site
from services.render.site import page_reader
from services.render.site.timed_site import valid_site
from shared.articles import Image
from shared.banners import Banner, Banners
from shared.front_page import BreakingNews, FrontPage, FrontPageSlot
from shared.site_structure import MenuItem, SiteStructure, StructureIndex, StructureSection
from shared.sites import with_structure
from tests.leads import leads
from tests.render.conftest import SITE

IMAGE = Image(f"/media/{'a' * 32}.jpg", "Cổng dịch vụ công", 600, 200)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forget_structures() -> None:
    """Tests have databases of their own, and versions in common."""
    page_reader._structured.clear()


def structure(version: int, *banners: Banner, **fields: Any) -> SiteStructure:
    sections = [StructureSection(slug=one.slug, name=one.name, version=1) for one in SITE.sections]
    given = {"sections": sections, "banners": Banners(version=version, items=list(banners)), **fields}
    return SiteStructure(site="haihau", version=version, modified_at=FAR, **given)


def banner(place: Any = "foot", **fields: Any) -> Banner:
    return Banner(**{"id": "b", "place": place, "image": IMAGE, "url": "https://dichvucong.gov.vn/", **fields})


async def test_banner_and_quick_link_begin_and_end_without_a_change_and_without_a_request(portal: Any) -> None:
    """On pages of every kind, from the cache, in the ETag, and on error pages, each at its second."""
    await portal.add(1)
    pages = ("/", "/tin-tuc/", "/bai-so-1-1.html", "/so-do-site", "/khong-co")
    for version, lead in enumerate(leads(0.7), 1):
        begin = datetime.now(UTC) + lead
        end = begin + lead
        link = MenuItem(kind="url", target="https://cong.example/", label="Cổng tỉnh", until=end)
        menus = {"links": [link], "footer": [link]}
        await store.save_structure(portal.pool, structure(version, banner(starts_at=begin, until=end), menus=menus))
        before = {page: await portal.get(page) for page in pages}
        etag = before["/bai-so-1-1.html"].headers["etag"]
        unchanged = await portal.get("/bai-so-1-1.html", if_none_match=etag)
        if datetime.now(UTC) >= begin:
            continue
        await asyncio.sleep((begin - datetime.now(UTC)).total_seconds() + 0.05)
        during = {page: await portal.get(page) for page in pages}
        changed = await portal.get("/bai-so-1-1.html", if_none_match=etag)
        if datetime.now(UTC) < end:
            break
    assert not any('class="banners' in one.text for one in before.values())
    assert all("Cổng tỉnh" in one.text for one in before.values())
    assert [page for page in pages if 'class="banners at-foot"' in during[page].text] == list(pages[:-1])
    assert (unchanged.status, changed.status) == (304, 200)
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    assert "Cổng tỉnh" not in (await portal.get("/khong-co")).text
    for page in pages:
        after = (await portal.get(page)).text
        assert "Cổng tỉnh" not in after, page
        assert 'class="banners' not in after, page


async def test_banner_link_and_bar_end_while_postgres_is_unavailable(portal: Any) -> None:
    """The cached page goes on without what has ended, under another tag; a slot's article stays, and nothing is 503."""
    await portal.add(1)
    await portal.add(2)
    pages = ("/", "/bai-so-1-1.html")
    for version, lead in enumerate(leads(1.2), 1):
        end = datetime.now(UTC) + lead
        link = MenuItem(kind="url", target="https://cong.example/", label="Cổng tỉnh", until=end)
        below = MenuItem(kind="home", items=[msgspec.structs.replace(link, label="Cổng huyện", until=FAR)], until=end)
        stays = MenuItem(kind="url", target="https://cong.example/", label="Cổng xã", until=FAR)
        front = FrontPage(
            version=version,
            slots=[FrontPageSlot(article="a-2", until=end)],
            breaking=BreakingNews(text="Bão số 9", until=end),
        )
        banners = banner(until=end), banner("top", id="t", until=FAR)
        menus = {"links": [link, stays], "footer": [below, stays]}
        await store.save_structure(portal.pool, structure(version, *banners, menus=menus, front_page=front))
        before = {page: await portal.get(page) for page in pages}
        if datetime.now(UTC) < end:
            break
    assert all("Cổng huyện" in one.text for one in before.values())
    assert "Bão số 9" in before["/"].text
    portal.looking.terminate()
    portal.pool.terminate()
    cached = await portal.get("/")
    assert datetime.now(UTC) >= end or cached.body == before["/"].body
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    for page in pages:
        for _ in "cut", "from memory":
            after = await portal.get(page, if_none_match=before[page].headers["etag"])
            assert after.status == 200, page
            for gone in ("Cổng tỉnh", "Cổng huyện", "Bão số 9", 'class="banners at-foot"'):
                assert gone not in after.text, (page, gone)
            assert "Cổng xã" in after.text
        assert (await portal.get(page, if_none_match=after.headers["etag"])).status == 304
    home = (await portal.get("/")).text
    assert 'class="banners at-top"' in home
    assert "Bài số 2" in home


async def test_page_that_was_cut_is_made_again_with_the_database(portal: Any) -> None:
    """Once Postgres is back, the page is rendered again: others of its banners take the places."""
    await portal.add(1)
    for version, lead in enumerate(leads(0.8), 1):
        end = datetime.now(UTC) + lead
        many = [banner(id=f"b{number}", until=end if number < 6 else None) for number in range(7)]
        await store.save_structure(portal.pool, structure(version, *many))
        before = await portal.get("/tin-tuc/")
        if datetime.now(UTC) < end:
            break
    assert before.text.count("<figure data-until=") == 6
    watcher = portal.portal._versions
    watcher.unavailable_reason = "away"
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    assert "banner-words" not in (await portal.get("/tin-tuc/")).text
    watcher.unavailable_reason = None
    assert (await portal.get("/tin-tuc/")).text.count("banner-words") == 1


async def test_banners_stand_in_their_places_and_name_other_sites(portal: Any) -> None:
    """Top of the home page, side of lists and articles, foot of all; advertisements are labelled, sizes reserved."""
    await portal.add(1)
    ad = banner("side", id="s", url="https://shop.example/", is_advertisement=True)
    await store.save_structure(portal.pool, structure(1, banner("top", id="t", url="/tin-tuc/"), ad, banner()))
    places = {
        page: [one for one in ("top", "side", "foot") if f'class="banners at-{one}"' in (await portal.get(page)).text]
        for page in ("/", "/tin-tuc/", "/bai-so-1-1.html", "/tim-kiem")
    }
    assert list(places.values()) == [["top", "foot"], ["side", "foot"], ["side", "foot"], ["foot"]]
    text = (await portal.get("/bai-so-1-1.html")).text
    assert 'href="https://shop.example/" rel="noopener sponsored"' in text
    assert '<b>Quảng cáo</b> · <span class="unseen">Trang khác: </span>↗ shop.example' in text
    assert 'alt="Cổng dịch vụ công" width="600" height="200"' in text
    assert '<a href="/tin-tuc/"><img' in (await portal.get("/")).text


async def test_broken_banner_and_breaking_links_are_their_editors(portal: Any, database: str) -> None:
    """A link that an editor wrote into a banner or a static page does not stop a rebuild."""
    await portal.add(1)
    await store.save_structure(portal.pool, structure(1, banner(url="/khong-co.html")))
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    report = await check_site(connection, "render", portal.site, "https://haihau.example")
    await connection.close()
    assert (list(report.editors_broken), report.broken) == (["/khong-co.html"], {})


def test_valid_site_is_the_same_object_until_something_changes() -> None:
    """A site without times is returned as it is."""
    at = datetime(2026, 11, 30, tzinfo=UTC)
    plain = with_structure(SITE, StructureIndex(structure(1, banner())))
    assert valid_site(plain, at) == (plain, None)
    timed = with_structure(SITE, StructureIndex(structure(1, banner(until=at))))
    before, since = valid_site(timed, at - timedelta(hours=1))
    assert since is None
    assert valid_site(timed, at - timedelta(minutes=1))[0] is before
    after, since = valid_site(timed, at)
    assert since == at
    assert after.structure is not None
    assert after.structure.structure.banners.items == []

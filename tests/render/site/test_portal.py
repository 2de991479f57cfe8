"""The portal takes over a change of its site's configuration: pages are rendered again, and those of others stay."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import msgspec

from services.render.pages.themes import read_theme
from services.render.site import page_reader
from services.render.site.portal import Portal
from shared.sites import Section, Site, Sites

EXAMPLE = Path(__file__).parent.parent.parent / "data/themes/xanh"
OTHER = Site(slug="khac", name="Cổng khác", origins=["https://khac.example"], timezone="Asia/Ho_Chi_Minh")


def with_two_sites(portal: Any) -> tuple[Sites, Site]:
    """Make the portal serve a second site, and return the sites and the first one."""
    site: Site = portal.site
    sites = Sites({site.slug: site, OTHER.slug: OTHER})
    portal.portal = Portal(portal.pools, sites, 8 * 1024 * 1024)
    return sites, site


async def test_changed_site_is_rendered_again_and_others_stay(portal: Any) -> None:
    """The new name and sections are on every page at once, with other tags; a client's old date is no 304."""
    await portal.add(1)
    sites, site = with_two_sites(portal)
    for path in ("/", "/rss.xml", "/sitemap.xml", "/khong-co"):
        await portal.get(path)
    before, other = await portal.get("/"), await portal.get("/", host="khac.example")
    feed = await portal.get("/rss.xml")
    cached = portal.portal._cache.get((OTHER.slug, "/", 1))
    renamed = msgspec.structs.replace(site, name="Tên mới", sections=[*site.sections, Section("moi", "Mục mới")])
    new = Sites({site.slug: renamed, OTHER.slug: msgspec.structs.replace(OTHER)})
    new.changed_at = 4_000_000_000.0
    sites.replace(new)
    after = await portal.get("/", if_none_match=before.headers["etag"])
    assert after.status == 200
    assert "Tên mới" in after.text
    assert "Mục mới" in after.text
    assert "Tên mới" in (await portal.get("/khong-co")).text
    assert "Tên mới" in (await portal.get("/rss.xml", if_modified_since=feed.headers["last-modified"])).text
    assert (await portal.get("/moi/")).status == 200
    assert (await portal.get("/", host="khac.example")).headers["etag"] == other.headers["etag"]
    assert portal.portal._cache.get((OTHER.slug, "/", 1)) is cached


async def test_page_that_was_being_rendered_is_not_kept_after_a_change(portal: Any, monkeypatch: Any) -> None:
    """A page of the former configuration that is ready after the change is not what the next request gets."""
    await portal.add(1)
    sites, site = with_two_sites(portal)
    reading, may_go_on = asyncio.Event(), asyncio.Event()
    read = page_reader.read_snapshot

    async def slowly(*arguments: Any) -> Any:
        result = await read(*arguments)
        reading.set()
        await may_go_on.wait()
        return result

    monkeypatch.setattr(page_reader, "read_snapshot", slowly)
    early = asyncio.create_task(portal.get("/"))
    await reading.wait()
    sites.replace(Sites({site.slug: msgspec.structs.replace(site, name="Tên mới")}))
    late = asyncio.create_task(portal.get("/"))
    await asyncio.sleep(0)
    may_go_on.set()
    assert (await early).status == 200
    assert "Tên mới" in (await late).text
    assert "Tên mới" in (await portal.get("/")).text


async def test_changed_and_removed_sites_in_flight_are_no_errors(portal: Any) -> None:
    """Requests while the configuration changes all the time get pages: of the site, or of the first one."""
    await portal.add(1)
    sites, site = with_two_sites(portal)
    statuses = set()

    async def read(host: str) -> None:
        for _ in range(20):
            statuses.add((await portal.get("/", host=host)).status)

    async def change() -> None:
        for number in range(20):
            await asyncio.sleep(0.002)
            renamed = msgspec.structs.replace(site, name=f"N{number}")
            others = {} if number % 2 else {OTHER.slug: msgspec.structs.replace(OTHER, tagline=str(number))}
            sites.replace(Sites({site.slug: renamed, **others}))

    await asyncio.gather(change(), *(read(host) for host in ("haihau.example", "khac.example") * 3))
    assert statuses == {200}


async def test_new_theme_is_served_and_files_of_the_former_one_stay(portal: Any, tmp_path: Path) -> None:
    """Pages that a browser shows still find their styles; the new pages have the new ones and their policy."""
    await portal.add(1)
    sites, site = with_two_sites(portal)
    folder = shutil.copytree(EXAMPLE, tmp_path / "own")
    sites.replace(Sites({site.slug: msgspec.structs.replace(site, theme=str(folder))}))
    own, default = read_theme(str(folder)), read_theme("")
    page = await portal.get("/")
    assert own.paths["site.css"] in page.text
    for theme in (own, default):
        assert (await portal.get(theme.paths["site.css"])).status == 200
    assert (await portal.get("/favicon.ico")).body == own.assets[own.paths["icon.svg"]].body

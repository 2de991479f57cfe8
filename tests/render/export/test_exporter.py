"""`export` writes the served bytes of every URL, and reports what is missing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import obstore
import pytest

from services.render.builder.store import save_page, save_structure
from services.render.crawl.all_pages import BulkPageReader
from services.render.export.exporter import SiteExporter
from services.render.export.folder import open_folder
from services.render.queries import SQL
from services.render.site.page_reader import read_site
from shared.articles import Figure, File, Image, Paragraph
from shared.object_store import FILES, open_store
from shared.site_structure import SiteStructure, StaticPage, StructureSection

AT = datetime(2026, 11, 29, tzinfo=UTC)
URL = "https://haihau.example"
MISSING = f"/media/{'b' * 32}.jpg"


async def test_export_site_writes_pages_redirects_and_reports_missing_images(
    portal: Any, database: str, tmp_path: Path
) -> None:
    """Each page is a file with the served bytes; old and killed URLs are in the server configurations."""
    await portal.add(1, old_urls=["/cu.aspx?id=1"], lead_image=Figure("Chợ", Image(MISSING, "Chợ", 640, 480)))
    await portal.add(2)
    await portal.change(2, state="killed")
    page = StaticPage(
        site="haihau", id="p", version=1, state="withdrawn", slug="ve", title="Về", modified_at=AT, is_deleted=True
    )
    await save_page(portal.pool, page)
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    try:
        with open_folder(tmp_path / "export") as folder:
            exporter = SiteExporter(folder, open_store(str(tmp_path / "media")), URL)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                report = await exporter.export_site(BulkPageReader(connection, portal.site, SQL))
    finally:
        await connection.close()
    assert (report.failed, report.broken) == ({}, {})
    assert exporter.missing.keys() == {MISSING}
    for url, file in {"/": "index.html", "/bai-so-1-1.html": "bai-so-1-1.html", "/rss.xml": "rss.xml"}.items():
        assert (tmp_path / "export" / file).read_bytes() == (await portal.get(url)).body
    assert "/cu.aspx id=1 /bai-so-1-1.html 301" in (tmp_path / "export/_redirects").read_text()
    assert "/bai-so-2-2.html /410.html 410" in (tmp_path / "export/_redirects").read_text()
    assert "/trang/ve.html /410.html 410" in (tmp_path / "export/_redirects").read_text()
    assert (tmp_path / "export/404.html").exists()
    search = (tmp_path / "export/tim-kiem/index.html").read_text()
    assert 'data-index="/search-index/index.json"' in search
    assert "<noscript><p" in search
    index = json.loads((tmp_path / "export/search-index/index.json").read_text())
    texts = json.loads((tmp_path / f"export/search-index/{index['texts'][0]}.json").read_text())
    assert [one[0] for one in texts] == ["/bai-so-1-1.html"]  # the killed article is not in it


async def test_export_site_writes_copies_once(portal: Any, database: str, tmp_path: Path) -> None:
    """A copy to keep is written with its article, and again only if the article changes or a picture was missing."""
    store, name = open_store(str(tmp_path / "media")), f"{'a' * 32}.jpg"
    await portal.add(1, lead_image=Figure("Chợ", Image(f"/media/{name}", "Chợ", 640, 480)))
    await portal.add(2, allow_print=False)
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    file, found = tmp_path / "export/ban-luu/bai-so-1-1.html", []
    try:
        for number in range(4):
            if number == 1:
                await obstore.put_async(store, f"public/{name}", b"picture")
            if number == 3:
                await portal.change(1, title="Tựa khác")
            with open_folder(tmp_path / "export") as folder:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    report = await SiteExporter(folder, store, URL).export_site(
                        BulkPageReader(connection, portal.site, SQL)
                    )
            assert (report.broken, report.failed) == ({}, {})
            found.append((file.stat().st_mtime_ns, file.read_text()))
    finally:
        await connection.close()
    assert ["data:image/jpeg" in text for _, text in found] == [False, True, True, True]
    assert found[0][0] < found[1][0] == found[2][0] < found[3][0]
    assert "Tựa khác" in found[3][1]
    assert not (tmp_path / "export/ban-luu/bai-so-2-2.html").exists()
    assert "/ban-luu/*\n  content-disposition: attachment" in (tmp_path / "export/_headers").read_text()


@pytest.fixture(autouse=True)
def media_folder(tmp_path: Path) -> None:
    """An empty media store."""
    (tmp_path / "media").mkdir(exist_ok=True)


async def test_export_has_no_file_that_is_only_linked(portal: Any, database: str, tmp_path: Path) -> None:
    """A link in a text to the file of a draft, or of a withdrawn article, brings it into no copy: readers get 404."""
    hidden, offered = "ab" * 16, "cd" * 16
    store = open_store(str(tmp_path / "media"))
    for one in (hidden, offered):
        await obstore.put_async(store, FILES + one, b"%PDF " + one.encode())
    texts = [Paragraph(f'<a href="/tep/{one}/van-ban.pdf">văn bản</a>') for one in (hidden, offered)]
    block = File(f"/tep/{offered}/ten-moi.pdf", "Văn bản", offered, 9, "application/pdf")
    await portal.add(1, body=texts)
    await portal.add(2, body=[block])
    await portal.add(3, body=[File(f"/tep/{hidden}/van-ban.pdf", "Kín", hidden, 9, "application/pdf")], state="killed")
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    try:
        with open_folder(tmp_path / "export") as folder:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                site = await read_site(connection, SQL, portal.site)
                report = await SiteExporter(folder, store, URL).export_site(BulkPageReader(connection, site, SQL))
    finally:
        await connection.close()
    assert report.editors_broken == {f"/tep/{hidden}/van-ban.pdf": "/bai-so-1-1.html"}
    assert not (tmp_path / f"export/tep/{hidden}").exists()
    assert {one.name for one in (tmp_path / f"export/tep/{offered}").iterdir()} == {"van-ban.pdf", "ten-moi.pdf"}


async def test_export_site_has_the_files_of_public_articles(portal: Any, database: str, tmp_path: Path) -> None:
    """A document of a public article is a file of the copy, a lost one is reported, and one of a draft is not there."""
    there, lost = "ab" * 16, "cd" * 16
    store = open_store(str(tmp_path / "media"))
    await obstore.put_async(store, FILES + there, b"%PDF document")
    on_page = "ef" * 16
    await obstore.put_async(store, FILES + on_page, b"%PDF form")
    blocks = [File(f"/tep/{one}/van-ban.pdf", "Văn bản", one, 9, "application/pdf") for one in (there, lost, on_page)]
    await portal.add(1, body=blocks[:2])
    page = {"site": portal.site.slug, "id": "p-1", "slug": "bieu-mau", "title": "Biểu mẫu", "version": 1}
    await save_page(portal.pool, StaticPage(**page, state="published", modified_at=AT, body=blocks[2:]))
    sections = [StructureSection(slug="tin-tuc", name="Tin tức", version=1)]
    await save_structure(
        portal.pool, SiteStructure(site=portal.site.slug, version=1, modified_at=AT, sections=sections)
    )
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    try:
        with open_folder(tmp_path / "export") as folder:
            exporter = SiteExporter(folder, store, URL)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                site = await read_site(connection, SQL, portal.site)
                report = await exporter.export_site(BulkPageReader(connection, site, SQL))
    finally:
        await connection.close()
    assert (report.failed, report.broken, report.editors_broken) == ({}, {}, {})
    assert exporter.missing.keys() == {f"/tep/{lost}/van-ban.pdf"}
    assert (tmp_path / f"export/tep/{there}/van-ban.pdf").read_bytes() == b"%PDF document"
    assert (tmp_path / f"export/tep/{on_page}/van-ban.pdf").read_bytes() == b"%PDF form"
    assert "content-disposition: attachment" in (tmp_path / "export/_headers").read_text()
    assert 'content-disposition "attachment"' in (tmp_path / "export/Caddyfile").read_text()

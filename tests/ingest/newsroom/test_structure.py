"""Sections, tags and authors by plain forms."""

from typing import Any

from services.ingest.newsroom.structure import redirects
from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_section_is_added_moved_renamed_and_merged(visit: Any, pages: Pages) -> None:
    """What moves and which addresses redirect is shown before; then all articles have moved."""
    await pages.api.context.structures.step()
    admin = await visit("admin:haihau", name="Lan")
    article = await write(admin)
    shown = await admin.open("chuyen-muc")
    assert 'data-label="Số bài:"' in shown.html  # a phone shows no head of the table
    form = {"action": "/ban-bien-tap/chuyen-muc", "fields": [("csrf", admin.browser.csrf), ("name", "Văn hóa")]}
    shown = await admin.submit(form)
    assert "Văn hóa" in shown.text
    shown = await admin.submit("chuyen-muc", move="up:van-hoa")
    assert shown.text.index("Văn hóa") < shown.text.index("Thông báo")
    await admin.open("chuyen-muc/tin-tuc")
    shown = await admin.submit(name="Thời sự", slug="thoi-su", action="save")
    assert "Đổi tên “Tin tức”?" in shown.text
    assert "/tin-tuc/" in shown.text
    shown = await admin.submit()
    assert "Thời sự" in shown.text
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert stored["section"] == "thoi-su"
    await admin.open("chuyen-muc/thoi-su")
    merge = {"action": "", "fields": [("csrf", admin.browser.csrf), ("into", "van-hoa"), ("action", "merge")]}
    shown = await admin.submit(merge)
    assert "1 bài chuyển ngay" in shown.text
    shown = await admin.submit(action="merge")
    assert "Đã gộp" in shown.text


async def test_tags_are_renamed_by_those_who_publish(visit: Any, pages: Pages) -> None:
    """A writer sees tags without forms; a rename asks first, as it changes all articles."""
    await pages.api.context.structures.step()
    editor, writer = await visit("publish:haihau", name="Minh"), await visit("write:haihau", name="Lan")
    await write(writer, tags="chợ phiên")
    shown = await writer.open("the/cho-phien")
    assert "chợ phiên" in shown.text
    assert 'name="action"' not in shown.html
    await editor.open("the/cho-phien")
    shown = await editor.submit(name="Chợ phiên Cồn", action="save")
    assert "Đổi tên" in shown.text
    shown = await editor.submit()
    assert "Chợ phiên Cồn" in shown.text


def test_redirects_are_the_present_and_all_former_addresses() -> None:
    """Without a page of its own there is none."""
    assert redirects({"url": "https://a.example/tag/x/", "former_slugs": ["y"]}) == ["/tag/x/", "/tag/y/"]
    assert redirects({"url": None}) == []


async def test_author_of_whom_there_are_only_bylines_gets_a_page_when_something_is_written(
    visit: Any, pages: Pages
) -> None:
    """The list has each name that articles are signed with; what is written about it is saved."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    await write(editor, authors="Vũ Thị Thu", action="publish")
    shown = await editor.open("tac-gia/vu-thi-thu")
    assert "Vũ Thị Thu" in shown.text
    shown = await editor.submit(role="Phóng viên", action="save")
    assert (shown.status, "Đã lưu" in shown.text) == (200, True)
    stored = (await pages.api.call("GET", "/authors/vu-thi-thu?site=haihau", None, "read")).json()
    assert (stored["role"], stored["articles"], stored["version"] > 0) == ("Phóng viên", 1, True)

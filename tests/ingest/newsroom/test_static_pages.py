"""Static pages by plain forms."""

from html import unescape
from typing import Any

from tests.ingest.newsroom.conftest import Pages


async def test_page_is_written_published_renamed_and_taken_down(visit: Any, pages: Pages) -> None:
    """It is Markdown like an article; a former address is shown; a withdrawal asks first."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    assert "Chưa có gì" in (await editor.open("trang")).text
    await editor.open("trang/moi")
    shown = await editor.submit("page", title="Giới  thiệu", body="## Tòa soạn\n\nBáo **Hải Hậu**.", action="save")
    assert "Đã lưu" in shown.text
    assert "Giới thiệu" in shown.text
    page = editor.at.partition("?")[0].rpartition("/")[2]
    stored = (await pages.api.call("GET", f"/pages/{page}", None, "read")).json()
    assert (stored["state"], stored["slug"], [one["type"] for one in stored["body"]]) == (
        "draft",
        "gioi-thieu",
        ["heading", "paragraph"],
    )
    shown = await editor.submit("page", action="publish")
    assert "Đã đăng" in shown.text
    shown = await editor.submit("page", slug="toa-soan", action="publish")
    assert "/trang/gioi-thieu.html" in shown.text
    stored = (await pages.api.call("GET", f"/pages/{page}", None, "read")).json()
    assert (stored["old_slugs"], stored["url"].endswith("/trang/toa-soan.html")) == (["gioi-thieu"], True)
    shown = await editor.submit("page", action="withdraw")
    assert "Gỡ “Giới thiệu”" in shown.text
    shown = await editor.submit(action="withdraw")
    assert "Đã gỡ" in shown.text
    assert "Đã gỡ" in (await editor.open("trang")).text
    await editor.open(f"trang/{page}")
    shown = await editor.submit("page", action="delete")
    assert "Xóa hẳn “Giới thiệu”" in shown.text
    shown = await editor.submit(action="delete")
    assert "Đã xóa trang" in shown.text
    assert "Chưa có gì" in shown.text


async def test_ready_made_page_is_begun_filled_in_and_published(visit: Any, pages: Pages) -> None:
    """The list offers what is missing; the form begins with its text, kind and language; then the list links to it."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    shown = await editor.open("trang")
    assert shown.text.count("chưa có") == 4
    assert "Cơ cấu tổ chức" in shown.text
    shown = await editor.open("trang/moi?mau=contact-en")
    assert "Officials in charge" in shown.html
    begun = dict(shown.form("page")["fields"])["body"]
    shown = await editor.submit("page", action="publish")
    assert "hàng 2, cột 1 của bảng trong phần 'Officials in charge'" in unescape(shown.text)
    shown = await editor.submit("page", body=begun.replace("<td>…</td>", "<td></td>"), action="publish")
    assert "ở phần 'Opening hours'" in unescape(shown.text)
    await editor.submit("page", body=begun.replace("…", "8:00–17:00"), action="publish")
    page = editor.at.partition("?")[0].rpartition("/")[2]
    stored = (await pages.api.call("GET", f"/pages/{page}", None, "read")).json()
    assert (stored["kind"], stored["language"], stored["title"]) == ("contact", "en", "Contact")
    assert stored["url"].endswith("/trang/contact.html")
    shown = await editor.open("trang")
    assert shown.text.count("chưa có") == 3
    await editor.open(f"trang/{page}")
    await editor.submit("page", language="", kind="page", action="save")
    stored = (await pages.api.call("GET", f"/pages/{page}", None, "read")).json()
    assert (stored["kind"], stored["language"], stored["has_changes"]) == ("page", "", True)


async def test_page_saved_by_two_shows_both_texts(visit: Any, pages: Pages) -> None:
    """The second one keeps what was typed, reads the other text, and saves again."""
    await pages.api.context.structures.step()
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    await first.open("trang/moi")
    await first.submit("page", title="Giới thiệu", body="Một.")
    address = first.at.partition("?")[0]
    await second.open(address)
    await first.submit("page", body="Một của Minh.")
    shown = await second.submit("page", body="Một của Lan.")
    assert shown.status == 412
    assert "Minh đã lưu trang này" in shown.text
    assert "Một của Lan." in shown.html
    assert "Một của Minh." in shown.html
    shown = await second.submit("page")
    assert "Đã lưu" in shown.text
    stored = (await pages.api.call("GET", f"/pages/{address.rpartition('/')[2]}", None, "read")).json()
    assert stored["body"][0]["html"] == "Một của Lan."


async def test_page_errors_are_beside_what_was_typed(visit: Any, pages: Pages) -> None:
    """An invalid address and a broken block are named; a writer has no buttons."""
    await pages.api.context.structures.step()
    editor, writer = await visit("publish:haihau"), await visit("write:haihau")
    await editor.open("trang/moi")
    shown = await editor.submit("page", title="Liên hệ", slug="Không Được", body="Điện thoại.")
    assert shown.status == 422
    assert 'id="said-slug"' in shown.html
    shown = await editor.submit("page", slug="", body="```block\n{\n```")
    assert shown.status == 422
    assert 'id="said-body"' in shown.html
    shown = await editor.submit("page", body="Điện thoại.")
    address = editor.at.partition("?")[0]
    assert 'value="publish"' not in (await writer.open(address)).html
    assert (await writer.submit("page", title="Khác")).status == 403

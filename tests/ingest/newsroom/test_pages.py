"""What all pages have in common: policies, and forms whose text is never lost."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages


async def test_pages_have_strict_policies(visit: Any, pages: Pages) -> None:
    """No page is stored, framed or indexed, and none has inline scripts or styles."""
    visitor = await visit("admin")
    for path in ("", "bai-viet/moi", "dang-nhap"):
        shown = await visitor.open(path)
        assert shown.status == 200
        assert "require-trusted-types-for 'script'" in shown.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["x-robots-tag"] == "noindex"
        assert " style=" not in shown.html
        assert "<style" not in shown.html
        assert " onclick" not in shown.html


async def test_page_without_its_api_keeps_the_form(visit: Any, pages: Pages) -> None:
    """While the editor API does not answer, the page says so, and what was typed is in it."""
    visitor = await visit("write:haihau")
    await visitor.open("bai-viet/moi")
    pages.is_away = True
    shown = await visitor.submit("write", title="Chợ Cồn", body="Đoạn dài. " * 20, section="tin-tuc")
    assert shown.status == 503
    assert "Không mất gì cả" in shown.text
    assert "Đoạn dài. Đoạn dài." in shown.html
    pages.is_away = False
    shown = await visitor.submit({"action": "", "fields": [*shown.form()["fields"]]}, csrf=visitor.browser.csrf)
    assert shown.status == 200
    assert ("title", "Chợ Cồn") in shown.form("write")["fields"]


async def test_address_without_a_page_says_so_as_a_page(visit: Any) -> None:
    """A wrong address, or one that only takes a form, leads back to the desk; without a session it asks for one."""
    visitor = await visit("write:haihau")
    for path, status in (("khong-co", 404), ("bai-viet/1/2/3", 404), ("dang-xuat", 405)):
        shown = await visitor.open(path)
        assert (shown.status, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "Không có trang này" in shown.text
        assert "Về bàn tin" in shown.text
        assert shown.headers["x-robots-tag"] == "noindex"
    assert shown.headers["allow"] == "POST"
    visitor.browser.cookies.clear()
    shown = await visitor.open("khong-co")
    assert (shown.status, "Đăng nhập" in shown.text) == (200, True)


async def test_csrf_of_a_form_is_the_sessions_own(visit: Any) -> None:
    """A form without the token of the session changes nothing, and keeps what was typed."""
    visitor = await visit("write:haihau")
    await visitor.open("bai-viet/moi", site="haihau")
    shown = await visitor.submit("write", csrf="x" * 43, title="Tựa", body="Đoạn", section="tin-tuc")
    assert shown.status == 403
    assert ("title", "Tựa") in shown.form()["fields"]

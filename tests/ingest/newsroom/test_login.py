"""Log in through the pages, as a browser without scripts does."""

from typing import Any

from services.ingest.auth.account_links import create_link
from services.ingest.auth.totp import code_at
from tests.ingest.conftest import HTTPS, PASSWORD, Newsroom
from tests.ingest.newsroom.conftest import Pages


async def test_log_in_opens_the_page_that_was_asked_for(visit: Any, newsroom: Newsroom) -> None:
    """Without a session each page leads to the log-in, and from there back to itself; log-out ends the session."""
    await newsroom.person("write:haihau", name="Trần Lan")
    visitor = await visit()
    shown = await visitor.open("bai-viet/moi", site="haihau")
    assert "Đăng nhập" in shown.text
    shown = await visitor.submit("dang-nhap", email="nguoi1@haihau.example", password="sai mật khẩu này")
    assert shown.status == 401
    assert 'value="nguoi1@haihau.example"' in shown.html
    shown = await visitor.submit("dang-nhap", password=PASSWORD)
    assert (shown.status, visitor.at) == (200, "/ban-bien-tap/bai-viet/moi?site=haihau")
    assert "Trần Lan" in shown.text
    await visitor.submit("dang-xuat")
    assert visitor.at == "/ban-bien-tap/dang-nhap"
    assert "Đăng nhập" in (await visitor.open("")).text


async def test_log_in_leads_to_no_other_site(visit: Any, newsroom: Newsroom) -> None:
    """What is asked for after the log-in is a page of the newsroom, whatever a link says."""
    await newsroom.person("write:haihau")
    for asked in ("//evil.example/x", "/evil", "\\\\evil.example", "https://evil.example", "../api/me"):
        visitor = await visit()
        await visitor.open("dang-nhap", next=asked)
        await visitor.submit("dang-nhap", email="nguoi1@haihau.example", password=PASSWORD)
        assert visitor.at.startswith("/ban-bien-tap/"), asked
        assert ".." not in visitor.at
        assert "evil.example" not in visitor.at.partition("?")[0] or "//" not in visitor.at


async def test_two_steps_ask_for_the_code(visit: Any, newsroom: Newsroom) -> None:
    """The password alone opens nothing; the code is asked for without typing the password again."""
    person = await newsroom.person("write:haihau")
    secret, clock = b"x" * 20, newsroom.api.context.accounts.login.now
    query = "UPDATE ingest.people SET totp_secret = $2, totp_step = 0 WHERE id = $1"
    await newsroom.api.context.pool.execute(query, person.id, secret)
    visitor = await visit()
    await visitor.open("dang-nhap")
    shown = await visitor.submit("dang-nhap", email="nguoi1@haihau.example", password=PASSWORD)
    assert "hai bước" in shown.text
    assert not visitor.browser.cookies
    shown = await visitor.submit("dang-nhap", code="000000")
    assert shown.status == 401
    await visitor.submit("dang-nhap", code=code_at(secret, int(clock()) // 30))
    assert visitor.at == "/ban-bien-tap/"


async def test_invitation_sets_name_and_password(visit: Any, newsroom: Newsroom) -> None:
    """The whole link, pasted, shows whose it is; the password is asked for twice, and then opens the newsroom."""
    person = await newsroom.person("write:haihau", name="Lê Nam", password=None)
    async with newsroom.api.context.pool.acquire() as connection, connection.transaction():
        link = (await create_link(connection, person.id, "invitation", HTTPS)).url
    visitor = await visit()
    await visitor.open("loi-moi")
    shown = await visitor.submit({"action": "", "fields": [("link", link)]})
    assert "Lê Nam" in shown.text
    form = [("link", link.partition("#")[2]), ("name", "Lê Văn Nam")]
    shown = await visitor.submit({"action": "", "fields": [*form, ("password", PASSWORD), ("repeated", "khác")]})
    assert "không giống nhau" in shown.text
    shown = await visitor.submit({"action": "", "fields": [*form, ("password", PASSWORD), ("repeated", PASSWORD)]})
    assert "Đã đặt mật khẩu" in shown.text
    await visitor.open("dang-nhap")
    shown = await visitor.submit("dang-nhap", email=person.email, password=PASSWORD)
    assert "Lê Văn Nam" in shown.text


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

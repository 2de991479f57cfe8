"""Log in through the pages, as a browser without scripts does."""

from typing import Any

from services.ingest.auth.account_links import create_link
from services.ingest.auth.totp import code_at
from tests.ingest.conftest import HTTPS, PASSWORD, Newsroom


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

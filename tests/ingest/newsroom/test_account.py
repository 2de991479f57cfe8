"""The own account by plain forms."""

import re
from typing import Any

from services.ingest.auth.totp import code_at
from tests.ingest.conftest import PASSWORD, Newsroom
from tests.ingest.newsroom.conftest import Pages, Visitor


async def opened(pages: Pages, newsroom: Newsroom) -> Visitor:
    person = await newsroom.person("write:haihau", name="Trần Lan")
    return Visitor(pages, await newsroom.opened(person))


def part(shown: Any, name: str) -> dict[str, Any]:
    from tests.ingest.newsroom.conftest import FormReader

    return next(one for one in FormReader(shown.html).forms if ("part", name) in one["fields"])


async def test_two_steps_are_switched_on_with_a_code_that_needs_no_script(pages: Pages, newsroom: Newsroom) -> None:
    """The QR code is in the page as SVG; a wrong code shows it again, and the right one gives recovery codes."""
    import base64

    visitor = await opened(pages, newsroom)
    shown = await visitor.open("toi")
    shown = await visitor.submit(part(shown, "two_steps"), current_password=PASSWORD)
    assert "<svg" in shown.html
    assert "style=" not in shown.html
    found = re.search(r"<code>([A-Z2-7]{32})</code>", shown.html)
    assert found
    secret = base64.b32decode(found[1])
    shown = await visitor.submit(part(shown, "confirm"), code="000000", current_password=PASSWORD)
    assert shown.status == 403
    assert "<svg" in shown.html
    now = newsroom.api.context.accounts.login.now()
    shown = await visitor.submit(
        part(shown, "confirm"), code=code_at(secret, int(now) // 30), current_password=PASSWORD
    )
    assert len(re.findall(r"<li>[a-z2-7-]{19}</li>", shown.html)) == 10
    assert "Đang bật" in (await visitor.open("toi")).text


async def test_password_and_language_are_changed(pages: Pages, newsroom: Newsroom) -> None:
    """A wrong current password is refused with the reason; the language of the pages follows the person."""
    visitor = await opened(pages, newsroom)
    shown = await visitor.open("toi")
    new = {"password": "mật khẩu mới rất dài", "repeated": "mật khẩu mới rất dài"}
    shown = await visitor.submit(part(shown, "password"), current_password="sai", **new)
    assert shown.status == 403
    shown = await visitor.submit(part(shown, "password"), current_password=PASSWORD, **new)
    assert "Đã đổi mật khẩu" in shown.text
    shown = await visitor.submit(part(shown, "name"), name="Trần Thị Lan", language="en")
    assert "Saved." in shown.text
    assert "Trần Thị Lan" in shown.text


async def test_other_sessions_are_closed(pages: Pages, newsroom: Newsroom) -> None:
    """Each session but the own one has a button; another browser is logged out at once."""
    person = await newsroom.person("write:haihau")
    one, other = [Visitor(pages, await newsroom.opened(person)) for _ in range(2)]
    shown = await one.open("toi")
    await one.submit(part(shown, "session"))
    assert "Đăng nhập" in (await other.open("toi")).text
    assert (await one.open("toi")).status == 200

"""People by plain forms, for administrators."""

import re
from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_administrator_invites_changes_and_locks(visit: Any, pages: Pages) -> None:
    """Without a mail server the page shows the link; rights are chosen per site and section; a lock asks nothing."""
    admin = await visit("admin:haihau", name="Lan")
    shown = await admin.open("nguoi")
    assert "Giao Thủy" not in shown.text
    rights = {"grant/haihau/tin-tuc": "publish"}
    shown = await admin.submit(name="Lê Nam", email="nam@haihau.example", **rights)
    assert "/ban-bien-tap/loi-moi#" in shown.html
    assert "duyệt và đăng · Hải Hậu · Tin tức" in shown.text
    person = re.findall(r'href="/ban-bien-tap/(nguoi/[^"?]+)"[^>]*>Lê Nam', shown.html)[0]
    shown = await admin.open(person)
    await admin.submit({**shown.form(), "action": ""}, action="save", **{"grant/haihau/tin-tuc": "write"})
    shown = await admin.open("nguoi")
    assert "viết · Hải Hậu · Tin tức" in shown.text
    shown = await admin.open(person)
    shown = await admin.submit(action="lock")
    assert "Bị khóa" in shown.text
    shown = await admin.open(person, ask="remove")
    shown = await admin.submit(action="remove")
    assert "Đã xóa tài khoản" in shown.text
    shown = await admin.open("nguoi/nhat-ky")
    assert "Lan" in shown.text


async def test_audit_log_names_actions_in_the_language_of_the_page(visit: Any) -> None:
    """What was done to an article has the words of its history; other objects have their kind before their ID."""
    admin = await visit("admin:haihau", name="Lan")
    await write(admin, action="submit")
    shown = await admin.open("nguoi/nhat-ky")
    assert "gửi duyệt" in shown.text
    assert "submit" not in shown.text


async def test_people_are_closed_to_others(visit: Any) -> None:
    """Who administers nothing sees no menu entry, and the page says why it is closed."""
    editor = await visit("publish:haihau", name="Minh")
    assert "/nguoi" not in (await editor.open("")).html
    shown = await editor.open("nguoi")
    assert shown.status == 403
    assert "không có quyền" in shown.text

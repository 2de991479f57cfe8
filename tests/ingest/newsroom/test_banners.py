"""Banners by plain forms."""

import io
from typing import Any

from PIL import Image as Picture

from tests.ingest.newsroom.conftest import Pages


async def picture(pages: Pages, width: int = 600) -> str:
    output = io.BytesIO()
    Picture.linear_gradient("L").resize((width, 200)).save(output, "PNG")
    made = await pages.api.call("POST", "/media?site=haihau", output.getvalue(), content_type="image/png")
    assert made.status == 201, made.body
    return str(made.json()["id"])


async def test_banner_is_made_changed_moved_and_removed(visit: Any, pages: Pages) -> None:
    """A picture of the library, an address and times; faults are beside their field and nothing typed is lost."""
    await pages.api.context.structures.step()
    one, two = await picture(pages), await picture(pages, 601)
    editor = await visit("publish:haihau", name="Minh")
    await editor.open("banner/moi")
    shown = await editor.submit("banner", alt="Cổng", url="http://x.vn/", media=one, place="foot")
    assert shown.status == 422
    assert "https://" in shown.text
    assert ("alt", "Cổng") in shown.form("banner")["fields"]
    shown = await editor.submit("banner", url="https://x.vn/", until="2100-01-02T03:04")
    assert "Đã lưu banner" in shown.text
    await editor.open("banner/moi")
    shown = await editor.submit("banner", action="search", q="khong-co", alt="Tết", media=two, place="top")
    assert two in shown.html
    shown = await editor.submit("banner", starts_at="2100-01-02T03:04", is_advertisement="on")
    assert "chưa tới giờ" in shown.text
    shown = await editor.submit("banners", move="down:0")
    stored = (await pages.api.call("GET", "/banners?site=haihau", None, "read")).json()["items"]
    assert [item["image"]["alt"] for item in stored] == ["Tết", "Cổng"]
    assert (stored[0]["is_advertisement"], stored[1]["until"]) == (True, "2100-01-01T20:04:00Z")
    await editor.open(f"banner/{stored[1]['id']}")
    await editor.submit("banner", alt="Cổng dịch vụ công", until="")
    again = (await pages.api.call("GET", "/banners?site=haihau", None, "read")).json()["items"]
    assert again[1] == {**stored[1], "image": {**stored[1]["image"], "alt": "Cổng dịch vụ công"}, "until": None}
    shown = await editor.submit("banners", move="drop:0")
    assert "Tết" not in shown.text


async def test_banners_changed_meanwhile_keep_what_was_typed(visit: Any, pages: Pages) -> None:
    """The second one saves again, and the banner of the first stays; a writer has no buttons."""
    await pages.api.context.structures.step()
    one = await picture(pages)
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    await first.open("banner/moi")
    await second.open("banner/moi")
    await first.submit("banner", alt="Một", media=one)
    shown = await second.submit("banner", alt="Hai", media=one)
    assert shown.status == 412
    assert "Có người vừa đổi banner" in shown.text
    await second.submit("banner")
    stored = (await pages.api.call("GET", "/banners?site=haihau", None, "read")).json()["items"]
    assert [item["image"]["alt"] for item in stored] == ["Một", "Hai"]
    writer = await visit("write:haihau")
    shown = await writer.open("banner")
    assert 'name="move"' not in shown.html

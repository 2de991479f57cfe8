"""Static pages by plain forms, and by those that their script sends."""

import json
import re
from html import unescape
from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article_script import BLOCKS, scripted


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


def _data(shown: Any) -> Any:
    """Return what the page's script begins with; None if the page has no script."""
    found = re.search(r'<script type="application/json" id="stored">(.*?)</script>', shown.html, re.DOTALL)
    assert (found is None) == ("write.js" not in shown.html)
    return None if found is None else json.loads(found[1])


async def test_page_of_the_script_sends_blocks_and_keeps_them(visit: Any, pages: Pages) -> None:
    """Blocks are stored as they were sent; sent again they store no version; a refused form comes back with them."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    shown = await editor.open("trang/moi")
    assert _data(shown) == {"body": []}
    shown = await editor.submit("page", title="", **scripted(BLOCKS))
    assert (shown.status, _data(shown)) == (422, {"body": BLOCKS})
    shown = await editor.submit("page", title="Giới thiệu", **scripted(BLOCKS))
    first = _data(shown)
    assert [one["type"] for one in first["body"]] == ["paragraph", "figure"]
    shown = await editor.submit("page", **scripted(first["body"]), action="publish")
    second = _data(shown)
    assert (second["state"], second["has_changes"], second["body"]) == ("published", False, first["body"])
    shown = await editor.submit("page", **scripted(first["body"]))
    assert _data(shown)["version"] == second["version"]
    waiting = {"type": "figure", "caption": "", "credit": None, "image": None}
    shown = await editor.submit("page", **scripted([*first["body"], waiting]))
    assert _data(shown)["body"][-1] == waiting
    more = [*first["body"], {"type": "heading", "html": "Chiều", "level": 2}]
    shown = await editor.submit("page", **scripted(more, slug="Không Hợp Lệ"))
    assert (shown.status, _data(shown)["body"]) == (422, more)
    assert 'id="said-slug"' in shown.html
    assert "## Chiều" in dict(shown.form("page")["fields"])["body"]
    shown = await editor.submit("page", body="[{]", body_format="blocks")
    assert (shown.status, 'id="said-body"' in shown.html) == (422, True)


async def test_page_of_the_script_is_not_overwritten_by_another_tab(visit: Any, pages: Pages) -> None:
    """A version that is not the newest is refused with 412, and the newest one is read from the page's own address."""
    await pages.api.context.structures.step()
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    await first.open("trang/moi")
    await first.submit("page", title="Giới thiệu", **scripted(BLOCKS[:1]))
    address = first.at.partition("?")[0]
    await second.open(address)
    await first.submit("page", **scripted([{"type": "paragraph", "html": "Của Minh."}]))
    shown = await second.submit("page", **scripted([{"type": "paragraph", "html": "Của Lan."}]))
    assert (shown.status, _data(shown)["body"][0]["html"]) == (412, "Của Lan.")
    assert _data(await second.open(address))["body"][0]["html"] == "Của Minh."


async def test_markdown_that_was_refused_stays_markdown(visit: Any, pages: Pages) -> None:
    """The editor does not take the place of Markdown that somebody has typed; who may not publish has no editor."""
    await pages.api.context.structures.step()
    editor, writer = await visit("publish:haihau"), await visit("write:haihau")
    shown = await editor.open("trang/moi?mau=contact-vi")
    assert {one["type"] for one in _data(shown)["body"]} == {"heading", "paragraph", "table"}
    shown = await editor.submit("page", slug="Không Được", body="**Của tôi**")
    assert (shown.status, _data(shown), dict(shown.form("page")["fields"])["body"]) == (422, None, "**Của tôi**")
    shown = await editor.submit("page", slug="lien-he")
    assert _data(shown)["body"] == [{"type": "paragraph", "html": "<strong>Của tôi</strong>"}]
    assert _data(await writer.open(editor.at.partition("?")[0])) is None


async def test_page_that_is_too_large_is_shown_again_with_its_text(visit: Any, pages: Pages) -> None:
    """A text beyond the limit of a page is refused beside what was typed, with and without a script."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau")
    lines = ["ề" * 1_000] * 120
    await editor.open("trang/moi")
    shown = await editor.submit("page", title="Giới thiệu", body="\n\n".join(lines))
    assert (shown.status, dict(shown.form("page")["fields"])["body"]) == (413, "\n\n".join(lines))
    blocks = [{"type": "paragraph", "html": line} for line in lines]
    shown = await editor.submit("page", **scripted(blocks))
    assert (shown.status, _data(shown)["body"]) == (413, blocks)


async def test_refused_page_does_not_undo_what_others_have_saved_since(visit: Any, pages: Pages) -> None:
    """The form that comes back with an error is still about the version that it was made from, with a script too."""
    await pages.api.context.structures.step()
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    await first.open("trang/moi")
    await first.submit("page", title="Giới thiệu", body="Một.")
    address = first.at.partition("?")[0]
    for body in ({"body": "Của tôi."}, scripted([{"type": "paragraph", "html": "Của tôi."}])):
        await first.open(address)
        await second.open(address)
        await second.submit("page", body=f"Của Lan {len(body)}.")
        shown = await first.submit("page", **body, slug="Không Được")
        assert shown.status == 422
        shown = await first.submit("page", **body, slug="gioi-thieu")
        assert (shown.status, f"Của Lan {len(body)}." in shown.html) == (412, True)

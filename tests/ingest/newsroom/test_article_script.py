"""What the write page's script sends: the body as blocks, the name of its tab, the key of its unsaved text."""

import json
import threading
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.ingest.newsroom.article_form import article_form, block_form, changed_fields, plain_form, sent_fields
from services.ingest.newsroom.markdown import blocks_to_markdown
from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write

FIGURE = {
    "type": "figure",
    "caption": "Cổng chợ",
    "credit": None,
    "image": {"url": "https://a.example/1.jpg", "alt": "Cổng chợ"},
}
BLOCKS = [{"type": "paragraph", "html": "Từ <strong>sáng sớm</strong>."}, FIGURE]
TAB = "tab-1"


def scripted(blocks: Any = BLOCKS, **fields: Any) -> dict[str, Any]:
    """Return what a script sends beyond the form."""
    return {"body": json.dumps(blocks), "body_format": "blocks", "tab": TAB, **fields}


async def unsaved(visitor: Any) -> list[Any]:
    answer = await visitor.pages.api.send("GET", "/autosaves", b"", _headers(visitor))
    return list(answer.json()["autosaves"])


def _headers(visitor: Any) -> list[tuple[str, str]]:
    browser = visitor.browser
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return [("host", browser.origin.partition("://")[2]), ("cookie", cookies), ("origin", browser.origin)]


async def store(visitor: Any, path: str, **fields: Any) -> int:
    """Store an unsaved text as the tab does; return the status."""
    sent = {"tab": TAB, "sequence": 1, "fields": {"title": "Chưa lưu"}, **fields}
    headers = [*_headers(visitor), ("x-csrf-token", visitor.browser.csrf), ("content-type", "application/json")]
    content = json.dumps(sent).encode()
    answer = await visitor.pages.api.send("PUT", path, content, [*headers, ("content-length", str(len(content)))])
    return int(answer.status)


async def test_blocks_are_saved_as_they_were_sent(visit: Any, pages: Pages) -> None:
    """Blocks come back as they are; sent again they change nothing; a publication leads back to the write page."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, **scripted())
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert [one["type"] for one in stored["body"]] == ["paragraph", "figure"]
    assert stored["body"][0]["html"] == "Từ <strong>sáng sớm</strong>."
    await editor.open(f"bai-viet/{article}")
    shown = await editor.submit("write", **scripted(stored["body"]), action="save")
    assert "Không có gì thay đổi" in shown.text
    await editor.submit("write", **scripted(stored["body"]), action="publish")
    published = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert published["live_state"] == "published"
    assert editor.at.endswith(f"/bai-viet/{article}?publication={published['version']}")


async def test_unsaved_text_of_a_new_article_is_closed_with_its_creation(visit: Any) -> None:
    """The article that is made from an unsaved text removes it, and a later text of its key names the article."""
    writer = await visit("write:haihau", name="Lan")
    shown = await writer.open("bai-viet/moi", site="haihau")
    key = dict(shown.form("write")["fields"])["key"]
    assert UUID(key)
    assert await store(writer, f"/autosaves/{key}", site="haihau") == 200
    assert len(await unsaved(writer)) == 1
    await writer.submit("write", title="Tựa", section="tin-tuc", **scripted(), action="save")
    assert await unsaved(writer) == []
    assert await store(writer, f"/autosaves/{key}", site="haihau", sequence=9) == 409


async def test_save_removes_the_unsaved_text_of_its_own_tab_alone(visit: Any) -> None:
    """A text of another tab of the same person stays, that of the tab that has saved goes."""
    writer = await visit("write:haihau", name="Lan")
    article = await write(writer)
    for tab, left in (("tab-2", 1), (TAB, 0)):
        assert await store(writer, f"/articles/{article}/autosave", tab=tab, base_version=1) == 200
        await writer.open(f"bai-viet/{article}")
        await writer.submit("write", title=f"Tựa {tab}", **scripted(), action="save")
        assert len(await unsaved(writer)) == left
        headers = [*_headers(writer), ("x-csrf-token", writer.browser.csrf)]
        await writer.pages.api.send("DELETE", f"/articles/{article}/autosave", b"", headers)


async def test_step_that_is_refused_after_the_save_shows_the_saved_version(visit: Any) -> None:
    """A publication without the caption of a picture is refused; the page has the version that was saved."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    await editor.open(f"bai-viet/{article}")
    shown = await editor.submit("write", **scripted([{**FIGURE, "caption": ""}]), action="publish")
    assert shown.status == 422
    data = json.loads(shown.html.partition('id="stored">')[2].partition("</script>")[0])
    assert (data["version"], dict(shown.form("write")["fields"])["version"]) == (3, "3")
    assert 'id="said-body"' in shown.html
    assert "](https://a.example/1.jpg" in dict(shown.form("write")["fields"])["body"]


def test_form_with_blocks_changes_what_the_form_with_markdown_changes() -> None:
    """Both forms of an article are compared and sent alike."""
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    article = {"title": "Tựa", "section": "tin-tuc", "body": BLOCKS}
    blocks, plain = block_form(article, zone), article_form(article, zone)
    assert plain_form(blocks) == plain
    other = block_form({**article, "body": BLOCKS[:1]}, zone)
    assert changed_fields(other, blocks) == ["body"] == changed_fields(plain_form(other), plain)
    assert changed_fields(block_form(article, zone), blocks) == []
    assert sent_fields(blocks, ["body"], zone) == sent_fields(plain, ["body"], zone)


async def test_bodies_are_converted_off_the_event_loop(
    visit: Any, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening and saving an article convert its body in threads: 20,000 words take half a second."""
    threads = []

    def recorded(body: Any) -> str:
        if body:
            threads.append(threading.current_thread())
        return blocks_to_markdown(body)

    monkeypatch.setattr("services.ingest.newsroom.article_form.blocks_to_markdown", recorded)
    visitor = await visit("write:haihau", name="Lan")
    article = await write(visitor)
    await visitor.open(f"bai-viet/{article}")
    await visitor.submit("write", body="Khác.", action="save")
    assert threads
    assert threading.main_thread() not in threads


async def test_save_without_changes_takes_in_what_others_have_saved(visit: Any, pages: Pages) -> None:
    """The script hears of the newer version, and of the version of each save: it never goes on from a text unseen."""
    first, second = await visit("write:haihau", name="Lan"), await visit("write:haihau", name="Nam")
    article = await write(first)
    shown = await first.open(f"bai-viet/{article}")
    body = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()["body"]
    form = shown.form("write")
    await first.submit(form, **scripted(body), action="save")
    assert first.at.endswith("?version=1&done=unchanged")
    await second.open(f"bai-viet/{article}")
    await second.submit("write", **scripted([*body, {"type": "paragraph", "html": "Của Nam."}]), action="save")
    assert second.at.endswith("?version=2&done=saved")
    form["fields"] = [one for one in form["fields"] if one[0] != "form_number"]
    shown = await first.submit(form, **scripted(body), action="save")
    assert shown.status == 412
    shown = await first.submit(form, **scripted(body, slug="Không Hợp Lệ"), action="save")
    assert shown.status == 422
    assert dict(shown.form("write")["fields"])["version"] == "1"

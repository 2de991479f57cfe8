"""The front page by plain forms."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_front_page_is_arranged_moved_and_seen_at_a_time(visit: Any, pages: Pages) -> None:
    """A slot without an end keeps the form; buttons move slots; a writer sees the page without them."""
    await pages.api.context.structures.step()
    editor, writer = await visit("publish:haihau", name="Minh"), await visit("write:haihau", name="Lan")
    one, two = [await write(editor, title=title, action="publish") for title in ("Bài một", "Bài hai")]
    shown = await editor.open("trang-nhat")
    version = dict(shown.form("trang-nhat")["fields"])["version"]
    fields = [("csrf", editor.browser.csrf), ("version", version), ("article", one), ("until", "")]
    form = {"action": "/ban-bien-tap/trang-nhat", "fields": fields}
    shown = await editor.submit(form, breaking_text="Bão số 9", breaking_until="2030-01-01T07:00")
    assert shown.status == 422
    assert "cần có lúc kết thúc" in shown.text
    slots = [("article", one), ("until", "2030-01-02T07:00"), ("article", two), ("until", "2030-01-02T08:00")]
    form = {**form, "fields": [*fields[:2], *slots]}
    shown = await editor.submit(form, move="down:0")
    assert [value for name, value in shown.form("trang-nhat")["fields"] if name == "article"][:2] == [two, one]
    shown = await editor.submit("trang-nhat", breaking_text="Bão số 9", breaking_until="2030-01-01T07:00")
    assert "Đã xếp trang nhất" in shown.text
    stored = (await pages.api.call("GET", "/front-page?site=haihau", None, "read")).json()
    assert [slot["id"] for slot in stored["slots"]] == [two, one]
    assert stored["breaking"]["text"] == "Bão số 9"
    shown = await writer.open("trang-nhat", at="2030-01-01T08:00")
    assert "Bài hai" in shown.text
    assert "Lưu lên trang nhất" not in shown.text

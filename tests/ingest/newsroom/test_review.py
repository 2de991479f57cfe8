"""Review by plain forms: the version that was read is the one that is approved."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_writer_submits_and_editor_reads_approves_and_publishes(visit: Any, pages: Pages) -> None:
    """The version that was read is the one that is published; a change meanwhile is shown first."""
    writer, editor = await visit("write:haihau", name="Lan"), await visit("publish:haihau", name="Minh")
    article = await write(writer)
    shown = await writer.open(f"bai-viet/{article}")
    assert ">Gửi duyệt<" in shown.html
    assert 'value="publish"' not in shown.html
    shown = await writer.submit("write", action="submit")
    assert "gửi duyệt" in shown.text
    shown = await editor.open("", tab="waiting")
    assert "Chợ phiên Cồn mở lại" in shown.text
    await editor.open(f"bai-viet/{article}/duyet")
    form = editor.last.form()
    await pages.api.call("PATCH", f"/articles/{article}", {"version": 2, "lead": "Khác"}, "publish")
    shown = await editor.submit(form, action="publish")
    assert shown.status == 412
    assert "Có người đã sửa bài" in shown.text
    shown = await editor.submit(action="publish")
    assert editor.at.startswith(f"/ban-bien-tap/bai-viet/{article}/len-trang")
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["state"], stored["live_state"]) == ("published", "published")


async def test_returned_article_shows_the_reason(visit: Any) -> None:
    """The author finds it on the desk, with the reason."""
    writer, editor = await visit("write:haihau", name="Lan"), await visit("publish:haihau", name="Minh")
    article = await write(writer)
    await writer.open(f"bai-viet/{article}")
    await writer.submit("write", action="submit")
    shown = await editor.open(f"bai-viet/{article}/duyet")
    refusal = {"action": "", "fields": [*shown.form()["fields"], ("reason", "Thiếu nguồn ảnh")]}
    await editor.submit(refusal, action="refuse")
    shown = await writer.open("", tab="returned")
    assert "Thiếu nguồn ảnh" in shown.text
    shown = await writer.open(f"bai-viet/{article}")
    assert "Minh trả lại" in shown.text


async def test_review_and_comparison_name_the_article_of_a_card(visit: Any, pages: Pages) -> None:
    """A card is read by its title; one of an article that was discarded since keeps its number."""
    writer, editor = await visit("write:haihau", name="Lan"), await visit("publish:haihau", name="Minh")
    target, gone = await write(writer, "Bến cá Thịnh Long"), await write(writer, "Bài sẽ bỏ")
    article = await write(writer, body=f"Đoạn.\n\n[→](article:{target})\n\n[→](article:{gone})")
    await pages.api.call("DELETE", f"/articles/{gone}", None, "publish", if_match='"1"')
    shown = await editor.open(f"bai-viet/{article}/duyet")
    assert "Bến cá Thịnh Long (№ 1)" in shown.text
    assert "№ 2" in shown.text
    assert "Bài sẽ bỏ" not in shown.text
    await writer.open(f"bai-viet/{article}")
    await writer.submit("write", body=f"Đoạn sửa.\n\n[→](article:{target})", action="save")
    shown = await editor.open(f"bai-viet/{article}/so-sanh", **{"from": 1, "to": 2})
    assert "Bến cá Thịnh Long (№ 1)" in shown.text


async def test_hints_name_fields_as_the_form_does(visit: Any) -> None:
    """Neither the page that reviews nor the one that writes shows a name of the API."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, title="Chợ phiên Cồn mở lại " * 6)
    for path in (f"bai-viet/{article}", f"bai-viet/{article}/duyet"):
        shown = await editor.open(path)
        assert "Tựa đề: có" in shown.text
        assert "<code>title" not in shown.html

"""Comments on a waiting article, by plain forms."""

from typing import Any

from tests.ingest.newsroom.conftest import FormReader, Pages, Shown
from tests.ingest.newsroom.test_article import write

BODY = "Đoạn một.\n\n## Chợ mới\n\nĐoạn hai."


def form_with(shown: Shown, action: str, **values: str) -> dict[str, Any]:
    """Return the form of a page that has a button and values."""
    return next(
        one
        for one in FormReader(shown.html).forms
        if ("action", action) in one["buttons"] and values.items() <= dict(one["fields"]).items()
    )


async def test_comment_is_below_its_block_resolved_and_deleted(visit: Any, pages: Pages) -> None:
    """The reviewer comments on a block and on the article; the writer resolves, only its author deletes."""
    writer, editor = await visit("write:haihau", name="Lan"), await visit("publish:haihau", name="Minh")
    article = await write(writer, body=BODY)
    await writer.open(f"bai-viet/{article}")
    await writer.submit("write", action="submit")
    shown = await editor.open(f"bai-viet/{article}/duyet", block="2")
    shown = await editor.submit(form_with(shown, "add", block="2"), text="Kiểm <b>số liệu</b>", action="add")
    assert editor.at.endswith(f"/bai-viet/{article}/duyet#block-2")
    below = shown.html.partition('id="block-2"')[2].partition("</div>\n</div>")[0]
    assert "Kiểm &lt;b&gt;số liệu&lt;/b&gt;" in below
    shown = await editor.submit(form_with(shown, "add", block=""), text="Thêm ảnh", action="add")
    assert "Thêm ảnh" in shown.html.partition('id="comments"')[2]
    shown = await writer.open(f"bai-viet/{article}/duyet")
    assert ("action", "delete") not in [button for one in FormReader(shown.html).forms for button in one["buttons"]]
    shown = await writer.submit(form_with(shown, "resolve", block="2"), action="resolve")
    assert "Lan đã đánh dấu xong" in shown.text
    shown = await writer.submit(form_with(shown, "reopen", block="2"), action="reopen")
    assert "đã đánh dấu xong" not in shown.text
    shown = await editor.open(f"bai-viet/{article}/duyet")
    shown = await editor.submit(form_with(shown, "delete", block="2"), action="delete")
    assert "số liệu" not in shown.text
    stored = (await pages.api.call("GET", f"/articles/{article}/comments", None, "read")).json()
    assert [one["text"] for one in stored["comments"]] == ["Thêm ảnh"]


async def test_comment_follows_its_block_beside_the_live_version(visit: Any, pages: Pages) -> None:
    """In a review beside the live page a comment is below its block, also after blocks were added and removed."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, body=BODY, action="publish")
    await editor.open(f"bai-viet/{article}")
    await editor.submit("write", body="Mới.\n\nĐoạn hai.\n\nSau.", action="save")
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    sent = {"version": stored["version"], "block": 1, "text": "Về đoạn hai"}
    await pages.api.call("POST", f"/articles/{article}/comments", sent, "write")
    shown = await editor.open(f"bai-viet/{article}/duyet")
    assert "Về đoạn hai" in shown.html.partition('id="block-1"')[2].partition('id="block-2"')[0]
    row = shown.html.partition('id="block-1"')[0].rpartition("<tr")[2]
    assert "Đoạn hai." in row


async def test_comment_without_the_right_to_write_is_refused(visit: Any) -> None:
    """Who may only read sees comments and no form; a form that is sent anyway changes nothing."""
    writer, reader = await visit("write:haihau", name="Lan"), await visit("read:haihau", name="Bình")
    article = await write(writer, body=BODY)
    shown = await reader.open(f"bai-viet/{article}/duyet", block="0")
    assert "nhan-xet" not in shown.html
    form = {"action": f"/ban-bien-tap/bai-viet/{article}/nhan-xet", "fields": [("csrf", reader.browser.csrf)]}
    shown = await reader.submit(form, action="add", block="0", text="Không được")
    assert shown.status == 403
    shown = await writer.open(f"bai-viet/{article}/duyet")
    assert "Không được" not in shown.text

"""Corrections of a live page, and its settings, by plain forms."""

import json
import re
from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write
from tests.ingest.newsroom.test_article_script import scripted


async def test_live_page_is_corrected_beside_a_draft(visit: Any, pages: Pages) -> None:
    """The draft stays a draft and gets the same change; what is invalid is shown beside what was typed."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, action="publish")
    await editor.open(f"bai-viet/{article}")
    await editor.submit("write", lead="Sapo của bản sau.", action="save")
    shown = await editor.open(f"bai-viet/{article}/dang-dang")
    assert dict(shown.form()["fields"])["lead"] == "Sáng nay."
    await editor.submit(title="Tựa đã sửa", pinned_until="2030-01-02T07:30")
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    live = (await pages.api.call("GET", f"/articles/{article}?copy=live", None, "read")).json()
    assert (live["title"], live["lead"], live["pinned_until"]) == ("Tựa đã sửa", "Sáng nay.", "2030-01-02T00:30:00Z")
    assert (stored["title"], stored["lead"], stored["state"]) == ("Tựa đã sửa", "Sapo của bản sau.", "draft")
    await editor.open(f"bai-viet/{article}/dang-dang")
    shown = await editor.submit(slug="Không Hợp Lệ", title="Tựa mới")
    assert shown.status == 422
    assert ("title", "Tựa mới") in shown.form()["fields"]


async def test_live_page_of_the_script_sends_blocks_and_keeps_them(visit: Any, pages: Pages) -> None:
    """The page has the live version for its script; a refused form comes back with the blocks that were sent."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, action="publish")
    await editor.open(f"bai-viet/{article}")
    await editor.submit("write", body="Bản nháp.", action="save")
    shown = await editor.open(f"bai-viet/{article}/dang-dang")
    data = _data(shown)
    assert (data["id"], data["body"]) == (article, [{"type": "paragraph", "html": "Từ <strong>sáng sớm</strong>."}])
    blocks = [*data["body"], {"type": "heading", "html": "Chiều", "level": 2}]
    shown = await editor.submit("live", **scripted(blocks, slug="Không Hợp Lệ"))
    assert (shown.status, _data(shown)["body"]) == (422, blocks)
    await editor.open(f"bai-viet/{article}/dang-dang")
    await editor.submit("live", **scripted(blocks))
    assert "?publication=" in editor.at
    live = (await pages.api.call("GET", f"/articles/{article}?copy=live", None, "read")).json()
    assert live["body"] == blocks
    head = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (head["state"], head["body"][0]["html"]) == ("draft", "Bản nháp.")
    await editor.open(f"bai-viet/{article}/dang-dang")
    shown = await editor.submit("live", **scripted(blocks))
    assert "Không có gì thay đổi" in shown.text


def _data(shown: Any) -> Any:
    found = re.search(r'<script type="application/json" id="stored">(.*?)</script>', shown.html, re.DOTALL)
    assert found
    return json.loads(found[1])


async def test_live_page_that_two_correct_keeps_both_changes(visit: Any, pages: Pages) -> None:
    """The second one has the other's correction in the form, and reads both texts of what both have changed."""
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    article = await write(first, action="publish")
    for editor in (first, second):
        await editor.open(f"bai-viet/{article}/dang-dang")
    await first.submit("live", title="Tựa của Minh", lead="Sapo của Minh")
    shown = await second.submit("live", lead="Sapo của Lan", slug="Không Hợp Lệ")
    assert shown.status == 422
    shown = await second.submit("live", slug="cho-con")
    assert shown.status == 412
    fields = dict(shown.form("live")["fields"])
    assert (fields["title"], fields["lead"], fields["slug"]) == ("Tựa của Minh", "Sapo của Lan", "cho-con")
    assert "Sapo của Minh" in shown.text
    await second.submit("live")
    live = (await pages.api.call("GET", f"/articles/{article}?copy=live", None, "read")).json()
    assert (live["title"], live["lead"], live["slug"]) == ("Tựa của Minh", "Sapo của Lan", "cho-con")

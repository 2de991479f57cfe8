"""The desk: who sees what, and changes of many articles."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_editor_of_one_section_sees_and_may_do_only_that(visit: Any) -> None:
    """Articles of other sections are not there; buttons that the rights do not cover are not shown."""
    both, one = await visit("publish:haihau", name="Minh"), await visit("publish:haihau:thong-bao", name="Nga")
    news, notice = await write(both, title="Tin của xã"), await write(both, title="Thông báo", section="thong-bao")
    shown = await one.open("", tab="all")
    assert "Thông báo" in shown.text
    assert "Tin của xã" not in shown.text
    assert (await one.open(f"bai-viet/{news}")).status == 404
    shown = await one.open(f"bai-viet/{notice}")
    assert 'value="publish"' in shown.html
    assert "tin-tuc" not in shown.html
    reader = await visit("read:haihau", name="Hoa")
    shown = await reader.open(f"bai-viet/{notice}")
    assert 'name="action"' not in shown.html
    assert "Viết bài" not in shown.text


async def test_bulk_changes_chosen_articles_and_asks_before_taking_down(visit: Any, pages: Pages) -> None:
    """Tags are added at once; a withdrawal of several is asked for first."""
    editor = await visit("publish:haihau", name="Minh")
    one, two = await write(editor, title="Bài một", action="publish"), await write(editor, title="Bài hai")
    shown = await editor.open("", tab="mine")
    form = shown.form("?tab=mine")
    items = [f"{one}:4", f"{two}:1"]
    shown = await editor.submit(form, item=items, bulk="tag", tags="bão số 3")
    assert "Đã thay đổi 2 bài" in shown.text
    stored = (await pages.api.call("GET", f"/articles/{two}", None, "read")).json()
    assert stored["tags"] == ["bão số 3"]
    shown = await editor.submit(form, item=[f"{one}:5"], bulk="unpublish")
    assert "Gỡ 1 bài xuống" in shown.text
    shown = await editor.submit()
    assert "Đã thay đổi 1 bài" in shown.text
    stored = (await pages.api.call("GET", f"/articles/{one}", None, "read")).json()
    assert stored["live_state"] == "unpublished"


async def test_calendar_of_another_week_leads_back_to_this_one(visit: Any) -> None:
    """The link has the words of a calendar, and not those of the access counter."""
    editor = await visit("publish:haihau", name="Minh")
    shown = await editor.open("", tab="scheduled", week="2026-01-05")
    assert "Thứ Hai 5/1" in shown.text
    assert ("Tuần này" in shown.text, "Trong tuần" in shown.text) == (True, False)
    for week in ("9999-12-31", "0001-01-01", "rác"):
        assert (await editor.open("", tab="scheduled", week=week)).status == 200


async def test_bulk_refusals_are_in_the_language_of_the_page(visit: Any) -> None:
    """An article that somebody has changed meanwhile is named in Vietnamese on a Vietnamese page."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    await editor.open("", tab="mine")
    shown = await editor.submit("?tab=mine", item=[f"{article}:9"], bulk="tag", tags="bão")
    assert "Đã có bản mới hơn" in shown.text
    assert "The request" not in shown.text

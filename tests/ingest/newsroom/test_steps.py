"""Steps of the workflow that are asked for first."""

import re
from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_publisher_publishes_corrects_and_takes_down(visit: Any, pages: Pages) -> None:
    """A typo of a live page is two clicks; a withdrawal says what its address shows, and asks first."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor, action="publish")
    assert "/len-trang" in editor.at
    shown = await editor.open(f"bai-viet/{article}")
    assert "Sửa trang đang đăng" in shown.text
    await editor.submit("write", title="Chợ phiên Cồn mở lại hôm nay", action="live")
    live = (await pages.api.call("GET", f"/articles/{article}?copy=live", None, "read")).json()
    assert live["title"] == "Chợ phiên Cồn mở lại hôm nay"
    shown = await editor.open(f"bai-viet/{article}/dang-dang")
    await editor.submit(priority="1", correction="Ngày mở lại là 4/3.")
    live = (await pages.api.call("GET", f"/articles/{article}?copy=live", None, "read")).json()
    assert (live["priority"], live["corrections"][0]["text"]) == (1, "Ngày mở lại là 4/3.")
    shown = await editor.open(f"bai-viet/{article}/buoc/unpublish")
    assert "không có trang này" in shown.text
    shown = await editor.submit(reason="nhầm bài")
    assert "Đã gỡ" in shown.text
    for name in ("kill", "archive", "discard", "nothing", "submit"):
        shown = await editor.open(f"bai-viet/{article}/buoc/{name}")
        assert shown.status == (404 if name in ("nothing", "submit") else 200)


async def test_draft_that_was_never_public_can_be_discarded_and_not_withdrawn(visit: Any) -> None:
    """Nobody has seen it: there is nothing to archive or to withdraw for good."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    shown = await editor.open(f"bai-viet/{article}")
    assert "/buoc/discard" in shown.html
    assert not {"kill", "archive", "unpublish"} & set(re.findall(r"/buoc/(\w+)", shown.html))


async def test_schedule_is_in_the_zone_of_the_site(visit: Any, pages: Pages) -> None:
    """What is typed is local time; the calendar of the week shows it."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    stored = await pages.api.call("POST", f"/articles/{article}/submit")
    await pages.api.call("POST", f"/articles/{article}/approve", {"version": stored.json()["version"]}, "publish")
    await editor.open(f"bai-viet/{article}/buoc/schedule")
    shown = await editor.submit(publish_at="2030-01-02T07:30")
    assert "Đã hẹn giờ" in shown.text
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert stored["scheduled_for"] == "2030-01-02T00:30:00Z"
    shown = await editor.open("", tab="scheduled", week="2030-01-02")
    assert "07:30" in shown.text
    assert "Thứ Tư 2/1" in shown.text


async def test_schedule_in_the_past_or_at_no_time_is_refused_in_words(visit: Any, pages: Pages) -> None:
    """A wrong year does not publish at once; what is no time is refused in the language of the page."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    stored = await pages.api.call("POST", f"/articles/{article}/submit")
    await pages.api.call("POST", f"/articles/{article}/approve", {"version": stored.json()["version"]}, "publish")
    for time, fault in (("2020-01-02T07:30", "phải ở tương lai"), ("2026-13-45T99:99", "phải là ngày và giờ")):
        await editor.open(f"bai-viet/{article}/buoc/schedule")
        shown = await editor.submit(publish_at=time)
        assert shown.status == 422
        assert f"Đăng lúc: {fault}." in shown.text
    assert (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()["state"] == "approved"

"""Write, approve, publish and restore an article by plain forms."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages


async def write(visitor: Any, title: str = "Chợ phiên Cồn mở lại", **fields: Any) -> str:
    """Write a draft and return its ID."""
    await visitor.open("bai-viet/moi", site="haihau")
    given = {"title": title, "lead": "Sáng nay.", "body": "Từ **sáng sớm**.", "section": "tin-tuc", "action": "save"}
    shown = await visitor.submit("write", **{**given, **fields})
    assert shown.status == 200, shown.text
    return str(visitor.at.partition("?")[0].split("/")[3])


async def test_draft_is_written_and_changed_field_by_field(visit: Any, pages: Pages) -> None:
    """A form sends only what was changed; the body comes back as it was written."""
    visitor = await visit("write:haihau", name="Trần Lan")
    article = await write(visitor, tags="chợ, Hải Hậu", source_name="Báo Nam Định", authors="Trần Nam, Phóng viên")
    shown = await visitor.open(f"bai-viet/{article}")
    fields = dict(shown.form("write")["fields"])
    assert (fields["body"], fields["tags"], fields["authors"]) == (
        "Từ **sáng sớm**.",
        "chợ, Hải Hậu",
        "Trần Nam, Phóng viên",
    )
    before = len(pages.calls)
    shown = await visitor.submit("write", action="save")
    assert "Không có gì thay đổi" in shown.text
    assert "PATCH" not in [method for method, _ in pages.calls[before:]]
    shown = await visitor.submit("write", title="Chợ phiên họp trở lại", action="save")
    assert "Đã lưu" in shown.text
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["title"], stored["version"], stored["source"]["name"]) == (
        "Chợ phiên họp trở lại",
        2,
        "Báo Nam Định",
    )


async def test_form_sent_twice_makes_one_article(visit: Any, pages: Pages) -> None:
    """A double click on a new article's button is one draft."""
    visitor = await visit("write:haihau")
    shown = await visitor.open("bai-viet/moi", site="haihau")
    form, at = shown.form("write"), visitor.at
    for _ in range(2):
        visitor.at = at
        await visitor.submit(form, title="Một bài", section="tin-tuc", action="save")
    counted = (await pages.api.call("GET", "/articles/counts", None, "read")).json()
    assert counted["total"] == 1


async def test_invalid_fields_are_shown_beside_what_was_typed(visit: Any) -> None:
    """Nothing that was typed is lost, and each field says what is wrong with it."""
    visitor = await visit("write:haihau")
    await visitor.open("bai-viet/moi", site="haihau")
    shown = await visitor.submit("write", title="Tựa", body="Đoạn văn dài.", section="tin-tuc", slug="Không Hợp Lệ")
    assert shown.status == 422
    assert "Đoạn văn dài." in shown.html
    assert 'aria-describedby="said-slug"' in shown.html


async def test_two_people_who_write_at_once_see_both_texts(visit: Any, pages: Pages) -> None:
    """Changes of other fields are merged; where both changed the same one, both texts are shown, and saving decides."""
    first, second = await visit("write:haihau", name="Lan"), await visit("write:haihau", name="Nam")
    article = await write(first)
    for visitor in (first, second):
        await visitor.open(f"bai-viet/{article}")
    await second.submit("write", lead="Sapo của Nam", body="Thân bài của Nam.", action="save")
    shown = await first.submit("write", title="Tựa của Lan", body="Thân bài của Lan.", action="save")
    assert shown.status == 412
    assert "Nam đã lưu bài này" in shown.text
    fields = dict(shown.form("write")["fields"])
    assert (fields["lead"], fields["title"], fields["body"]) == ("Sapo của Nam", "Tựa của Lan", "Thân bài của Lan.")
    assert "Thân bài của Nam." in shown.text
    shown = await first.submit("write", action="save")
    assert shown.status == 200
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["title"], stored["lead"]) == ("Tựa của Lan", "Sapo của Nam")


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


async def test_history_compares_and_restores(visit: Any, pages: Pages) -> None:
    """Each version says who made it when; two are compared word by word, and a former one comes back as a draft."""
    writer = await visit("write:haihau", name="Lan")
    article = await write(writer, body="Sáng nay chợ họp.")
    await writer.open(f"bai-viet/{article}")
    await writer.submit("write", body="Chiều nay chợ họp.", note="đổi giờ", action="save")
    shown = await writer.open(f"bai-viet/{article}/lich-su")
    assert "đổi giờ" in shown.text
    assert "Lan" in shown.text
    shown = await writer.open(f"bai-viet/{article}/so-sanh", **{"from": 1, "to": 2})
    assert "<del>Sáng</del>" in shown.html
    assert "<ins>Chiều</ins>" in shown.html
    shown = await writer.submit()
    assert "Bản cũ đã trở lại" in shown.text
    assert "Sáng nay chợ họp." in shown.html


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


async def test_csrf_of_a_form_is_the_sessions_own(visit: Any) -> None:
    """A form without the token of the session changes nothing, and keeps what was typed."""
    visitor = await visit("write:haihau")
    await visitor.open("bai-viet/moi", site="haihau")
    shown = await visitor.submit("write", csrf="x" * 43, title="Tựa", body="Đoạn", section="tin-tuc")
    assert shown.status == 403
    assert ("title", "Tựa") in shown.form()["fields"]

"""Write an article by plain forms."""

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


async def test_pasted_direction_characters_are_left_out(visit: Any, pages: Pages) -> None:
    """Characters that a phone has put around a name, and that nobody sees, do not keep a form from being saved."""
    visitor = await visit("write:haihau")
    article = await write(
        visitor, title="Ông \u2068Nam\u2069 về hưu", body="Từ \u202axã\u202c Hải Bắc.\x00", tags="\u200eHưu trí\u2069"
    )
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["title"], stored["body"][0]["html"]) == ("Ông Nam về hưu", "Từ xã Hải Bắc.")


async def test_form_of_a_new_article_that_is_sent_twice_shows_its_result(visit: Any, pages: Pages) -> None:
    """A second click is no conflict with oneself; the way back and other words ask before they make another article."""
    editor = await visit("publish:haihau", name="Minh")
    await editor.open("bai-viet/moi", site="haihau")
    form, typed = editor.last.form("write"), {"title": "Chợ Cồn", "body": "Đoạn", "section": "tin-tuc"}
    for _ in range(2):
        await editor.submit(form, **typed, action="publish")
        assert "/len-trang?" in editor.at
    shown = await editor.submit(form, **{**typed, "title": "Chợ Lương"}, action="save")
    assert shown.status == 422
    assert "đã được lưu thành một bài" in shown.text
    await editor.submit("write", action="save")
    assert "done=saved" in editor.at
    found = (await pages.api.call("GET", "/articles?fields=short&site=haihau", None, "read")).json()["articles"]
    assert sorted(one["title"] for one in found) == ["Chợ Cồn", "Chợ Lương"]


async def test_step_publishes_only_the_text_that_was_shown(visit: Any, pages: Pages) -> None:
    """A form in which nothing was changed does not publish what somebody else has saved since; it shows it first."""
    editor, other = await visit("publish:haihau", name="Minh"), await visit("write:haihau", name="Lan")
    article = await write(editor)
    for visitor in (editor, other):
        await visitor.open(f"bai-viet/{article}")
    await other.submit("write", body="Chưa ai đọc đoạn này.", action="save")
    shown = await editor.submit("write", action="publish")
    assert (shown.status, "Lan đã lưu bài này" in shown.text) == (412, True)
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["state"], stored["live_state"]) == ("draft", None)
    assert dict(shown.form("write")["fields"])["body"] == "Chưa ai đọc đoạn này."
    await editor.submit("write", action="publish")
    assert "/len-trang?" in editor.at


async def test_refused_form_does_not_undo_what_others_have_saved_since(visit: Any, pages: Pages) -> None:
    """The form that comes back with an error is still about the version that it was made from."""
    first, second = await visit("write:haihau", name="Lan"), await visit("write:haihau", name="Nam")
    article = await write(first)
    for visitor in (first, second):
        await visitor.open(f"bai-viet/{article}")
    await second.submit("write", lead="Sapo của Nam", action="save")
    shown = await first.submit("write", title="Tựa của Lan", slug="Không Hợp Lệ", action="save")
    assert shown.status == 422
    shown = await first.submit("write", slug="", action="save")
    assert shown.status == 412
    assert "Nam đã lưu bài này" in shown.text
    await first.submit("write", action="save")
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["title"], stored["lead"]) == ("Tựa của Lan", "Sapo của Nam")


async def test_form_whose_answer_was_lost_is_no_conflict_with_itself(visit: Any, pages: Pages) -> None:
    """The same words sent again, by another page or process, lead on from what is stored."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    await editor.open(f"bai-viet/{article}")
    form = editor.last.form("write")
    again = {**form, "fields": [one for one in form["fields"] if one[0] != "form_number"]}
    changed = {"body": "*  một\n*  hai\n\nTừ “sáng”", "tags": "chợ,Hải Hậu", "priority": "2"}
    for action in ("save", "submit", "publish", "publish"):
        for sent in (form, again):
            shown = await editor.submit(sent, **changed, action=action)
            assert shown.status == 200, shown.text
    stored = (await pages.api.call("GET", f"/articles/{article}", None, "read")).json()
    assert (stored["state"], stored["version"]) == ("published", 5)

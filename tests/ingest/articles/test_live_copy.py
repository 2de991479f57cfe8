"""Changes of the live copy, and what becomes of the copies beside it."""

from datetime import timedelta
from typing import Any

import pytest

from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.live_copy import (
    GROUPS,
    CopyField,
    carry_over,
    change_live,
    groups_of,
    live_copy_of,
    undone_fixes,
)
from services.ingest.articles.workflow import edit_article
from services.ingest.content.article_models import LIVE_FIELDS
from shared.articles import Paragraph
from shared.http.problems import Problem
from tests.ingest.articles.test_copies import LATER, walk
from tests.ingest.articles.test_workflow import NOW, article

BODY = [Paragraph("một"), Paragraph("hai"), Paragraph("ba")]


def edited(stored: StoredArticle, **fields: Any) -> StoredArticle:
    return stored.after(edit_article(stored, fields, by_publisher=False, now=NOW))


@pytest.fixture
def live() -> StoredArticle:
    """A published article without other copies."""
    return walk(StoredArticle(article(body=BODY), None), "submit", "approve", "publish")


def fix(stored: StoredArticle, **fields: Any) -> StoredArticle:
    change = change_live(stored, fields, NOW)
    assert change is not None
    return stored.after(change)


def test_groups_have_each_field_of_the_request_once() -> None:
    """Each field that the request takes belongs to one group, with an action and a scope."""
    fields = [name for group in GROUPS for name in group.fields]
    assert sorted(fields) == sorted(LIVE_FIELDS)
    assert len({group.action for group in GROUPS}) == len(GROUPS)
    assert {group.scope for group in GROUPS} == {"publish"}
    assert [group.action for group in groups_of(["tags", "title"])] == ["fix", "retag"]


@pytest.mark.parametrize("group", GROUPS, ids=lambda one: one.action)
def test_change_of_live_copy_leaves_the_draft_alone(live: StoredArticle, group: Any) -> None:
    """Each group of fields goes live at once; the unfinished text stays a draft, and is not published."""
    values: dict[str, Any] = {
        "title": "Đúng",
        "corrections": [],
        "section": "thong-bao",
        "slug": "dung",
        "unpublish_at": LATER,
        "seo": None,
        "tags": ["chợ"],
        "priority": 1,
    }
    draft = edited(live, lead="Chưa xong")
    name = group.fields[0]
    change = change_live(draft, {name: values[name]}, NOW)
    if getattr(live.live, name) == values[name]:
        assert change is None
        return
    assert change is not None
    assert change.live is not None
    assert (change.action, change.is_public_change, change.copies) == (group.action, True, ("live",))
    assert (change.live.lead, getattr(change.live, name)) == ("", values[name])
    assert (change.head.lead, change.head.state, getattr(change.head, name)) == (
        *("Chưa xong", "draft"),
        getattr(draft.head, name),
    )
    assert change.live.version == change.head.version == draft.head.version + 1
    assert change.unpublish_due_at == change.live.unpublish_at


def test_change_of_live_copy_without_a_draft_is_one_of_both(live: StoredArticle) -> None:
    """A working copy without unpublished changes stays the live one."""
    fixed = fix(live, title="Đúng")
    assert fixed.head == fixed.live
    assert fixed.live_changes == {}
    assert change_live(fixed, {"title": "Đúng"}, NOW) is None


def test_change_of_live_copy_of_an_article_that_is_not_public_is_refused(live: StoredArticle) -> None:
    """Drafts, scheduled and withdrawn articles have no live copy to change."""
    for stored in (StoredArticle(article(), None), walk(live, "unpublish"), walk(live, "kill")):
        with pytest.raises(Problem) as refused:
            live_copy_of(stored)
        assert refused.value.status == 409


def test_fix_of_title_keeps_the_address(live: StoredArticle) -> None:
    """A typo that is fixed in a title does not move the page."""
    fixed = fix(live, title="Tựa đề khác hẳn")
    assert fixed.live is not None
    assert fixed.live.slug == "tua"


def test_carry_over_merges_the_fix_into_the_draft(live: StoredArticle) -> None:
    """A draft that has another paragraph changed gets the fixed one, and nothing else of it changes."""
    draft = edited(live, body=[BODY[0], BODY[1], Paragraph("ba mới")], lead="Chưa xong")
    fixed = fix(draft, body=[Paragraph("MỘT"), *BODY[1:]], title="Đúng")
    assert undone_fixes(fixed, "working") == ["body", "title"]
    reported = carry_over(fixed, None, "no", NOW)
    assert (reported.possible, reported.changes) == ([CopyField("working", "body"), CopyField("working", "title")], [])
    (change,) = carry_over(fixed, ["body", "title"], "all", NOW).changes
    assert [block.html for block in change.head.body if isinstance(block, Paragraph)] == ["MỘT", "hai", "ba mới"]
    assert (change.head.title, change.head.lead, change.head.state, change.head.slug) == (
        *("Đúng", "Chưa xong", "draft"),
        "tua",
    )
    assert (change.action, change.is_public_change, change.live, change.live_changes) == (
        *("carry-over", False, fixed.live),
        {},
    )


def test_carry_over_with_a_conflict_changes_nothing_unless_asked(live: StoredArticle) -> None:
    """A paragraph that both have changed is named; where_possible carries the others over, and it stays behind."""
    draft = edited(live, body=[Paragraph("một khác"), *BODY[1:]])
    fixed = fix(draft, body=[Paragraph("MỘT"), BODY[1], Paragraph("BA")])
    with pytest.raises(Problem, match=r"body\.0 of the working version") as refused:
        carry_over(fixed, None, "all", NOW)
    assert [one.field for one in refused.value.extensions["conflicts"]] == ["body.0"]
    done = carry_over(fixed, None, "where_possible", NOW)
    (change,) = done.changes
    assert [block.html for block in change.head.body if isinstance(block, Paragraph)] == ["một khác", "hai", "BA"]
    assert [one.field for one in done.conflicts] == ["body.0"]
    assert undone_fixes(fixed.after(change), "working") == ["body"]


def test_carry_over_into_an_approved_text_needs_another_approval(live: StoredArticle) -> None:
    """An approval covers the text that was approved, so a text with the fix is in review again."""
    approved = walk(edited(live, lead="Xong"), "submit", "approve")
    (change,) = carry_over(fix(approved, title="Đúng"), None, "all", NOW).changes
    assert (change.head.state, change.head.title) == ("in_review", "Đúng")


def test_carry_over_reaches_the_scheduled_version_and_its_successor(live: StoredArticle) -> None:
    """Both get the fix, each in a version of its own; the scheduled one stays scheduled for its time."""
    waiting = walk(edited(live, lead="Hẹn"), "submit", "approve", "schedule", publish_at=LATER)
    both = edited(waiting, lead="Sau nữa")
    done = carry_over(fix(both, title="Đúng"), None, "all", NOW)
    assert [change.copies for change in done.changes] == [("working",), ("scheduled",)]
    last = done.changes[-1]
    assert last.scheduled is not None
    assert (last.scheduled.title, last.scheduled.lead, last.scheduled_for) == ("Đúng", "Hẹn", LATER)
    assert (last.head.title, last.head.lead, last.live_changes) == ("Đúng", "Sau nữa", {})
    (only,) = carry_over(fix(waiting, title="Đúng"), None, "all", NOW).changes
    assert (only.head.state, only.head, only.copies) == ("scheduled", only.scheduled, ("working", "scheduled"))


def test_draft_that_makes_the_same_fix_itself_is_not_behind(live: StoredArticle) -> None:
    """Once the draft has the value of the live copy, nothing is left to carry over."""
    fixed = fix(edited(live, lead="x"), title="Đúng", tags=["chợ"])
    assert set(fixed.live_changes["working"]) == {"title", "tags"}
    assert set(edited(fixed, title="Đúng").live_changes["working"]) == {"tags"}
    assert fix(fixed, tags=[]).live_changes == {"working": {"title": "Tựa"}}


def test_expiry_of_live_copy_does_not_reach_the_draft(live: StoredArticle) -> None:
    """The draft has no expiry of the live copy until it goes live, which it then keeps."""
    later = NOW + timedelta(days=9)
    draft = fix(edited(live, lead="Xong"), unpublish_at=later)
    assert draft.head.unpublish_at is None
    published = walk(draft, "submit", "approve", "publish")
    assert published.live is not None
    assert (published.live.unpublish_at, published.live.lead) == (later, "Xong")

"""Withdrawing, killing and discarding articles, and undoing it."""

from typing import Any

import pytest

from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.live_copy import change_live
from services.ingest.articles.removal import discard, discard_draft, undo_discard, undo_kill, withdraw
from services.ingest.articles.workflow import edit_article
from shared.articles import Correction
from shared.http.problems import Problem
from tests.ingest.articles.test_copies import LATER, walk
from tests.ingest.articles.test_workflow import NOW, article

LIVE = walk(StoredArticle(article(), None), "submit", "approve", "publish")
DRAFT = LIVE.after(edit_article(LIVE, {"lead": "Chưa xong"}, by_publisher=False, now=NOW))
WAITING = walk(DRAFT, "submit", "approve", "schedule", publish_at=LATER)


@pytest.mark.parametrize("name", ["unpublish", "archive"])
def test_withdraw_never_touches_working_and_scheduled_copies(name: str) -> None:
    """The live copy is withdrawn; the draft stays a draft, and a schedule stays one."""
    for stored in (DRAFT, WAITING):
        change = withdraw(name, stored, NOW)
        assert (change.head.lead, change.head.state, change.copies) == ("Chưa xong", stored.head.state, ("live",))
        assert (change.scheduled, change.revised) == (stored.scheduled, change.live)
        with pytest.raises(Problem):
            withdraw("unpublish", stored.after(change), NOW)


def test_kill_ends_the_schedule() -> None:
    """A killed article is not published by the scheduler."""
    change = withdraw("kill", WAITING, NOW)
    assert (change.scheduled, change.scheduled_for, change.head.state) == (None, None, "killed")
    assert change.copies == ("working", "live", "scheduled")


def test_undo_kill_makes_the_article_unpublished() -> None:
    """The live copy is unpublished in a higher version; it can be published again."""
    killed = walk(LIVE, "kill")
    change = undo_kill(killed, NOW)
    assert change.live is not None
    assert (change.live.state, change.live.version, change.head) == (
        "unpublished",
        killed.head.version + 1,
        change.live,
    )
    assert change.is_public_change
    again = walk(killed.after(change), "publish")
    assert again.live is not None
    assert (again.live.state, again.live.first_published_at) == ("published", NOW)


def test_undo_kill_leaves_what_was_unfinished_a_draft() -> None:
    """The text of the draft was approved by nobody, so it is a draft and not what was withdrawn."""
    change = undo_kill(walk(DRAFT, "kill"), NOW)
    assert change.live is not None
    assert (change.head.state, change.head.lead, change.live.state, change.live.lead) == (
        *("draft", "Chưa xong"),
        *("unpublished", ""),
    )
    fixed = change_live(DRAFT, {"title": "Đúng"}, NOW)
    assert fixed is not None
    after = undo_kill(walk(DRAFT.after(fixed), "kill"), NOW)
    assert (after.head.state, after.head.title) == ("draft", "Tựa")


def test_undo_kill_keeps_what_the_draft_lacks_of_the_live_copy() -> None:
    """A correction that readers have seen stays when the draft, which did not have it, is published after all."""
    correction = Correction("Đúng là 12 người.", NOW)
    corrected = change_live(DRAFT, {"corrections": [correction], "tags": ["bão"]}, NOW)
    assert corrected is not None
    killed = walk(DRAFT.after(corrected), "kill")
    again = walk(killed.after(undo_kill(killed, NOW)), "submit", "approve", "publish")
    assert again.live is not None
    assert (again.live.lead, again.live.corrections, again.live.tags) == ("Chưa xong", [correction], ["bão"])


def test_undo_kill_of_an_article_that_was_never_public_is_a_draft() -> None:
    """Nothing goes to the portal."""
    change = undo_kill(walk(StoredArticle(article(), None), "kill"), NOW)
    assert (change.head.state, change.live, change.is_public_change) == ("draft", None, False)
    with pytest.raises(Problem):
        undo_kill(LIVE, NOW)


@pytest.mark.parametrize(
    ("steps", "by_publisher", "is_allowed"),
    [
        ((), False, True),
        (("submit",), False, False),
        (("submit",), True, True),
        (("submit", "approve"), True, True),
        (("submit", "approve", "schedule"), True, False),
        (("submit", "approve", "publish"), True, False),
        (("submit", "approve", "publish", "unpublish"), True, False),
        (("kill",), True, False),
    ],
)
def test_discard_is_for_what_was_never_public(steps: Any, by_publisher: bool, is_allowed: bool) -> None:
    """Writers discard drafts, publishers what is under review; nothing that was public, is scheduled or killed."""
    stored = StoredArticle(article(), None)
    for name in steps:
        stored = walk(stored, name, **({"publish_at": LATER} if name == "schedule" else {}))
    if not is_allowed:
        with pytest.raises(Problem) as refused:
            discard(stored, by_publisher=by_publisher, now=NOW)
        assert refused.value.status == 409
        return
    change = discard(stored, by_publisher=by_publisher, now=NOW)
    assert (change.is_discarded, change.action, change.head.version) == (True, "discard", stored.head.version + 1)
    undone = undo_discard(stored.after(change), NOW)
    assert (undone.is_discarded, undone.head.state) == (False, "draft")


def test_discard_draft_makes_the_copy_below_the_working_one() -> None:
    """The live copy stays as it is, and so does a scheduled one, which comes first."""
    change = discard_draft(DRAFT, by_publisher=False, now=NOW)
    assert (change.head.lead, change.head.state, change.live, change.is_public_change) == (
        *("", "published"),
        *(DRAFT.live, False),
    )
    assert change.head.version == DRAFT.head.version + 1
    successor = WAITING.after(edit_article(WAITING, {"lead": "Bài sau"}, by_publisher=False, now=NOW))
    change = discard_draft(successor, by_publisher=False, now=NOW)
    assert change.scheduled is not None
    assert (change.head.lead, change.head.state, change.scheduled.lead) == ("Chưa xong", "scheduled", "Chưa xong")
    assert (change.scheduled_for, change.publish_due_at) == (LATER, LATER)


@pytest.mark.parametrize("stored", [LIVE, WAITING, StoredArticle(article(), None), walk(DRAFT, "kill")])
def test_discard_draft_without_a_draft_above_something_is_refused(stored: StoredArticle) -> None:
    """What readers see, what is scheduled, and an article that is nothing but a draft are not discarded by it."""
    with pytest.raises(Problem) as refused:
        discard_draft(stored, by_publisher=True, now=NOW)
    assert refused.value.status == 409


def test_discard_draft_under_review_needs_the_right_to_publish() -> None:
    """A writer cannot discard what others are reviewing."""
    stored = walk(DRAFT, "submit")
    with pytest.raises(Problem):
        discard_draft(stored, by_publisher=False, now=NOW)
    assert discard_draft(stored, by_publisher=True, now=NOW).head.state == "published"

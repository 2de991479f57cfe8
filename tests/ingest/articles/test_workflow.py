"""The editorial workflow: transitions and edits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.transitions import TRANSITIONS
from services.ingest.articles.workflow import allowed_transitions, apply_transition, edit_article
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from shared.articles import Article, Figure, Image, Paragraph, is_public
from shared.http.problems import Problem
from shared.sites import Section, Site, Sites

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
SITES = Sites({"haihau": SITE})
EDITOR = Actor("Biên tập", "12345678")
ALL_SCOPES = frozenset({"read", "write", "publish", "admin"}).__contains__


def article(**fields: Any) -> Article:
    given = {
        "id": "a-1",
        "number": 1,
        "site": "haihau",
        "version": 1,
        "state": "draft",
        "title": "Tựa",
        "slug": "tua",
        "section": "tin-tuc",
        "language": "vi",
        "body": [Paragraph("Đoạn")],
        "modified_at": NOW,
        "first_published_at": None,
    }
    return Article(**{**given, **fields})


def walk(stored: StoredArticle, *steps: str, now: datetime = NOW, **arguments: Any) -> StoredArticle:
    for name in steps:
        change = apply_transition(name, stored, SITE, now, **arguments)
        stored = stored.after(change)
    return stored


def test_workflow_full_lifecycle_reaches_each_state() -> None:
    """An article goes from draft over review and approval to published, unpublished, published, archived and killed."""
    draft = StoredArticle(article(), None)
    public = walk(draft, "submit", "approve", "publish")
    assert public.live == public.head
    assert (public.head.state, public.head.version, public.head.published_at) == ("published", 4, NOW)
    assert is_public(public.head, NOW)
    withdrawn = walk(public, "unpublish")
    assert withdrawn.live is not None
    assert (withdrawn.live.state, withdrawn.live.version, is_public(withdrawn.live, NOW)) == ("unpublished", 5, False)
    again = walk(withdrawn, "publish")
    assert again.live is not None
    assert (again.live.state, again.live.first_published_at) == ("published", NOW)
    killed = walk(again, "archive", "kill")
    assert killed.live is not None
    assert (killed.live.state, killed.head.state, allowed_transitions(killed, ALL_SCOPES)) == ("killed", "killed", [])
    with pytest.raises(Problem) as raised:
        edit_article(killed, {"title": "x"}, by_publisher=True, now=NOW)
    assert raised.value.status == 409


@given(st.lists(st.sampled_from([*TRANSITIONS, "edit"]), max_size=12), st.booleans())
def test_workflow_any_sequence_publishes_only_approved_text(steps: list[str], by_publisher: bool) -> None:
    """In any sequence of transitions, each published text was approved after its last edit."""
    stored, approved = StoredArticle(article(publish_at=NOW), None), False
    for number, name in enumerate(steps):
        version, live = stored.head.version, stored.live
        try:
            if name == "edit":
                change = edit_article(stored, {"title": f"Tựa {number}"}, by_publisher=by_publisher, now=NOW)
                approved = False
            else:
                change = apply_transition(name, stored, SITE, NOW)
                is_unoffered = name == "kill" and stored.live is None
                assert (name in allowed_transitions(stored, ALL_SCOPES)) is not is_unoffered
        except Problem:
            continue
        approved = approved or name == "approve"
        assert change.head.version == version + 1
        assert change.is_public_change == (change.live != live)
        if change.action == "publish":
            assert approved
        stored = stored.after(change)


def test_allowed_transitions_follow_scopes_and_history() -> None:
    """A writer submits; a publisher withdraws what is public, and never kills what was not."""
    draft = StoredArticle(article(), None)
    assert allowed_transitions(draft, ALL_SCOPES) == ["submit"]
    waiting = walk(draft, "submit")
    assert allowed_transitions(waiting, {"read", "write"}.__contains__) == []
    assert allowed_transitions(waiting, {"read", "write", "publish"}.__contains__) == ["approve", "refuse"]
    public = walk(waiting, "approve", "publish")
    assert allowed_transitions(public, ALL_SCOPES) == ["unpublish", "archive", "kill"]
    assert allowed_transitions(public, {"read", "write"}.__contains__) == []


def test_edit_of_published_article_keeps_published_version() -> None:
    """An edit keeps the published version; unpublishing it then leaves the new text a draft."""
    public = walk(StoredArticle(article(), None), "submit", "approve", "publish")
    change = edit_article(public, {"title": "Tựa mới"}, by_publisher=False, now=NOW)
    assert not change.is_public_change
    assert (change.head.state, change.live, change.head.slug) == ("draft", public.live, "tua-moi")
    withdrawn = walk(public.after(change), "unpublish")
    assert withdrawn.live is not None
    assert (withdrawn.head.state, withdrawn.head.title, withdrawn.live.state) == ("draft", "Tựa mới", "unpublished")
    assert withdrawn.head.version == withdrawn.live.version


def test_approve_incomplete_article_names_missing_fields() -> None:
    """A missing text alternative, a missing caption and an empty body prevent the approval, with their fields."""
    body = [Figure("", Image("/media/a.jpg", " ")), Paragraph("x")]
    for incomplete, fields in (
        (article(body=body), ["body.0.caption", "body.0.image.alt"]),
        (article(body=[]), ["body"]),
    ):
        with pytest.raises(InvalidContentError) as raised:
            walk(StoredArticle(incomplete, None), "submit", "approve")
        assert [error.field for error in raised.value.errors] == fields


def test_publish_before_embargo_end_schedules() -> None:
    """Publishing before the end of the embargo schedules, whatever `publish_at` is given."""
    later = NOW + timedelta(hours=1)
    approved = walk(StoredArticle(article(embargo_until=later), None), "submit", "approve")
    for publish_at in (msgspec.UNSET, None, NOW, NOW - timedelta(days=1)):
        change = apply_transition("publish", approved, SITE, NOW, publish_at=publish_at)
        assert (change.head.state, change.publish_due_at, change.live) == ("scheduled", later, None)
    assert apply_transition("publish", approved, SITE, later).head.state == "published"


def test_publish_with_unknown_date_keeps_it_unknown() -> None:
    """Publishing does not date an article whose date is known to be unknown."""
    unknown = walk(StoredArticle(article(date_precision="unknown"), None), "submit", "approve", "publish")
    assert unknown.head.published_at is None

"""The copies of an article: random interleavings of editors, publisher, scheduler and fixes, against a slow model."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest.articles.copies import (
    ArticleChange,
    Refusal,
    StoredArticle,
    behind_live,
    due_at,
    keep_schedule,
)
from services.ingest.articles.live_copy import carry_over, change_live
from services.ingest.articles.removal import discard_draft, undo_kill, withdraw
from services.ingest.articles.workflow import (
    apply_transition,
    cancel_schedule,
    edit_article,
    publish_article,
    publish_scheduled,
    refused,
)
from services.ingest.content.errors import InvalidContentError
from shared.articles import Article, Paragraph
from shared.http.problems import Problem
from tests.ingest.articles.copies_model import PARAGRAPHS, Model, ModelCopy, RefusedError
from tests.ingest.articles.test_workflow import NOW, SITE, article

EXAMPLES = int(os.environ.get("PRESSTALLY_COPIES_EXAMPLES", "150"))
"""docs/testing.md says how to run more."""
TAGS = ["chợ", "lúa", "muối"]


def at(minute: int) -> datetime:
    return NOW + timedelta(minutes=minute)


class Both:
    """The real article and the model, which get the same steps."""

    def __init__(self) -> None:
        fields = {"title": "Tựa 0", "body": ["a0", "b0", "c0"], "tags": ["chợ"], "pinned": None}
        self.model = Model(ModelCopy(fields))
        self.real = StoredArticle(article(**_article_fields(fields)), None)
        self.minute = 1
        self.count = 0
        self.schedule_ends = 0

    def step(self, step: tuple[Any, ...]) -> None:
        """Apply a step to both, and compare them."""
        name, *arguments = step
        self.count += 1
        self.minute += 1
        before = self.real
        model_refuses = False
        model = self.model
        try:
            getattr(self, f"model_{name}")(*arguments)
        except RefusedError:
            model_refuses = True
        try:
            changes = getattr(self, f"real_{name}")(*arguments)
        except (Problem, InvalidContentError):
            assert model_refuses, (step, before.head.state)
            assert self.real is before
            return
        assert not model_refuses, (step, before.head.state)
        for change in changes:
            self.check(change)
            self.real = self.real.after(change)
        model.settle()
        self.compare(before, changes)

    def check(self, change: ArticleChange) -> None:
        """Check that a change makes the next version, and says which copies it has changed."""
        stored = self.real
        assert change.head.version == stored.head.version + 1
        assert change.is_public_change == (_state_and_text(change.live) != _state_and_text(stored.live)) or (
            change.action in ("publish", "undo-kill")
        )
        assert (_text(change.scheduled) != _text(stored.scheduled)) <= ("scheduled" in change.copies)
        assert (_state_and_text(change.head) != _state_and_text(stored.head)) <= ("working" in change.copies)
        assert change.revised.version == change.head.version
        assert change.scheduled_for == (None if change.scheduled is None else due_at(change.scheduled))
        assert (change.publish_due_at is not None) == (change.head.state == "scheduled")

    def compare(self, before: StoredArticle, changes: list[ArticleChange]) -> None:
        real, model = self.real, self.model
        assert (_plain(real.head), real.head.state) == (model.working.fields, model.state)
        live = None if model.live is None else (model.live.fields, model.live_state)
        assert (None if real.live is None else (_plain(real.live), real.live.state)) == live
        scheduled = None if model.scheduled is None else (model.scheduled.fields, at(model.due))
        assert (None if real.scheduled is None else (_plain(real.scheduled), due_at(real.scheduled))) == scheduled
        ended = len(model.lost) - self.schedule_ends
        if before.scheduled is not None and real.scheduled is None:
            assert ended, "a schedule has vanished"
        self.schedule_ends = len(model.lost)
        replaced = [change for change in changes if change.superseded is not None]
        assert bool(replaced) == (bool(ended) and model.lost[-1] == "replaced")

    def model_edit(self, fields: dict[str, Any], by_publisher: bool) -> None:
        self.model.edit(self.values(fields, self.model.working.fields), by_publisher)

    def real_edit(self, fields: dict[str, Any], by_publisher: bool) -> list[ArticleChange]:
        values = _article_fields(self.values(fields, _plain(self.real.head)))
        return [edit_article(self.real, values, by_publisher=by_publisher, now=at(self.minute))]

    def values(self, fields: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
        """Return values that nobody has used before."""
        values: dict[str, Any] = {}
        for name, choice in fields.items():
            if name == "title":
                values[name] = f"Tựa {self.count}"
            elif name == "body":
                body = list(present["body"])
                body[choice] = f"{'abc'[choice]}{self.count}"
                values[name] = body
            elif name == "pinned":
                values[name] = self.count
            else:
                tag = TAGS[choice]
                tags = present["tags"]
                values[name] = [one for one in tags if one != tag] if tag in tags else [*tags, tag]
        return values

    def model_live(self, fields: dict[str, Any], mode: str) -> None:
        present = {} if self.model.live is None else self.model.live.fields
        self.model.change_live(self.values(fields, present) if present else {}, mode)

    def real_live(self, fields: dict[str, Any], mode: Any) -> list[ArticleChange]:
        present = {} if self.real.live is None else _plain(self.real.live)
        values = _article_fields(self.values(fields, present)) if present else {}
        change = change_live(self.real, values, at(self.minute))
        assert change is not None
        return [change, *carry_over(self.real.after(change), list(values), mode, at(self.minute)).changes]

    def model_transition(self, name: str) -> None:
        getattr(self.model, name)()

    def real_transition(self, name: str) -> list[ArticleChange]:
        timed = {"publish_at": None} if name == "publish" else {}
        return [apply_transition(name, self.real, SITE, at(self.minute), **timed)]

    def model_schedule(self, minutes: int) -> None:
        self.model.schedule(self.minute + minutes)

    def real_schedule(self, minutes: int) -> list[ArticleChange]:
        due = at(self.minute + minutes)
        return [apply_transition("schedule", self.real, SITE, at(self.minute), publish_at=due)]

    def model_tick(self, minutes: int) -> None:
        self.model.tick(self.minute + minutes)

    def real_tick(self, minutes: int) -> list[ArticleChange]:
        self.minute += minutes
        due = None if self.real.scheduled is None else due_at(self.real.scheduled)
        return [publish_scheduled(self.real, at(self.minute))] if due is not None and due <= at(self.minute) else []

    def model_withdraw(self) -> None:
        self.model.withdraw()

    def real_withdraw(self) -> list[ArticleChange]:
        return [withdraw("unpublish", self.real, at(self.minute))]

    def model_kill(self) -> None:
        self.model.kill()

    def real_kill(self) -> list[ArticleChange]:
        return [withdraw("kill", self.real, at(self.minute))]

    def model_undo_kill(self) -> None:
        self.model.undo_kill()

    def real_undo_kill(self) -> list[ArticleChange]:
        return [undo_kill(self.real, at(self.minute))]

    def model_discard(self, by_publisher: bool) -> None:
        self.model.discard_draft(by_publisher)

    def real_discard(self, by_publisher: bool) -> list[ArticleChange]:
        return [discard_draft(self.real, by_publisher=by_publisher, now=at(self.minute))]


def _article_fields(fields: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in fields.items() if name in ("title", "tags")}
    if "body" in fields:
        found["body"] = [Paragraph(text) for text in fields["body"]]
    if "pinned" in fields:
        found["pinned_until"] = None if fields["pinned"] is None else at(10_000 + fields["pinned"])
    return found


def _plain(one: Article) -> dict[str, Any]:
    body = [block.html for block in one.body if isinstance(block, Paragraph)]
    pinned = None if one.pinned_until is None else round((one.pinned_until - at(10_000)).total_seconds() / 60)
    return {"title": one.title, "body": body, "tags": one.tags, "pinned": pinned}


def _text(one: Article | None) -> Any:
    return None if one is None else (_plain(one), one.publish_at)


def _state_and_text(one: Article | None) -> Any:
    return None if one is None else (one.state, _plain(one))


FIELDS = st.dictionaries(
    st.sampled_from(["title", "body", "tags", "pinned"]), st.integers(0, PARAGRAPHS - 1), min_size=1, max_size=2
)
STEPS = st.one_of(
    st.tuples(st.just("edit"), FIELDS, st.booleans()),
    st.tuples(st.just("edit"), FIELDS, st.booleans()),
    st.tuples(st.just("live"), FIELDS, st.sampled_from(["no", "all", "where_possible"])),
    st.tuples(st.just("live"), FIELDS, st.sampled_from(["no", "all", "where_possible"])),
    st.tuples(st.just("transition"), st.sampled_from(["submit", "approve", "publish", "refuse", "unschedule"])),
    st.tuples(st.just("schedule"), st.integers(1, 6)),
    st.tuples(st.just("tick"), st.integers(0, 6)),
    st.sampled_from([("withdraw",), ("kill",), ("undo_kill",), ("discard", False), ("discard", True)]),
)
LIVE = (("transition", "submit"), ("transition", "approve"), ("transition", "publish"))
APPROVED = (*LIVE, ("edit", {"title": 0}, False), ("transition", "submit"), ("transition", "approve"))
BEGINNINGS = st.sampled_from(
    [
        (),
        LIVE,
        (("transition", "submit"), ("transition", "approve"), ("schedule", 4)),
        (*APPROVED, ("schedule", 9), ("edit", {"body": 1}, False)),
        (*APPROVED, ("live", {"tags": 1, "pinned": 0}, "no")),
        (*APPROVED, ("live", {"body": 1}, "all")),
    ]
)


@settings(max_examples=EXAMPLES)
@given(BEGINNINGS, st.lists(STEPS, max_size=14))
@example((*APPROVED, ("live", {"tags": 1}, "no")), [("live", {"tags": 0}, "no"), ("live", {"tags": 0}, "all")])
@example((*APPROVED, ("schedule", 9)), [("live", {"tags": 2}, "no"), ("edit", {"tags": 2}, False), ("tick", 6)])
@example(
    (*APPROVED, ("schedule", 9), ("edit", {"body": 1}, False)),
    [("edit", {"tags": 2}, False), ("live", {"tags": 2}, "no"), ("tick", 6), ("live", {"tags": 2}, "all")],
)
def test_copies_in_any_interleaving_are_those_of_the_slow_model(beginning: Any, steps: list[Any]) -> None:
    """Nothing unfinished goes live, no approval covers another text, and no schedule vanishes without a reason."""
    both = Both()
    for step in (*beginning, *steps):
        both.step(step)


def walk(stored: StoredArticle, *names: str, **arguments: Any) -> StoredArticle:
    for name in names:
        stored = stored.after(apply_transition(name, stored, SITE, NOW, **arguments))
    return stored


LATER = NOW + timedelta(hours=1)


@pytest.fixture
def waiting() -> StoredArticle:
    """A scheduled article whose successor is a draft."""
    stored = walk(StoredArticle(article(publish_at=LATER), None), "submit", "approve", "schedule")
    return stored.after(edit_article(stored, {"lead": "Chưa xong"}, by_publisher=False, now=NOW))


def test_edit_of_scheduled_article_keeps_the_schedule(waiting: StoredArticle) -> None:
    """The successor is a draft, and the scheduler publishes what was scheduled."""
    assert (waiting.head.state, waiting.has_successor) == ("draft", True)
    change = publish_scheduled(waiting, LATER)
    assert change.live is not None
    assert (change.live.lead, change.live.state) == ("", "published")
    assert (change.head.lead, change.head.state) == ("Chưa xong", "draft")
    assert (change.scheduled, change.copies, change.head.first_published_at) == (None, ("live", "scheduled"), LATER)


def test_setting_repeated_in_a_successor_stays_when_the_scheduled_version_goes_live() -> None:
    """A tag that the live copy and a draft were given is not lost with the version that was scheduled before both."""
    live = walk(StoredArticle(article(), None), "submit", "approve", "publish", publish_at=None)
    edited = live.after(edit_article(live, {"title": "Tựa mới", "publish_at": LATER}, by_publisher=False, now=NOW))
    scheduled = walk(edited, "submit", "approve", "schedule")
    tagged = change_live(scheduled, {"tags": ["muối"]}, NOW)
    assert tagged is not None
    stored = scheduled.after(tagged)
    stored = stored.after(edit_article(stored, {"tags": ["muối"]}, by_publisher=False, now=NOW))
    published = publish_scheduled(stored, LATER)
    assert published.live is not None
    assert (published.live.title, published.live.tags, published.kept) == ("Tựa mới", ["muối"], ("tags",))


def test_publish_of_successor_supersedes_the_schedule_and_reports_it(waiting: StoredArticle) -> None:
    """A newer text that is published earlier is not replaced by the older one later."""
    approved = walk(waiting, "submit", "approve")
    change = apply_transition("publish", approved, SITE, NOW, publish_at=None)
    assert (change.scheduled, change.superseded) == (None, waiting.scheduled)
    assert "replaces version 4, which was scheduled for 2026-11-24 04:00 UTC" in change.note("gấp")
    rescheduled = apply_transition("schedule", approved, SITE, NOW, publish_at=LATER)
    assert rescheduled.superseded == waiting.scheduled
    assert rescheduled.scheduled == rescheduled.head


@pytest.mark.parametrize("name", ["unschedule", "refuse"])
def test_cancelled_schedule_beside_a_successor_leaves_it_as_it_is(waiting: StoredArticle, name: str) -> None:
    """Unscheduling and refusing act on the scheduled version; the revision has that one."""
    change = apply_transition(name, waiting, SITE, NOW)
    assert (change.scheduled, change.head.state, change.head.lead) == (None, "draft", "Chưa xong")
    assert (change.revised.lead, change.copies) == ("", ("scheduled",))


def test_schedule_beside_a_successor_changes_the_time_only(waiting: StoredArticle) -> None:
    """Another time for what is scheduled already; a draft is not scheduled by it, even by an administrator."""
    later = LATER + timedelta(days=1)
    change = apply_transition("schedule", waiting, SITE, NOW, publish_at=later, is_admin=True)
    assert change.scheduled is not None
    assert (change.scheduled.lead, change.scheduled_for, change.head.state) == ("", later, "draft")


def test_transition_of_named_copy_acts_on_that_one(waiting: StoredArticle) -> None:
    """With `copy` a publisher says which version: the scheduled one is published at once, the successor stays."""
    change = apply_transition("publish", waiting, SITE, NOW, publish_at=None, copy="scheduled")
    assert change.live is not None
    assert (change.live.lead, change.head.lead, change.scheduled) == ("", "Chưa xong", None)
    submitted = walk(waiting, "submit")
    assert apply_transition("refuse", submitted, SITE, NOW).scheduled == waiting.scheduled
    assert apply_transition("refuse", submitted, SITE, NOW, copy="scheduled").head.state == "in_review"
    with pytest.raises(Problem, match="no scheduled version"):
        apply_transition("publish", StoredArticle(article(), None), SITE, NOW, copy="scheduled")


def test_cancel_schedule_that_cannot_succeed_keeps_the_successor(waiting: StoredArticle) -> None:
    """The reason is recorded, and the successor is not made a draft of another text."""
    change = cancel_schedule(waiting, "hết mục", NOW)
    assert (change.scheduled, change.schedule_error, change.head.lead) == (None, "hết mục", "Chưa xong")


def test_refusal_is_kept_until_an_approval() -> None:
    """Who refused why and when stays readable while the author works on it, until a version is approved."""
    submitted = walk(StoredArticle(article(), None), "submit")
    change = refused(apply_transition("refuse", submitted, SITE, NOW), "thiếu nguồn", "Minh", NOW)
    stored = submitted.after(change)
    assert stored.refusal == Refusal("thiếu nguồn", "Minh", NOW, 2)
    again = walk(stored, "submit")
    assert again.refusal == stored.refusal
    assert walk(again, "approve").refusal is None


def test_keep_schedule_of_a_publication_of_other_origin() -> None:
    """An import that publishes leaves what editors have scheduled, which then lacks the changes of the import."""
    live = walk(StoredArticle(article(), None), "submit", "approve", "publish")
    edited = live.after(edit_article(live, {"lead": "Hẹn"}, by_publisher=False, now=NOW))
    stored = walk(edited, "submit", "approve", "schedule", publish_at=LATER)
    published = publish_article(stored, replace_fields(stored.live, stored.head.version, title="Nhập"), NOW, "import")
    change = keep_schedule(stored, published, ["title", "lead"])
    assert (change.scheduled, change.superseded) == (stored.scheduled, None)
    assert change.live_changes == {"scheduled": {"title": "Tựa"}}


def replace_fields(one: Article | None, version: int, **fields: Any) -> Article:

    assert one is not None
    return msgspec.structs.replace(one, version=version, **fields)


def test_behind_live_forgets_what_both_have() -> None:
    """A field that the copy has as the live one, or that is as it was before, is not behind."""
    before, live = article(title="a", lead="x"), article(title="b", lead="y")
    copy = article(title="b", lead="z")
    assert behind_live({}, copy, before, live, ["title", "lead"]) == {"lead": "x"}
    assert behind_live({"lead": "x"}, copy, live, before, ["lead"]) == {}


def test_note_has_the_reason_and_what_else_happened() -> None:
    """The note of a revision names what was replaced and what was kept."""
    change = replace(ArticleChange("publish", article(), None, is_public_change=True), kept=("tags", "pinned_until"))
    assert change.note("x") == "x; keeps from the live version: tags, pinned_until"
    assert replace(change, kept=()).note("") == ""
    assert datetime(2026, 1, 1, tzinfo=UTC) < NOW

"""From draft to the public and back: which steps there are, who may take them, what becomes of the article. Pure.

An article is two: the head, which editors work on, and the live copy, which readers get. Each accepted change, a step
as much as an edit, is the head's next version. What readers get changes by publish, unpublish, archive and kill only.

    draft → in_review → approved → scheduled → published → unpublished | archived | killed
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.content.conversion import make_slug
from services.ingest.content.errors import ContentError, Fault
from services.ingest.content.validation import publishing_faults
from shared.articles import Article, State
from shared.http.problems import Problem
from shared.sites import Site


@dataclass(frozen=True)
class Step:
    """A step of the workflow: from which states of the head, to which, and with what scope."""

    begins: frozenset[State]
    ends: State
    scope: str
    summary: str
    needs_reason: bool = False
    is_withdrawal: bool = False
    """It takes the live copy from readers; `begins` are states of the live copy."""


STEPS: dict[str, Step] = {
    "submit": Step(frozenset({"draft"}), "in_review", "write", "Hand a draft in for review"),
    "approve": Step(frozenset({"in_review"}), "approved", "publish", "Approve what is in review (duyệt)"),
    "refuse": Step(
        frozenset({"in_review", "approved", "scheduled"}),
        "draft",
        "publish",
        "Send it back to its writer, with a reason",
        needs_reason=True,
    ),
    "schedule": Step(frozenset({"approved", "scheduled"}), "scheduled", "publish", "Publish it at a time"),
    "unschedule": Step(frozenset({"scheduled"}), "approved", "publish", "Take it out of the schedule"),
    "publish": Step(
        frozenset({"approved", "scheduled", "unpublished", "archived"}),
        "published",
        "publish",
        "Publish what is approved (đăng), at once or when its time comes",
    ),
    "unpublish": Step(
        frozenset({"published"}), "unpublished", "publish", "Take it from readers; its URL is 404", is_withdrawal=True
    ),
    "archive": Step(
        frozenset({"published", "unpublished"}),
        "archived",
        "publish",
        "Put it away for good, without deleting it",
        is_withdrawal=True,
    ),
    "kill": Step(
        frozenset({"published", "unpublished", "archived"}),
        "killed",
        "publish",
        "Withdraw it for ever, with a reason; its URL is 410",
        needs_reason=True,
        is_withdrawal=True,
    ),
}


BOTH_STEPS: frozenset[State] = frozenset({"draft", "in_review"})
"""From here administrators may publish: approval and publication at once."""


@dataclass(frozen=True)
class Kept:
    """An article as it is stored."""

    head: Article
    live: Article | None
    written_by: str | None = None
    """The token whose text the head is."""
    problem: str | None = None
    """Why the scheduler could not do what was asked of it."""


@dataclass(frozen=True)
class Change:
    """What an accepted change makes of an article."""

    action: str
    head: Article
    live: Article | None
    is_told: bool
    """Readers get something else now: the live copy goes to Kafka."""
    publish_due_at: datetime | None = None
    unpublish_due_at: datetime | None = None
    problem: str | None = None


def edit(kept: Kept, fields: dict[str, Any], *, by_publisher: bool, now: datetime, action: str = "edit") -> Change:
    """Change the head's content. What was approved has to be approved again.

    Args:
        kept: The article.
        fields: The fields of the content that change.
        by_publisher: What a publisher changes stays in review; what others change is a draft.
        now: The time of the change.
        action: What the revision says was done.

    Raises:
        Problem: 409, the article is killed.
    """
    head = kept.head
    if head.state == "killed":
        raise Problem(409, "The article is killed: it cannot be changed any more.", state=head.state)
    if "title" in fields and fields.get("slug") is None:
        made_of_title = head.slug == make_slug(head.title)
        fields = {**fields, "slug": make_slug(fields["title"]) if made_of_title or "slug" in fields else head.slug}
    elif "slug" in fields and fields["slug"] is None:
        fields = {**fields, "slug": make_slug(head.title)}
    under_review = head.state in ("in_review", "approved", "scheduled")
    state: State = "in_review" if by_publisher and under_review else "draft"
    head = msgspec.structs.replace(head, **fields, state=state, version=head.version + 1, modified_at=now)
    return _change(action, kept, head)


def take(
    name: str,
    kept: Kept,
    site: Site,
    now: datetime,
    *,
    is_admin: bool = False,
    publish_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
) -> Change:
    """Take a step.

    Args:
        name: Of STEPS.
        kept: The article.
        site: Its site.
        now: The time of the step.
        is_admin: Administrators may publish what is not approved yet: both steps at once.
        publish_at: The time to publish at; None means at once; unset means the article's own.

    Raises:
        Problem: 409, the article's state does not allow it.
        ContentError: something is missing before it may be published.
    """
    step = STEPS[name]
    head = kept.head
    if step.is_withdrawal:
        return _withdraw(name, step, kept, now)
    begins = step.begins | BOTH_STEPS if is_admin and name in ("publish", "schedule") else step.begins
    if head.state not in begins:
        raise _not_from(name, head.state, sorted(begins))
    if name in ("approve", "schedule", "publish"):
        faults = publishing_faults(head, site)
        if faults:
            raise ContentError(faults)
    if name in ("schedule", "publish"):
        return _publish(name, kept, now, publish_at)
    return _change(name, kept, _next(head, step.ends, now))


def _publish(name: str, kept: Kept, now: datetime, publish_at: datetime | msgspec.UnsetType | None) -> Change:
    head = kept.head
    if publish_at is not msgspec.UNSET:
        head = msgspec.structs.replace(head, publish_at=publish_at)
    due = max((at for at in (head.publish_at, head.embargo_until) if at is not None), default=None)
    if name == "schedule" and due is None:
        raise ContentError([Fault("publish_at", "is missing: when is it to be published?")])
    if head.unpublish_at is not None and head.unpublish_at <= max(now, due or now):
        raise ContentError([Fault("unpublish_at", "is over before readers could see it")])
    if due is not None and (name == "schedule" or due > now):
        head = _next(head, "scheduled", now)
        return _change("schedule", kept, head)
    return publish(kept, head, now)


def publish(kept: Kept, head: Article, now: datetime, action: str = "publish") -> Change:
    """Make the head the live copy: readers get it from now on."""
    head = _next(head, "published", now)
    head = msgspec.structs.replace(head, first_published_at=head.first_published_at or now)
    if head.published_at is None and head.date_precision != "unknown":
        head = msgspec.structs.replace(head, published_at=head.first_published_at)
    return Change(action, head, head, is_told=True, unpublish_due_at=head.unpublish_at)


def _withdraw(name: str, step: Step, kept: Kept, now: datetime) -> Change:
    head, live = kept.head, kept.live
    if live is None and not (name == "kill" and head.state != "killed"):
        raise _not_from(name, head.state, sorted(step.begins))
    if live is not None and live.state not in step.begins:
        raise _not_from(name, live.state, sorted(step.begins))
    if live is not None:
        live = msgspec.structs.replace(live, state=step.ends, version=head.version + 1, modified_at=now)
    if name == "kill" or kept.live is None:
        head = _next(head, step.ends, now)
    elif head.state in step.begins:  # no text is waiting that readers have not seen
        assert live is not None
        head = live
    else:
        head = msgspec.structs.replace(head, version=head.version + 1, modified_at=now)
    waiting = head.state == "scheduled"
    return Change(name, head, live, is_told=live is not None, publish_due_at=due_at(head) if waiting else None)


def due_at(head: Article) -> datetime | None:
    """Return when a scheduled article is to be published."""
    return max((at for at in (head.publish_at, head.embargo_until) if at is not None), default=None)


def give_up(kept: Kept, reason: str, now: datetime) -> Change:
    """Take a scheduled article out of the schedule: it can never succeed, and its editors must see why."""
    return replace(_change("give-up", kept, _next(kept.head, "draft", now)), problem=reason)


def _change(action: str, kept: Kept, head: Article) -> Change:
    """A change of the head alone: what readers get stays, and so does the time at which they no longer get it."""
    live = kept.live
    unpublish_due_at = live.unpublish_at if live is not None and live.state == "published" else None
    publish_due_at = due_at(head) if head.state == "scheduled" else None
    return Change(action, head, live, is_told=False, publish_due_at=publish_due_at, unpublish_due_at=unpublish_due_at)


def _next(head: Article, state: State, now: datetime) -> Article:
    return msgspec.structs.replace(head, state=state, version=head.version + 1, modified_at=now)


def _not_from(name: str, state: State, begins: list[State]) -> Problem:
    return Problem(
        409,
        f"{name} is not possible from {state}; it is from {', '.join(begins)}.",
        state=state,
        possible_from=begins,
    )


def allowed_steps(kept: Kept) -> list[str]:
    """Return the steps that the article's state allows, whoever asks."""
    live_state = kept.live.state if kept.live is not None else None
    found = []
    for name, step in STEPS.items():
        state = live_state if step.is_withdrawal else kept.head.state
        never_live = name == "kill" and live_state is None and kept.head.state != "killed"
        if state in step.begins or never_live:
            found.append(name)
    return found

"""The editorial workflow: the transitions between states, the scopes they need, and their results. Pure.

An article has a working version (`head`), which editors change, and a published version (`live`), which readers see.
Each accepted change, an edit or a transition, makes the next version of the head. Only publish, unpublish, archive and
kill change the published version.

    draft → in_review → approved → scheduled → published → unpublished | archived | killed
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.auth.actors import Actor
from services.ingest.content.conversion import make_slug
from services.ingest.content.errors import FieldError, InvalidContentError
from services.ingest.content.validation import publishing_errors
from shared.articles import Article, State
from shared.http.problems import Problem
from shared.sites import Site


@dataclass(frozen=True)
class Transition:
    """A transition of the workflow: the states of the head it starts from, its result, and the scope it needs."""

    from_states: frozenset[State]
    to_state: State
    scope: str
    summary: str
    needs_reason: bool = False
    is_withdrawal: bool = False
    """It withdraws the published version; `from_states` are then states of that version."""


TRANSITIONS: dict[str, Transition] = {
    "submit": Transition(frozenset({"draft"}), "in_review", "write", "Submit a draft for review"),
    "approve": Transition(frozenset({"in_review"}), "approved", "publish", "Approve an article in review (duyệt)"),
    "refuse": Transition(
        frozenset({"in_review", "approved", "scheduled"}),
        "draft",
        "publish",
        "Reject it: back to its author, with a reason",
        needs_reason=True,
    ),
    "schedule": Transition(frozenset({"approved", "scheduled"}), "scheduled", "publish", "Schedule its publication"),
    "unschedule": Transition(frozenset({"scheduled"}), "approved", "publish", "Cancel the schedule"),
    "publish": Transition(
        frozenset({"approved", "scheduled", "unpublished", "archived"}),
        "published",
        "publish",
        "Publish an approved article (đăng), now or at its scheduled time",
    ),
    "unpublish": Transition(
        frozenset({"published"}),
        "unpublished",
        "publish",
        "Withdraw it from the portal; its URL is 404",
        is_withdrawal=True,
    ),
    "archive": Transition(
        frozenset({"published", "unpublished"}),
        "archived",
        "publish",
        "Archive it: off the portal, not deleted",
        is_withdrawal=True,
    ),
    "kill": Transition(
        frozenset({"published", "unpublished", "archived"}),
        "killed",
        "publish",
        "Withdraw it permanently, with a reason; its URL is 410",
        needs_reason=True,
        is_withdrawal=True,
    ),
}


ADMIN_PUBLISHABLE_STATES: frozenset[State] = frozenset({"draft", "in_review"})
"""Administrators may also publish from these states, which approves and publishes in one transition."""


@dataclass(frozen=True)
class StoredArticle:
    """An article as it is stored."""

    head: Article
    live: Article | None
    author: Actor | None = None
    """Who wrote the text of the head, or imported it; None if it was not stored yet."""
    schedule_error: str | None = None
    """Why the scheduler could not publish or withdraw it."""

    def is_author(self, actor: Actor) -> bool:
        """Return whether the actor wrote the text of the head, or imported it over the API or by the command."""
        return self.author is not None and self.author.is_same(actor)


@dataclass(frozen=True)
class ArticleChange:
    """The result of an accepted change."""

    action: str
    head: Article
    live: Article | None
    is_public_change: bool
    """It changes the published version, which goes to Kafka."""
    publish_due_at: datetime | None = None
    unpublish_due_at: datetime | None = None
    schedule_error: str | None = None


def edit_article(
    stored: StoredArticle, fields: dict[str, Any], *, by_publisher: bool, now: datetime, action: str = "edit"
) -> ArticleChange:
    """Change the content of the head. An approved article has to be approved again.

    Args:
        stored: The article as stored.
        fields: The fields of the content that change.
        by_publisher: Whether the editor may publish: then an article in review stays in review. Otherwise the result
            is a draft.
        now: The time of the change.
        action: The action that the revision records.

    Raises:
        Problem: 409 if the article is killed.
    """
    head = stored.head
    if head.state == "killed":
        raise Problem(409, "The article is killed and cannot be changed.", state=head.state)
    if "title" in fields and fields.get("slug") is None:
        made_of_title = head.slug == make_slug(head.title)
        fields = {**fields, "slug": make_slug(fields["title"]) if made_of_title or "slug" in fields else head.slug}
    elif "slug" in fields and fields["slug"] is None:
        fields = {**fields, "slug": make_slug(head.title)}
    under_review = head.state in ("in_review", "approved", "scheduled")
    state: State = "in_review" if by_publisher and under_review else "draft"
    head = msgspec.structs.replace(head, **fields, state=state, version=head.version + 1, modified_at=now)
    return _head_change(action, stored, head)


def apply_transition(
    name: str,
    stored: StoredArticle,
    site: Site,
    now: datetime,
    *,
    is_admin: bool = False,
    publish_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
) -> ArticleChange:
    """Apply a transition.

    Args:
        name: A key of TRANSITIONS.
        stored: The article as stored.
        site: Its site.
        now: The time of the transition.
        is_admin: Whether to allow ADMIN_PUBLISHABLE_STATES as well.
        publish_at: When to publish; None means now, UNSET the article's own `publish_at`.

    Raises:
        Problem: 409 if the article's state does not allow it.
        InvalidContentError: the article is not complete enough to be published.
    """
    transition = TRANSITIONS[name]
    head = stored.head
    if transition.is_withdrawal:
        return _withdraw(name, transition, stored, now)
    from_states = (
        transition.from_states | ADMIN_PUBLISHABLE_STATES
        if is_admin and name in ("publish", "schedule")
        else transition.from_states
    )
    if head.state not in from_states:
        raise _invalid_transition(name, head.state, sorted(from_states))
    if name in ("approve", "schedule", "publish"):
        errors = publishing_errors(head, site)
        if errors:
            raise InvalidContentError(errors)
    if name in ("schedule", "publish"):
        return _publish(name, stored, now, publish_at)
    return _head_change(name, stored, _with_state(head, transition.to_state, now))


def _publish(
    name: str, stored: StoredArticle, now: datetime, publish_at: datetime | msgspec.UnsetType | None
) -> ArticleChange:
    head = stored.head
    if publish_at is not msgspec.UNSET:
        head = msgspec.structs.replace(head, publish_at=publish_at)
    due = max((at for at in (head.publish_at, head.embargo_until) if at is not None), default=None)
    if name == "schedule" and due is None:
        raise InvalidContentError([FieldError("publish_at", "is missing: a schedule needs a time")])
    if head.unpublish_at is not None and head.unpublish_at <= max(now, due or now):
        raise InvalidContentError([FieldError("unpublish_at", "is before the article would be published")])
    if due is not None and (name == "schedule" or due > now):
        head = _with_state(head, "scheduled", now)
        return _head_change("schedule", stored, head)
    return publish_article(stored, head, now)


def publish_article(stored: StoredArticle, head: Article, now: datetime, action: str = "publish") -> ArticleChange:
    """Make the head the published version."""
    head = _with_state(head, "published", now)
    head = msgspec.structs.replace(head, first_published_at=head.first_published_at or now)
    if head.published_at is None and head.date_precision != "unknown":
        head = msgspec.structs.replace(head, published_at=head.first_published_at)
    return ArticleChange(action, head, head, is_public_change=True, unpublish_due_at=head.unpublish_at)


def keep_unpublished_edits(edited: Article, published: ArticleChange, now: datetime) -> ArticleChange | None:
    """Return the change that makes a working version with unapproved edits a draft again, after a publication without.

    Args:
        edited: The working version with its edits, before that publication.
        published: The publication, which left out what nobody has approved.
        now: The time of the change.

    Returns:
        None if nothing was left out.
    """
    live = published.head
    edited = msgspec.structs.replace(
        edited,
        state=live.state,
        version=live.version,
        modified_at=live.modified_at,
        first_published_at=live.first_published_at,
        published_at=edited.published_at or live.published_at,
    )
    if edited == live:
        return None
    head = msgspec.structs.replace(edited, state="draft", version=live.version + 1, modified_at=now)
    return _head_change("keep-edits", StoredArticle(live, published.live), head)


def publish_or_schedule(stored: StoredArticle, head: Article, now: datetime, action: str) -> ArticleChange:
    """Make the head the published version, or schedule it if it is due in the future."""
    due = due_at(head)
    if due is None or due <= now:
        return publish_article(stored, head, now, action)
    return _head_change(action, stored, _with_state(head, "scheduled", now))


def _withdraw(name: str, transition: Transition, stored: StoredArticle, now: datetime) -> ArticleChange:
    head, live = stored.head, stored.live
    if live is None and not (name == "kill" and head.state != "killed"):
        raise _invalid_transition(name, head.state, sorted(transition.from_states))
    if live is not None and live.state not in transition.from_states:
        raise _invalid_transition(name, live.state, sorted(transition.from_states))
    if live is not None:
        live = msgspec.structs.replace(live, state=transition.to_state, version=head.version + 1, modified_at=now)
    if name == "kill" or stored.live is None:
        head = _with_state(head, transition.to_state, now)
    elif head.state in transition.from_states:  # the head has no unpublished changes
        assert live is not None
        head = live
    else:
        head = msgspec.structs.replace(head, version=head.version + 1, modified_at=now)
    is_scheduled = head.state == "scheduled"
    return ArticleChange(
        name, head, live, is_public_change=live is not None, publish_due_at=due_at(head) if is_scheduled else None
    )


def due_at(head: Article) -> datetime | None:
    """Return the time at which a scheduled article is due for publication."""
    return max((at for at in (head.publish_at, head.embargo_until) if at is not None), default=None)


def cancel_schedule(stored: StoredArticle, reason: str, now: datetime) -> ArticleChange:
    """Cancel a schedule that can never succeed, and record the reason for the editors."""
    return replace(_head_change("give-up", stored, _with_state(stored.head, "draft", now)), schedule_error=reason)


def _head_change(action: str, stored: StoredArticle, head: Article) -> ArticleChange:
    """A change of the head only: the published version and the time of its withdrawal stay the same."""
    live = stored.live
    unpublish_due_at = live.unpublish_at if live is not None and live.state == "published" else None
    publish_due_at = due_at(head) if head.state == "scheduled" else None
    return ArticleChange(
        action, head, live, is_public_change=False, publish_due_at=publish_due_at, unpublish_due_at=unpublish_due_at
    )


def _with_state(head: Article, state: State, now: datetime) -> Article:
    return msgspec.structs.replace(head, state=state, version=head.version + 1, modified_at=now)


def _invalid_transition(name: str, state: State, from_states: list[State]) -> Problem:
    return Problem(
        409,
        f"{name} is not possible from {state}; it is possible from {', '.join(from_states)}.",
        state=state,
        possible_from=from_states,
    )


def allowed_transitions(stored: StoredArticle) -> list[str]:
    """Return the transitions that the article's state allows, regardless of the caller's scopes."""
    live_state = stored.live.state if stored.live is not None else None
    allowed = []
    for name, transition in TRANSITIONS.items():
        state = live_state if transition.is_withdrawal else stored.head.state
        never_live = name == "kill" and live_state is None and stored.head.state != "killed"
        if state in transition.from_states or never_live:
            allowed.append(name)
    return allowed

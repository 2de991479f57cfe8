"""The editorial workflow: the transitions between states, the scopes they need, and their results. Pure.

An article has up to three copies (articles.copies). Editors change the working copy (`head`), readers see the live one,
and the scheduled one waits for its time as it is, while its successor may be edited.

    draft → in_review → approved → scheduled → published → unpublished | archived | killed
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import msgspec

from services.ingest.articles.carry_over import with_live_settings
from services.ingest.articles.copies import (
    ArticleChange,
    LiveChanges,
    Refusal,
    StoredArticle,
    due_at,
    in_state,
    next_version,
    of_head,
    unchanged,
)
from services.ingest.articles.removal import withdraw
from services.ingest.articles.text_dates import with_text_date
from services.ingest.articles.transitions import ADMIN_PUBLISHABLE_STATES, TRANSITIONS, invalid_transition
from services.ingest.content.conversion import make_slug
from services.ingest.content.errors import InvalidContentError, invalid
from services.ingest.content.validation import publishing_errors
from shared.articles import Article, State
from shared.http.problems import Problem
from shared.sites import Site


def edit_article(
    stored: StoredArticle, fields: dict[str, Any], *, by_publisher: bool, now: datetime, action: str = "edit"
) -> ArticleChange:
    """Change the content of the head. An approved article has to be approved again; a scheduled copy stays scheduled.

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
    state: State = "in_review" if by_publisher and head.state in ("in_review", "approved") else "draft"
    return of_head(action, stored, in_state(msgspec.structs.replace(head, **fields), state, now))


def apply_transition(
    name: str,
    stored: StoredArticle,
    site: Site,
    now: datetime,
    *,
    is_admin: bool = False,
    publish_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
    copy: Literal["working", "scheduled"] | None = None,
) -> ArticleChange:
    """Apply a transition.

    Args:
        name: A key of TRANSITIONS.
        stored: The article as stored.
        site: Its site.
        now: The time of the transition.
        is_admin: Whether to allow ADMIN_PUBLISHABLE_STATES as well.
        publish_at: When to publish; None means now, UNSET the article's own `publish_at`.
        copy: Which copy to refuse, schedule or publish; None: see `target_of`.

    Raises:
        Problem: 409 if the article's state does not allow it.
        InvalidContentError: the article is not complete enough to be published.
    """
    transition = TRANSITIONS[name]
    if transition.is_withdrawal:
        return withdraw(name, stored, now)
    if target_of(name, stored, copy) == "scheduled":
        return _change_scheduled(name, stored, site, now, publish_at)
    head = stored.head
    from_states = (
        transition.from_states | ADMIN_PUBLISHABLE_STATES
        if is_admin and name in ("publish", "schedule")
        else transition.from_states
    )
    if head.state not in from_states:
        raise invalid_transition(name, head.state, sorted(from_states))
    if name in ("approve", "schedule", "publish"):
        errors = publishing_errors(head, site)
        if errors:
            raise InvalidContentError(errors)
    if name in ("schedule", "publish"):
        return _publish(name, stored, now, publish_at)
    change = of_head(name, stored, in_state(head, transition.to_state, now))
    return replace(change, refusal=None) if name == "approve" else change


def target_of(
    name: str, stored: StoredArticle, copy: Literal["working", "scheduled"] | None = None
) -> Literal["working", "scheduled"]:
    """Return the copy that a transition acts on, if both a scheduled one and its successor exist.

    By default `unschedule` acts on the scheduled copy, `publish` on the working one, and `refuse` and `schedule` on the
    working one if its state allows that.

    Raises:
        Problem: 409 if it names a scheduled copy, and there is none.
    """
    if copy == "scheduled" and stored.scheduled is None:
        raise Problem(409, "The article has no scheduled version.", state=stored.head.state)
    if not stored.has_successor:
        return "working"
    if copy is not None:
        return copy
    takes_working = {"unschedule": (), "refuse": ("in_review", "approved"), "schedule": ("approved",)}
    return "scheduled" if stored.head.state not in takes_working.get(name, (stored.head.state,)) else "working"


def refused(change: ArticleChange, reason: str, who: str, now: datetime) -> ArticleChange:
    """Return a refusal with its reason, for the author to read."""
    return replace(change, refusal=Refusal(reason, who, now, change.revised.version - 1))


def _change_scheduled(
    name: str, stored: StoredArticle, site: Site, now: datetime, publish_at: datetime | msgspec.UnsetType | None
) -> ArticleChange:
    """Apply a transition to a scheduled copy beside its successor, which stays as it is."""
    scheduled = stored.scheduled
    assert scheduled is not None
    version = stored.head.version
    if name in ("unschedule", "refuse"):
        state: State = "approved" if name == "unschedule" else "draft"
        return _without_schedule(name, stored, state, now)
    if publish_at is not msgspec.UNSET:
        scheduled = msgspec.structs.replace(scheduled, publish_at=publish_at)
    errors = publishing_errors(scheduled, site)
    if errors:
        raise InvalidContentError(errors)
    due = _checked_due(name, scheduled, now)
    if due is not None and (name == "schedule" or due > now):
        scheduled = in_state(msgspec.structs.replace(scheduled, version=version), "scheduled", now)
        head = next_version(stored.head, now)
        return replace(
            unchanged("schedule", stored), head=head, scheduled=scheduled, changed=scheduled, copies=("scheduled",)
        )
    return publish_scheduled(replace(stored, scheduled=scheduled), now)


def _without_schedule(action: str, stored: StoredArticle, state: State, now: datetime) -> ArticleChange:
    """Cancel the schedule: the working copy gets the state if it is the scheduled one, and stays as it is otherwise."""
    if not stored.has_successor:
        return of_head(action, stored, in_state(stored.head, state, now))
    assert stored.scheduled is not None
    removed = in_state(msgspec.structs.replace(stored.scheduled, version=stored.head.version), state, now)
    changes = {name: fields for name, fields in stored.live_changes.items() if name != "scheduled"}
    return replace(
        unchanged(action, stored),
        head=next_version(stored.head, now),
        scheduled=None,
        live_changes=changes,
        changed=removed,
        copies=("scheduled",),
    )


def _checked_due(name: str, article: Article, now: datetime) -> datetime | None:
    due = due_at(article)
    if name == "schedule" and due is None:
        raise invalid("publish_at", "schedule_time_required")
    if article.unpublish_at is not None and article.unpublish_at <= max(now, due or now):
        raise invalid("unpublish_at", "before_publication")
    return due


def _publish(
    name: str, stored: StoredArticle, now: datetime, publish_at: datetime | msgspec.UnsetType | None
) -> ArticleChange:
    head = stored.head
    if publish_at is not msgspec.UNSET:
        head = msgspec.structs.replace(head, publish_at=publish_at)
    due = _checked_due(name, head, now)
    if due is not None and (name == "schedule" or due > now):
        return schedule_article(stored, head, now)
    head, kept = with_live_settings(head, stored.live, stored.live_changes_of_head, now)
    return replace(publish_article(stored, head, now), kept=kept)


def schedule_article(stored: StoredArticle, head: Article, now: datetime, action: str = "schedule") -> ArticleChange:
    """Make the head the scheduled copy, instead of a former one."""
    head = in_state(head, "scheduled", now)
    behind = stored.live_changes_of_head
    changes: LiveChanges = {"scheduled": behind} if behind else {}
    change = replace(of_head(action, stored, head), live_changes=changes, copies=("working", "scheduled"), refusal=None)
    return replace(change, superseded=stored.scheduled if stored.has_successor else None)


def publish_article(stored: StoredArticle, head: Article, now: datetime, action: str = "publish") -> ArticleChange:
    """Make the head the live copy. It supersedes a scheduled one, which was made before it."""
    live = _first_published(in_state(head, "published", now), stored.live, now)
    live = with_text_date(live, stored.live, now)
    return ArticleChange(
        action,
        live,
        live,
        is_public_change=True,
        copies=("working", "live") if stored.scheduled is None else ("working", "live", "scheduled"),
        superseded=stored.scheduled if stored.has_successor else None,
    )


def publish_scheduled(stored: StoredArticle, now: datetime) -> ArticleChange:
    """Make the scheduled copy the live one, exactly as it was approved; its successor stays as it is.

    Only settings that the live copy was given since, such as a pin or a correction, stay (`with_live_settings`).
    """
    assert stored.scheduled is not None
    changes = stored.live_changes.get("scheduled", {})
    copy, kept = with_live_settings(stored.scheduled, stored.live, changes, now)
    copy = msgspec.structs.replace(copy, version=stored.head.version)
    if not stored.has_successor:
        return replace(publish_article(stored, copy, now), kept=kept)
    live = _first_published(in_state(copy, "published", now), stored.live, now)
    live = with_text_date(live, stored.live, now)
    head = next_version(stored.head, now)
    head = msgspec.structs.replace(
        head, first_published_at=live.first_published_at, published_at=head.published_at or live.published_at
    )
    before = {name: getattr(stored.scheduled, name) for name in kept if getattr(head, name) != getattr(live, name)}
    return replace(
        unchanged("publish", stored),
        head=head,
        live=live,
        is_public_change=True,
        scheduled=None,
        live_changes={"working": before} if before else {},
        changed=live,
        copies=("live", "scheduled"),
        kept=kept,
    )


def _first_published(live: Article, before: Article | None, now: datetime) -> Article:
    """Return a live copy with the times of the first publication."""
    first = live.first_published_at or (before.first_published_at if before is not None else None) or now
    live = msgspec.structs.replace(live, first_published_at=first)
    if live.published_at is None and live.date_precision != "unknown":
        return msgspec.structs.replace(live, published_at=first)
    return live


def keep_unpublished_edits(
    edited: Article, published: ArticleChange, now: datetime, behind: Mapping[str, Any] | None = None
) -> ArticleChange | None:
    """Return the change that makes a working version with unapproved edits a draft again, after a publication without.

    Args:
        edited: The working version with its edits, before that publication.
        published: The publication or the schedule, which left out what nobody has approved.
        now: The time of the change.
        behind: Changes of the live copy that the edited version did not have.

    Returns:
        None if nothing was left out.
    """
    public = published.head
    edited = msgspec.structs.replace(
        edited,
        state=public.state,
        version=public.version,
        modified_at=public.modified_at,
        text_updated_at=public.text_updated_at,
        first_published_at=public.first_published_at,
        published_at=edited.published_at or public.published_at,
        publish_at=public.publish_at if public.state == "scheduled" else edited.publish_at,
    )
    if edited == public:
        return None
    head = in_state(edited, "draft", now)
    change = of_head("keep-edits", StoredArticle(public, published.live).after(published), head)
    missing = {name: value for name, value in (behind or {}).items() if getattr(head, name) != getattr(public, name)}
    return replace(change, live_changes={**change.live_changes, "working": missing}) if missing else change


def publish_or_schedule(stored: StoredArticle, head: Article, now: datetime, action: str) -> ArticleChange:
    """Make the head the published version, or schedule it if it is due in the future."""
    due = due_at(head)
    if due is None or due <= now:
        return publish_article(stored, head, now, action)
    return schedule_article(stored, head, now, action)


def cancel_schedule(stored: StoredArticle, reason: str, now: datetime) -> ArticleChange:
    """Cancel a schedule that can never succeed, and record the reason for the editors."""
    return replace(_without_schedule("give-up", stored, "draft", now), schedule_error=reason)


def allowed_transitions(stored: StoredArticle, has_scope: Callable[[str], bool]) -> list[str]:
    """Return the transitions that an editor is offered: those that the article's state and their scopes allow.

    An article that was never public can be killed, but discarding it is what its editor wants: `kill` is not offered.

    Args:
        stored: The article.
        has_scope: Whether the editor has a scope in the article's section.
    """
    live_state = stored.live.state if stored.live is not None else None
    allowed = []
    for name, transition in TRANSITIONS.items():
        state = live_state if transition.is_withdrawal else stored.head.state
        of_scheduled = stored.scheduled is not None and name in ("refuse", "schedule", "unschedule")
        if (state in transition.from_states or of_scheduled) and has_scope(transition.scope):
            allowed.append(name)
    return allowed

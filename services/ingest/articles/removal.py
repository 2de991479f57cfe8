"""Takes articles off the portal (withdrawn, killed), discards those that were never public, and undoes both. Pure."""

from dataclasses import replace
from datetime import datetime

import msgspec

from services.ingest.articles.copies import (
    UNFINISHED,
    ArticleChange,
    StoredArticle,
    in_state,
    next_version,
    of_head,
    unchanged,
)
from services.ingest.articles.transitions import TRANSITIONS, invalid_transition
from shared.articles import updated_at
from shared.http.problems import Problem


def withdraw(name: str, stored: StoredArticle, now: datetime) -> ArticleChange:
    """Withdraw the live copy. The working copy and the schedule stay, unless the article is killed.

    Raises:
        Problem: 409 if the state of the live copy does not allow it.
    """
    transition = TRANSITIONS[name]
    head, live = stored.head, stored.live
    if live is None and not (name == "kill" and head.state != "killed"):
        raise invalid_transition(name, head.state, sorted(transition.from_states))
    if live is not None and live.state not in transition.from_states:
        raise invalid_transition(name, live.state, sorted(transition.from_states))
    if live is not None:
        live = msgspec.structs.replace(live, version=head.version, text_updated_at=updated_at(live))
        live = in_state(live, transition.to_state, now)
    follows = head.state in transition.from_states  # the head has no unpublished changes
    if live is not None and follows:
        head = live
    elif name == "kill":
        head = in_state(head, transition.to_state, now)
    else:
        head = next_version(head, now)
    copies: tuple[str, ...] = ("working", "live") if follows or name == "kill" else ("live",)
    change = replace(
        unchanged(name, stored),
        head=head,
        live=live,
        is_public_change=live is not None,
        changed=live or head,
        copies=copies,
        schedule_error=None,
    )
    if name != "kill":
        return change
    behind = stored.live_changes_of_head  # still missing in the working copy, should the kill be undone
    change = replace(change, live_changes={"working": behind} if behind else {})
    return change if stored.scheduled is None else replace(change, scheduled=None, copies=(*copies, "scheduled"))


def discard(stored: StoredArticle, *, by_publisher: bool, now: datetime) -> ArticleChange:
    """Discard an article that was never public.

    Args:
        stored: The article as stored.
        by_publisher: Whether the editor may also discard what is in review or approved.
        now: The time.

    Raises:
        Problem: 409 if it was public, is scheduled or killed, or is under review and the editor may not publish.
    """
    state = stored.head.state
    if stored.live is not None:
        raise Problem(409, "The article was public, so it is withdrawn or killed instead of discarded.", state=state)
    if state not in UNFINISHED or stored.scheduled is not None:
        raise Problem(409, "Only a draft can be discarded; cancel its schedule first.", state=state)
    if state != "draft" and not by_publisher:
        raise invalid_transition("discard", state, ["draft"])
    change = of_head("discard", stored, next_version(stored.head, now))
    return replace(change, is_discarded=True)


def discard_draft(stored: StoredArticle, *, by_publisher: bool, now: datetime) -> ArticleChange:
    """Discard the working copy above a scheduled or a live one, which is the working copy again.

    Readers notice nothing: the scheduled and the live copy stay as they are. The revisions of the draft are kept.

    Args:
        stored: The article.
        by_publisher: Whether the editor may also discard what is in review or approved.
        now: The time.

    Raises:
        Problem: 409 if there is no such draft, or if it is under review and the editor may not publish.
    """
    state = stored.head.state
    below = stored.scheduled or stored.live
    if state not in UNFINISHED or below is None:
        raise Problem(409, "There is no draft above a scheduled or a public version.", state=state)
    if state != "draft" and not by_publisher:
        raise invalid_transition("discard-draft", state, ["draft"])
    head = in_state(msgspec.structs.replace(below, version=stored.head.version), below.state, now)
    change = of_head("discard-draft", stored, head)
    others = {copy: fields for copy, fields in stored.live_changes.items() if copy != "working"}
    copies = ("working", "scheduled") if head.state == "scheduled" else ("working",)
    return replace(change, live_changes=others, refusal=None, copies=copies)


def undo_discard(stored: StoredArticle, now: datetime) -> ArticleChange:
    """Make a discarded article a draft again."""
    return of_head("undo-discard", stored, in_state(stored.head, "draft", now))


def undo_kill(stored: StoredArticle, now: datetime) -> ArticleChange:
    """Make a killed article one that was withdrawn: its URL is 404 again, and it can be published or edited.

    What was unfinished when it was killed is a draft again.

    Raises:
        Problem: 409 if it is not killed.
    """
    head, live = stored.head, stored.live
    if head.state != "killed":
        raise Problem(409, "The article is not killed.", state=head.state)
    if live is None:
        return of_head("undo-kill", stored, in_state(head, "draft", now))
    live = in_state(msgspec.structs.replace(live, version=head.version), "unpublished", now)
    unfinished = msgspec.structs.replace(
        head,
        state=live.state,
        version=live.version,
        modified_at=now,
        text_updated_at=live.text_updated_at,
        published_at=head.published_at or live.published_at,
    )
    is_same = unfinished == live
    return replace(
        unchanged("undo-kill", stored),
        head=live if is_same else msgspec.structs.replace(unfinished, state="draft"),
        live=live,
        is_public_change=True,
        live_changes={} if is_same else stored.live_changes,
        changed=live,
        copies=("working", "live"),
    )

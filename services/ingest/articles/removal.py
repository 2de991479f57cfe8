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
        live = in_state(msgspec.structs.replace(live, version=head.version), transition.to_state, now)
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
    if name != "kill" or stored.scheduled is None:
        return replace(change, live_changes={}) if name == "kill" else change
    return replace(change, scheduled=None, live_changes={}, copies=(*copies, "scheduled"))


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
        published_at=head.published_at or live.published_at,
    )
    head = live if unfinished == live else msgspec.structs.replace(unfinished, state="draft")
    return replace(
        unchanged("undo-kill", stored),
        head=head,
        live=live,
        is_public_change=True,
        changed=live,
        copies=("working", "live"),
    )

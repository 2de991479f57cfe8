"""Changes of the live copy of an article, at once and without its working copy. Pure.

Fields form groups, each with an action that the revision records and the scope that it needs. A change of the live copy
leaves the other copies as they are; what they lack is remembered (`live_changes`), and can be carried over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import msgspec

from services.ingest.articles.carry_over import SETTINGS, Conflict, merge_field
from services.ingest.articles.copies import (
    UNFINISHED,
    ArticleChange,
    LiveChanges,
    StoredArticle,
    behind_live,
    in_state,
    next_version,
    of_head,
    unchanged,
)
from services.ingest.articles.text_dates import with_text_date
from shared.articles import Article
from shared.http.problems import Problem


@dataclass(frozen=True)
class FieldGroup:
    """Fields of the live copy that are changed by the same right."""

    action: str
    fields: tuple[str, ...]
    scope: str
    is_text: bool = False
    """Readers see it as the newsroom's words: on sites with `separate_approver` only administrators change it alone."""


GROUPS = (
    FieldGroup(
        "fix",
        ("title", "lead", "body", "kicker", "subtitle", "lead_image", "authors", "source", "place"),
        "publish",
        is_text=True,
    ),
    FieldGroup("correct", ("corrections",), "publish", is_text=True),
    FieldGroup("move", ("section", "also_in"), "publish"),
    FieldGroup("rename", ("slug",), "publish"),
    FieldGroup("expire", ("unpublish_at",), "publish"),
    FieldGroup("describe", ("seo",), "publish", is_text=True),
    FieldGroup("retag", ("tags",), "publish"),
    FieldGroup("place", ("priority", "pinned_until", "featured_until"), "publish"),
)
"""The group that comes first names the action of a change of several."""
CarryOverMode = Literal["no", "all", "where_possible"]


def groups_of(names: Iterable[str]) -> list[FieldGroup]:
    """Return the groups that have at least one of the fields."""
    wanted = set(names)
    return [group for group in GROUPS if wanted & set(group.fields)]


def live_copy_of(stored: StoredArticle) -> Article:
    """Return the live copy.

    Raises:
        Problem: 409 if the article is not published.
    """
    if stored.live is None or stored.live.state != "published":
        state = stored.head.state if stored.live is None else stored.live.state
        raise Problem(
            409, "The article is not public, so it has no live version to change.", state=state, code="not_public"
        )
    return stored.live


def change_live(stored: StoredArticle, fields: Mapping[str, Any], now: datetime) -> ArticleChange | None:
    """Change fields of the live copy at once.

    Args:
        stored: The article as stored.
        fields: The fields of the groups, with their new values.
        now: The time of the change.

    Returns:
        None if the live copy has these values already.

    Raises:
        Problem: 409 if the article is not published.
    """
    before = live_copy_of(stored)
    changed = {name: value for name, value in fields.items() if getattr(before, name) != value}
    if not changed:
        return None
    live = msgspec.structs.replace(before, version=stored.head.version, **changed)
    live = with_text_date(in_state(live, "published", now), before, now)
    follows = stored.head.state == "published"
    changes: LiveChanges = {
        name: behind
        for name, copy in _other_copies(stored)
        if (behind := behind_live(stored.live_changes.get(name, {}), copy, before, live, changed))
    }
    return replace(
        unchanged(groups_of(changed)[0].action, stored),
        head=live if follows else next_version(stored.head, now),
        live=live,
        is_public_change=True,
        live_changes=changes,
        changed=live,
        copies=("working", "live") if follows else ("live",),
    )


def _other_copies(stored: StoredArticle) -> Iterator[tuple[str, Article]]:
    if stored.head.state in UNFINISHED:
        yield "working", stored.head
    if stored.scheduled is not None:
        yield "scheduled", stored.scheduled


class CopyField(msgspec.Struct, frozen=True):
    """A field of a copy."""

    copy: str
    """working or scheduled."""
    field: str


@dataclass
class CarryOver:
    """The changes of the other copies that carry changes of the live copy over."""

    changes: list[ArticleChange] = field(default_factory=list)
    """In the order in which they have to be saved."""
    carried: list[CopyField] = field(default_factory=list)
    possible: list[CopyField] = field(default_factory=list)
    """What could be carried over, and was not, because nobody asked for it."""
    conflicts: list[Conflict] = field(default_factory=list)


def carry_over(stored: StoredArticle, names: Sequence[str] | None, mode: CarryOverMode, now: datetime) -> CarryOver:
    """Carry changes of the live copy over into the working and the scheduled copy: three-way, by field and by block.

    An approved working copy is in review again, as after an edit. The scheduled copy stays scheduled: who changes the
    live copy may publish.

    Args:
        stored: The article after the change of its live copy.
        names: The fields to carry over; None: all that the copies lack.
        mode: `no` reports only; with `where_possible`, a field with conflicts is carried over as far as that is
            possible.
        now: The time of the change.

    Raises:
        Problem: 409 with all conflicts if there is one, and the mode is `all`.
    """
    done = CarryOver()
    for copy, _ in list(_other_copies(stored)):
        article = stored.head if copy == "working" or not stored.has_successor else stored.scheduled
        assert article is not None
        behind = stored.live_changes.get(copy, {})
        wanted = [name for name in behind if names is None or name in names]
        values, conflicts = _merged(stored, copy, article, {name: behind[name] for name in wanted})
        done.conflicts += conflicts
        with_conflict = {one.field.partition(".")[0] for one in conflicts}
        changed = [CopyField(copy, name) for name in values]
        if mode == "no":
            done.possible += [one for one in changed if one.field not in with_conflict]
            continue
        done.carried += changed
        left = {name: value for name, value in behind.items() if name not in wanted or name in with_conflict}
        if values or left != behind:
            change = _carried(stored, copy, msgspec.structs.replace(article, **values), left, now)
            done.changes.append(change)
            stored = stored.after(change)
    if done.conflicts and mode == "all":
        shown = ", ".join(f"{one.field} of the {one.copy} version" for one in done.conflicts[:5])
        raise Problem(
            409,
            f"Nothing was changed: {shown} was changed there too. Fix it there, or send carry_over where_possible.",
            conflicts=done.conflicts,
            code="carry_over_conflict",
        )
    return done


def _merged(
    stored: StoredArticle, copy: str, article: Article, behind: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Conflict]]:
    values: dict[str, Any] = {}
    conflicts: list[Conflict] = []
    for name, before in behind.items():
        merged = merge_field(copy, name, before, getattr(stored.live, name), getattr(article, name))
        conflicts += merged.conflicts
        if merged.value != getattr(article, name):
            values[name] = merged.value
    return values, conflicts


def _carried(
    stored: StoredArticle, copy: str, article: Article, left: Mapping[str, Any], now: datetime
) -> ArticleChange:
    changes = {name: fields for name, fields in stored.live_changes.items() if name != copy}
    if left:
        changes[copy] = left
    if copy == "scheduled" and stored.has_successor:
        scheduled = in_state(msgspec.structs.replace(article, version=stored.head.version), "scheduled", now)
        return replace(
            unchanged("carry-over", stored),
            head=next_version(stored.head, now),
            scheduled=scheduled,
            live_changes=changes,
            changed=scheduled,
            copies=("scheduled",),
        )
    state = "in_review" if article.state == "approved" else article.state
    change = of_head("carry-over", stored, in_state(article, state, now))
    copies = ("working", "scheduled") if state == "scheduled" else ("working",)
    return replace(change, live_changes=changes, copies=copies)


def undone_fixes(stored: StoredArticle, copy: str) -> list[str]:
    """Return the text fields that were fixed in the live copy, and that the publication of a copy would undo."""
    return [name for name in stored.live_changes.get(copy, {}) if name not in SETTINGS]

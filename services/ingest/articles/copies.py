"""The copies of an article as they are stored, and a change of them. Pure.

- The working copy (`head`) is what editors change. Its version is that of the article: each change of any copy makes
  the next one. While it is `scheduled` or `published`, it is the scheduled or the live copy, and follows that.
- The live copy is what readers see. It is changed by a publication, a withdrawal, and directly (articles.live_copy).
- The scheduled copy waits for its time. The working copy beside it is its successor.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.auth.actors import Actor
from shared.articles import Article, State
from shared.sites import Site

LiveChanges = Mapping[str, Mapping[str, Any]]
"""{working or scheduled: {field: its value in the live copy before}}: what was changed in the live copy since the other
copy was made, and not carried over."""
UNFINISHED: frozenset[State] = frozenset({"draft", "in_review", "approved"})
"""States of a working copy that is neither the scheduled nor the live one."""


class Refusal(msgspec.Struct, frozen=True):
    """Why a version was refused, by whom and when."""

    reason: str
    who: str
    at: datetime
    version: int
    """The version that was refused."""


@dataclass(frozen=True)
class StoredArticle:
    """An article as it is stored."""

    head: Article
    live: Article | None
    author: Actor | None = None
    """Who wrote the text of the head, or imported it; None if it was not stored yet."""
    schedule_error: str | None = None
    """Why the scheduler could not publish or withdraw it."""
    scheduled: Article | None = None
    live_changes: LiveChanges = field(default_factory=dict)
    refusal: Refusal | None = None
    """Of the last version that was refused, until one is approved."""
    is_discarded: bool = False

    @property
    def has_successor(self) -> bool:
        """Whether the working copy is another one than the scheduled copy, which exists."""
        return self.scheduled is not None and self.head.state != "scheduled"

    @property
    def live_changes_of_head(self) -> Mapping[str, Any]:
        """The changes of the live copy that the working copy does not have."""
        return self.live_changes.get("scheduled" if self.head.state == "scheduled" else "working", {})

    def resolved(self, site: Site) -> "StoredArticle":
        """Return the article with its section, tags and authors as its site calls them now.

        All that is compared has to be: a name that was given up, and the one that stands for it, are the same.
        """
        if site.structure is None:
            return self
        changes = {
            copy: {name: getattr(site.resolved(msgspec.structs.replace(self.head, **fields)), name) for name in fields}
            for copy, fields in self.live_changes.items()
        }
        return replace(
            self,
            head=site.resolved(self.head),
            live=self.live and site.resolved(self.live),
            scheduled=self.scheduled and site.resolved(self.scheduled),
            live_changes=changes,
        )

    def after(self, change: "ArticleChange") -> "StoredArticle":
        """Return the article after a change by its author."""
        return StoredArticle(
            change.head,
            change.live,
            self.author,
            change.schedule_error,
            change.scheduled,
            change.live_changes,
            change.refusal,
        )


@dataclass(frozen=True)
class ArticleChange:
    """The result of an accepted change: the copies after it."""

    action: str
    head: Article
    live: Article | None
    is_public_change: bool
    """It changes the live copy, which goes to Kafka."""
    schedule_error: str | None = None
    scheduled: Article | None = None
    live_changes: LiveChanges = field(default_factory=dict)
    refusal: Refusal | None = None
    copies: tuple[str, ...] = ("working",)
    """The names of the copies that it changes."""
    superseded: Article | None = None
    """The scheduled copy that it has replaced by a newer version."""
    kept: tuple[str, ...] = ()
    """The settings that the new live copy keeps from the former one."""
    changed: Article | None = None
    """The copy that it changes; None: the working copy."""
    is_discarded: bool = False
    """The article, which was never public, is not shown any more."""

    @property
    def revised(self) -> Article:
        """The copy that it changes, which the revision stores."""
        return self.changed or self.head

    def note(self, reason: str) -> str:
        """Return the note of its revision: the reason, and what else it did."""
        parts = [reason]
        if self.superseded is not None:
            due = due_at(self.superseded)
            when = f" for {due:%Y-%m-%d %H:%M} UTC" if due is not None else ""
            parts.append(f"replaces version {self.superseded.version}, which was scheduled{when}")
        if self.kept:
            parts.append(f"keeps from the live version: {', '.join(self.kept)}")
        return "; ".join(part for part in parts if part)

    @property
    def scheduled_for(self) -> datetime | None:
        """When the scheduled copy is due."""
        return None if self.scheduled is None else due_at(self.scheduled)

    @property
    def publish_due_at(self) -> datetime | None:
        """The same while the working copy is the scheduled one: for schedulers that do not know the scheduled copy."""
        return self.scheduled_for if self.head.state == "scheduled" else None

    @property
    def unpublish_due_at(self) -> datetime | None:
        """When the live copy is due to be withdrawn."""
        return self.live.unpublish_at if self.live is not None and self.live.state == "published" else None


def unchanged(action: str, stored: StoredArticle) -> ArticleChange:
    """Return a change of nothing, from which others are made."""
    return ArticleChange(
        action,
        stored.head,
        stored.live,
        is_public_change=False,
        schedule_error=stored.schedule_error,
        scheduled=stored.scheduled,
        live_changes=stored.live_changes,
        refusal=stored.refusal,
    )


def of_head(action: str, stored: StoredArticle, head: Article) -> ArticleChange:
    """Return a change of the working copy: the live copy stays, and so does a scheduled one beside it.

    A working copy that leaves the state `scheduled` by an edit is the successor of the scheduled copy; one that leaves
    it by another change was unscheduled.
    """
    live = stored.live
    behind = {
        name: value
        for name, value in stored.live_changes_of_head.items()
        if live is not None and getattr(head, name) != getattr(live, name)
    }
    change = replace(unchanged(action, stored), head=head, schedule_error=None)
    if head.state == "scheduled":
        return replace(change, scheduled=head)
    if stored.head.state != "scheduled" or action in ("edit", "restore", "import"):
        others: LiveChanges = {copy: fields for copy, fields in stored.live_changes.items() if copy != "working"}
        return replace(change, live_changes={**others, "working": behind} if behind else others)
    changes: LiveChanges = {"working": behind} if behind else {}
    return replace(change, scheduled=None, live_changes=changes, copies=("working", "scheduled"))


def behind_live(
    behind: Mapping[str, Any], copy: Article, before: Article, live: Article, names: Iterable[str]
) -> dict[str, Any]:
    """Return the live changes that a copy does not have, after a further change of the live copy.

    Args:
        behind: Those that it did not have before: fields, with their values before them.
        copy: The working or the scheduled copy.
        before: The live copy before the change.
        live: The live copy.
        names: The fields that may have changed.
    """
    missing = dict(behind)
    for name in names:
        if getattr(live, name) != getattr(before, name):
            missing.setdefault(name, getattr(before, name))
    return {name: value for name, value in missing.items() if getattr(live, name) not in (value, getattr(copy, name))}


def keep_schedule(stored: StoredArticle, published: ArticleChange, names: Iterable[str]) -> ArticleChange:
    """Return a publication that does not supersede the scheduled copy, which had another origin.

    Args:
        stored: The article before it.
        published: The publication.
        names: The fields that it may have changed.
    """
    behind: Mapping[str, Any] = stored.live_changes.get("scheduled", {})
    if stored.live is not None and stored.scheduled is not None and published.live is not None:
        behind = behind_live(behind, stored.scheduled, stored.live, published.live, names)
    changes: LiveChanges = {"scheduled": behind} if behind else {}
    copies = tuple(name for name in published.copies if name != "scheduled")
    return replace(published, scheduled=stored.scheduled, superseded=None, live_changes=changes, copies=copies)


def due_at(article: Article) -> datetime | None:
    """Return the time at which a scheduled article is due for publication."""
    return max((at for at in (article.publish_at, article.embargo_until) if at is not None), default=None)


def in_state(article: Article, state: State, now: datetime) -> Article:
    """Return the next version of a copy, in a state."""
    return msgspec.structs.replace(article, state=state, version=article.version + 1, modified_at=now)


def next_version(article: Article, now: datetime) -> Article:
    """Return a working copy that stays as it is while another copy changes."""
    return in_state(article, article.state, now)

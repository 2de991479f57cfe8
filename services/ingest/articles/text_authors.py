"""Who wrote the text of each copy of an article: as its revisions say, from the first one on.

The article itself names the author of the working copy only. A copy keeps its author while it gets another time, a pin
or a change of the live one, and while somebody else writes its successor.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from services.ingest.auth.actors import Actor
from services.ingest.queries import SQL
from shared.postgres import Connection

WRITES = frozenset({"create", "edit", "restore", "import"})


@dataclass(frozen=True)
class TextChange:
    """A revision, as far as it says who wrote what."""

    action: str
    state: str
    """Of the copy that it stores."""
    copies: frozenset[str]
    """The copies that it changed."""
    who: Actor


@dataclass
class TextAuthors:
    """Who wrote the text of the copies; None: the article has no such copy."""

    working: Actor | None = None
    live: Actor | None = None
    scheduled: Actor | None = None


def authors_of(changes: Iterable[TextChange]) -> TextAuthors:
    """Return who wrote the copies after changes, the first one first."""
    now = TextAuthors()
    edited: Actor | None = None  # of what an import has kept as a draft
    for change in changes:
        if change.action == "discard-draft":
            now.working = now.scheduled if "scheduled" in change.copies else now.live
        elif change.action == "keep-edits":
            now.working = edited
        elif change.action != "crop":
            if change.action in WRITES:
                edited, now.working = now.working, change.who
            _move(now, change)
    return now


def _move(now: TextAuthors, change: TextChange) -> None:
    """Note which copy another one has become."""
    is_working = "working" in change.copies
    if "scheduled" in change.copies:
        if change.state == "published" and not is_working:  # beside its successor
            now.live = now.scheduled
        if change.state != "scheduled":
            now.scheduled = None
        elif is_working:
            now.scheduled = now.working
    if is_working and "live" in change.copies and change.state == "published":
        now.live = now.working


async def read_text_authors(connection: Connection, article: str) -> TextAuthors:
    """Return who wrote the copies of an article."""
    rows = await connection.fetch(SQL["text_changes"], article)
    return authors_of(map(_text_change, rows))


def _text_change(row: asyncpg.Record) -> TextChange:
    copies = row["copies"] or ["working", *(["live"] if row["is_public_change"] else [])]
    if not row["copies"] and row["state"] == "scheduled":  # of a former version
        copies = ["working", "scheduled"]
    return TextChange(row["action"], row["state"], frozenset(copies), Actor(row["who"], row["token"]))

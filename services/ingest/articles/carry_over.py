"""Merges changes of the live copy of an article into its other copies: three-way, by field and by block. Pure.

The common ancestor of a field is its value in the live copy before the change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

import msgspec

from shared.articles import TAGS_MAX, Article, Block

SETTINGS = (
    "priority",
    "pinned_until",
    "featured_until",
    "unpublish_at",
    "section",
    "also_in",
    "tags",
    "seo",
    "slug",
    "corrections",
)
"""Fields that are no text: a newer text that goes live keeps them as the live copy has them, unless it changed them."""
LIST_LIMITS = {"tags": TAGS_MAX, "also_in": 10, "corrections": 50}
"""Fields that are lists of independent entries: both sides' additions and removals apply."""
EXCERPT_CHARACTERS_MAX = 300


class Conflict(msgspec.Struct, frozen=True):
    """A change of the live copy that cannot be carried over, because the other copy has changed the same field."""

    copy: str
    """working or scheduled."""
    field: str
    """Of a body, with the block of that copy: body.3."""
    before: str
    """The value in the live copy before the change, as JSON, at most 300 characters."""
    live: str
    """The value in the live copy now."""
    other: str
    """The value in the other copy."""


@dataclass(frozen=True)
class Merged:
    """A field of a copy with a change of the live copy carried over, as far as that is possible."""

    value: Any
    conflicts: tuple[Conflict, ...] = ()


def merge_field(copy: str, name: str, before: Any, live: Any, other: Any) -> Merged:
    """Carry a change of a field over.

    Args:
        copy: The name of the copy, for conflicts.
        name: The name of the field.
        before: Its value in the live copy before the change.
        live: Its value in the live copy now.
        other: Its value in the other copy.
    """
    if other in (before, live):
        return Merged(live)
    if name == "body":
        return _merge_bodies(copy, before, live, other)
    if name in LIST_LIMITS:
        merged = merge_lists(before, live, other)
        if len(merged) <= LIST_LIMITS[name]:
            return Merged(merged)
    return Merged(other, (Conflict(copy, name, _excerpt(before), _excerpt(live), _excerpt(other)),))


def merge_lists(before: Sequence[Any], live: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    """Return the other list with the entries that the live one has gained, without those that it has lost."""
    kept = [one for one in other if one in live or one not in before]
    return kept + [one for one in live if one not in before and one not in other]


@dataclass(frozen=True)
class _Hunk:
    """A change of blocks `begin` to `end` of the common ancestor."""

    begin: int
    end: int
    blocks: tuple[Block, ...]
    position: int
    """The index of the first block of the change in the changed body."""

    def clashes_with(self, other: "_Hunk") -> bool:
        if self.begin == self.end and other.begin == other.end:
            return self.begin == other.begin
        if self.begin == self.end:
            return other.begin < self.begin < other.end
        if other.begin == other.end:
            return self.begin < other.begin < self.end
        return max(self.begin, other.begin) < min(self.end, other.end)

    def is_same(self, other: "_Hunk") -> bool:
        return (self.begin, self.end, self.blocks) == (other.begin, other.end, other.blocks)


def _hunks(before: Sequence[Block], after: Sequence[Block]) -> Iterator[_Hunk]:
    one, two = ([msgspec.json.encode(block) for block in body] for body in (before, after))
    matcher = SequenceMatcher[bytes](None, one, two, autojunk=False)
    for tag, begin, end, first, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        if end - begin == last - first:  # block by block, so that neighbours can be changed by both sides
            for offset in range(end - begin):
                block = after[first + offset]
                yield _Hunk(begin + offset, begin + offset + 1, (block,), first + offset)
        else:
            yield _Hunk(begin, end, tuple(after[first:last]), first)


def _merge_bodies(copy: str, before: list[Block], live: list[Block], other: list[Block]) -> Merged:
    own = list(_hunks(before, other))
    applied, conflicts = list(own), []
    for hunk in _hunks(before, live):
        if any(hunk.is_same(one) for one in own):
            continue
        clash = next((one for one in own if hunk.clashes_with(one)), None)
        if clash is None:
            applied.append(hunk)
            continue
        values = (before[hunk.begin : hunk.end], list(hunk.blocks), list(clash.blocks))
        conflicts.append(Conflict(copy, f"body.{clash.position}", *map(_excerpt, values)))
    merged: list[Block] = []
    done = 0
    for hunk in sorted(applied, key=lambda one: (one.begin, one.end)):
        merged += [*before[done : hunk.begin], *hunk.blocks]
        done = hunk.end
    return Merged([*merged, *before[done:]], tuple(conflicts))


def _excerpt(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= EXCERPT_CHARACTERS_MAX else text[: EXCERPT_CHARACTERS_MAX - 1] + "…"


def with_live_settings(
    copy: Article, live: Article | None, before: Mapping[str, Any], now: datetime
) -> tuple[Article, tuple[str, ...]]:
    """Return a copy that is about to go live, with the settings that the live copy was given since the copy was made.

    Args:
        copy: The working or the scheduled copy.
        live: The live copy, which it replaces.
        before: The fields of the live copy that were changed since the copy was made, with their values before.
        now: The time of the publication: an expiry in the past is not kept.

    Returns:
        The copy, and the names of the fields that it keeps.
    """
    if live is None:
        return copy, ()
    kept: dict[str, Any] = {}
    for name in SETTINGS:
        if name not in before or (name == "unpublish_at" and not _is_ahead(live, now)):
            continue
        value = merge_field("", name, before[name], getattr(live, name), getattr(copy, name)).value
        if value != getattr(copy, name):
            kept[name] = value
    return msgspec.structs.replace(copy, **kept), tuple(kept)


def _is_ahead(live: Article, now: datetime) -> bool:
    return live.state == "published" and (live.unpublish_at is None or live.unpublish_at > now)

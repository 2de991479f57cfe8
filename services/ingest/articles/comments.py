"""Comments of editors on an article, or on one of its blocks; and where that block is now."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from services.ingest.content.block_comparison import block_text
from shared.articles import Block

COMMENTS_MAX = 500
"""Of one article."""
TEXT_CHARACTERS_MAX = 2_000
EXCERPT_CHARACTERS_MAX = 200
SIMILARITY_MIN = 0.5


class Comment(msgspec.Struct, kw_only=True):
    """A comment on a version of an article."""

    id: int
    version: int
    """The version that was commented on."""
    block: int | None
    """The place of the block in that version, from 0; null: the whole article."""
    excerpt: str
    """The beginning of the block's words."""
    block_now: int | None
    """The place of the block in the working version; null: it was removed, or the comment is on the whole article."""
    text: str
    who: str
    is_yours: bool
    created_at: datetime
    edited_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None


class CommentList(msgspec.Struct):
    """The comments of an article, the oldest first, and the working version in which `block_now` counts."""

    comments: list[Comment]
    version: int


def excerpt_of(block: Block) -> str:
    """Return the beginning of a block's words, by which it is found again."""
    return block_text(block)[:EXCERPT_CHARACTERS_MAX]


def place_of(excerpt: str, block: int, body: Sequence[Block]) -> int | None:
    """Return where a block is in a body: the same words at its place or nearest to it, else the most similar words."""
    excerpts = [excerpt_of(one) for one in body]
    same = [index for index, text in enumerate(excerpts) if text == excerpt]
    if same:
        return min(same, key=lambda index: (abs(index - block), index))
    wanted = Counter(excerpt.lower().split())
    shares = [_share(wanted, Counter(text.lower().split())) for text in excerpts]
    best = max(range(len(body)), key=lambda index: (shares[index], -abs(index - block)), default=0)
    return best if body and shares[best] >= SIMILARITY_MIN else None


def _share(one: Counter[str], other: Counter[str]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def comment_of(row: asyncpg.Record, body: Sequence[Block], caller_id: str) -> Comment:
    """Return the comment of a row, with the place of its block in a body."""
    block = row["block"]
    return Comment(
        id=row["id"],
        version=row["version"],
        block=block,
        excerpt=row["excerpt"],
        block_now=None if block is None else place_of(row["excerpt"], block, body),
        text=row["text"],
        who=row["who"],
        is_yours=row["author"] == caller_id,
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        resolved_at=row["resolved_at"],
        resolved_by=row["resolved_by"],
    )

"""Two versions of an article → what differs, word by word: blocks in their new order, with those that moved. Pure.

A page renders the result as it is: each block has its segments, each a run of equal, inserted or deleted text.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec

from services.ingest.content.text_comparison import Segment, compare_texts
from shared.articles import (
    Block,
    BulletList,
    Embed,
    Figure,
    File,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Related,
    Table,
)
from shared.text import inline_html_parts, inline_text

Kind = Literal["equal", "changed", "inserted", "deleted", "moved"]
Detail = Literal["markup", "picture", "alt", "credit", "focus", "type", "target"]
"""What differs besides the words: bold or where links lead; the picture itself, its description, source or focus
point; the kind of block; where a file or a video leads."""
PAIRS_MAX = 10_000
"""Changed blocks between two equal ones are paired by their words up to so many comparisons, else by their place."""
SIMILARITY_MIN = 0.3
_TAG = re.compile(r"<(?!br\b)[^>]*>")


class BlockComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A block of either version; `before` and `after` are its places in them, from 0."""

    kind: Kind
    """`moved`: it has another place among the others, and perhaps other words."""
    type: str
    before: int | None
    after: int | None
    segments: list[Segment]
    details: list[Detail] = []
    picture_before: str | None = None
    picture_after: str | None = None


def block_text(block: Block) -> str:
    """Return the words of a block: items and rows are lines, cells have a bar between them."""
    return "\n".join(_lines(block))


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph() | Heading():
            yield inline_text(block.html)
        case Figure():
            yield block.caption
        case BulletList():
            yield from _item_lines(block.items)
        case Quote():
            yield from (inline_text(one) for one in block.paragraphs)
            if block.cite:
                yield f"— {block.cite}"
        case Table():
            if block.caption:
                yield block.caption
            yield from (" | ".join(inline_text(cell.html) for cell in row) for row in block.rows)
        case Embed():
            yield block.title or block.id
        case File():
            yield block.name
        case Related():
            yield f"№ {block.number}"


def _item_lines(items: Sequence[Item], depth: int = 0) -> Iterator[str]:
    for item in items:
        yield "  " * depth + inline_text(item.html)
        yield from _item_lines(item.items, depth + 1)


def compare_bodies(before: Sequence[Block], after: Sequence[Block]) -> list[BlockComparison]:
    """Return the blocks of two versions, in the order of the new one; deleted ones are where they were."""
    one, other = [_key(block) for block in before], [_key(block) for block in after]
    pairs: list[tuple[int | None, int | None]] = []
    for name, start, stop, new_start, new_stop in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        places, new_places = range(start, stop), range(new_start, new_stop)
        is_equal = name == "equal"
        pairs += zip(places, new_places, strict=True) if is_equal else _paired(before, after, places, new_places)
    moves = _moves(before, after, pairs)
    shown = []
    for old, new in pairs:
        if new is None and old in moves.values():
            continue
        is_moved = new in moves
        shown.append(_compared(before, after, moves.get(new, old), new, is_moved=is_moved))
    return shown


def _key(block: Block) -> bytes:
    """Return what two blocks that are equal have in common: all but what the library fills in of a picture."""
    if isinstance(block, Figure) and block.image is not None and block.image.media is not None:
        image = Image("", block.image.alt, media=block.image.media, focus=block.image.focus)
        block = msgspec.structs.replace(block, image=image)
    return msgspec.json.encode(block)


def _paired(
    before: Sequence[Block], after: Sequence[Block], old: range, new: range
) -> list[tuple[int | None, int | None]]:
    """Pair the blocks of two ranges that are alike, in their order; the others are deleted or inserted."""
    if not old or not new:
        return [*((index, None) for index in old), *((None, index) for index in new)]
    if len(old) * len(new) > PAIRS_MAX:
        rest = min(len(old), len(new))
        paired = list(zip(old, new, strict=False))
        return [*paired, *((index, None) for index in old[rest:]), *((None, index) for index in new[rest:])]
    words, new_words = ([_words(blocks[index]) for index in places] for blocks, places in ((before, old), (after, new)))
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    alike = [
        [_likeness(before[i], after[j], words[a], new_words[b]) for b, j in enumerate(new)] for a, i in enumerate(old)
    ]
    for a in range(len(old) - 1, -1, -1):
        for b in range(len(new) - 1, -1, -1):
            best[a][b] = max(best[a + 1][b], best[a][b + 1], (alike[a][b] + best[a + 1][b + 1]) if alike[a][b] else 0)
    return list(_best_pairs(old, new, best, alike))


def _best_pairs(
    old: range, new: range, best: Sequence[Sequence[float]], alike: Sequence[Sequence[float]]
) -> Iterator[tuple[int | None, int | None]]:
    a = b = 0
    while a < len(old) or b < len(new):
        if a < len(old) and b < len(new) and alike[a][b] and best[a][b] == alike[a][b] + best[a + 1][b + 1]:
            yield old[a], new[b]
            a, b = a + 1, b + 1
        elif a < len(old) and (b == len(new) or best[a][b] == best[a + 1][b]):
            yield old[a], None
            a += 1
        else:
            yield None, new[b]
            b += 1


def _words(block: Block) -> Counter[str]:
    return Counter(re.findall(r"\w+", block_text(block).lower()))


def _likeness(one: Block, other: Block, words: Counter[str], new_words: Counter[str]) -> float:
    """Return how alike two blocks are: 0 for not at all, or the part of their words that both have."""
    if isinstance(one, Figure) and isinstance(other, Figure) and _picture(one) == _picture(other):
        return 2.0
    total = words.total() + new_words.total()
    if not total:
        return 1.0 if type(one) is type(other) else 0.0
    share = 2 * (words & new_words).total() / total
    is_same_type = type(one) is type(other)
    return share if share >= SIMILARITY_MIN and (is_same_type or _are_texts(one, other)) else 0.0


def _are_texts(one: Block, other: Block) -> bool:
    return isinstance(one, Paragraph | Heading | Quote) and isinstance(other, Paragraph | Heading | Quote)


def _moves(
    before: Sequence[Block], after: Sequence[Block], pairs: Sequence[tuple[int | None, int | None]]
) -> dict[int | None, int]:
    """Return, for blocks that were inserted in one place and deleted in another, the new place and the old one."""
    deleted: dict[object, list[int]] = {}
    for old, new in pairs:
        if new is None and old is not None:
            deleted.setdefault(_identity(before[old]), []).append(old)
    moves: dict[int | None, int] = {}
    for old, new in pairs:
        if old is None and new is not None and (places := deleted.get(_identity(after[new]))):
            moves[new] = places.pop(0)
    return moves


def _identity(block: Block) -> object:
    return (_picture(block) or _key(block)) if isinstance(block, Figure) else _key(block)


def _picture(block: Block) -> str | None:
    image = block.image if isinstance(block, Figure) else None
    return None if image is None else image.media or image.url


def _compared(
    before: Sequence[Block], after: Sequence[Block], old: int | None, new: int | None, *, is_moved: bool
) -> BlockComparison:
    one, other = None if old is None else before[old], None if new is None else after[new]
    shown = other if other is not None else one
    assert shown is not None
    details = [] if one is None or other is None else list(_details(one, other))
    texts = ["" if block is None else block_text(block) for block in (one, other)]
    kind: Kind = "moved" if is_moved else "deleted" if other is None else "inserted" if one is None else "changed"
    if kind == "changed" and one is not None and other is not None and _key(one) == _key(other):
        kind = "equal"
    return BlockComparison(
        kind=kind,
        type=shown.__struct_config__.tag if isinstance(shown.__struct_config__.tag, str) else "",
        before=old,
        after=new,
        segments=compare_texts(*texts),
        details=details,
        picture_before=_picture_url(one),
        picture_after=_picture_url(other),
    )


def _picture_url(block: Block | None) -> str | None:
    return block.image.url if isinstance(block, Figure) and block.image is not None else None


def _details(one: Block, other: Block) -> Iterator[Detail]:
    if type(one) is not type(other):
        yield "type"
        return
    if isinstance(one, Figure) and isinstance(other, Figure):
        yield from _picture_details(one, other)
    elif isinstance(one, File | Embed | Related):
        if _without_words(one) != _without_words(other):
            yield "target"
    elif _tags(one) != _tags(other) or (block_text(one) == block_text(other) and _key(one) != _key(other)):
        yield "markup"


def _tags(block: Block) -> list[str]:
    """Return the tags in a block's words, with where links lead."""
    return [tag for html in inline_html_parts(block) for tag in _TAG.findall(html)]


def _without_words(block: Block) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(block)
    return {name: value for name, value in fields.items() if name not in ("name", "title")}


def _picture_details(one: Figure, other: Figure) -> Iterator[Detail]:
    if _picture(one) != _picture(other):
        yield "picture"
    elif one.image is not None and other.image is not None and one.image.focus != other.image.focus:
        yield "focus"
    if one.image is not None and other.image is not None and one.image.alt != other.image.alt:
        yield "alt"
    if one.credit != other.credit:
        yield "credit"

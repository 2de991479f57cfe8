"""Two versions of an article side by side: which words were added and removed, block by block. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape
from typing import Any, Literal, NamedTuple

from services.ingest.content.text_comparison import compare_texts
from shared.translations import pgettext, translate

SAME_RATIO_MIN = 0.3
"""Blocks that have less in common are another text, not a changed one."""
PAIRS_MAX = 2_500
"""Of changed blocks that are compared with each other; of more, those in the same place are."""
FIELD_NAMES = translate(
    {
        "title": pgettext("field", "Title"),
        "kicker": pgettext("field", "Line above the title"),
        "subtitle": pgettext("field", "Line below the title"),
        "lead": pgettext("field", "Standfirst"),
        "section": pgettext("field", "Section"),
        "also_in": pgettext("field", "Also in"),
        "tags": pgettext("field", "Tags"),
        "authors": pgettext("field", "Authors"),
        "source": pgettext("field", "Source of the text"),
        "lead_image": pgettext("field", "Picture for lists"),
        "slug": pgettext("field", "Address"),
        "seo": pgettext("field", "Search engines"),
        "publish_at": pgettext("field", "Publish at"),
        "unpublish_at": pgettext("field", "Take down at"),
        "embargo_until": pgettext("field", "Embargo until"),
        "published_at": pgettext("field", "First published elsewhere"),
        "pinned_until": pgettext("field", "Pinned until"),
        "featured_until": pgettext("field", "Featured until"),
        "priority": pgettext("field", "Priority"),
        "corrections": pgettext("field", "Corrections"),
        "kind": pgettext("field", "Kind"),
        "place": pgettext("field", "Place"),
        "rights": pgettext("field", "Rights"),
        "old_urls": pgettext("field", "Former addresses"),
        "translation_of": pgettext("field", "Translation of"),
        "allow_print": pgettext("field", "It may be printed"),
        "language": pgettext("field", "Language"),
        "date_precision": pgettext("field", "Precision of the date"),
        "state": pgettext("field", "State"),
    }
)
BLOCK_NAMES = translate(
    {
        "heading": pgettext("block", "Subheading"),
        "figure": pgettext("block", "Picture"),
        "list": pgettext("block", "List"),
        "quote": pgettext("block", "Quotation"),
        "table": pgettext("block", "Table"),
        "embed": pgettext("block", "Video"),
        "file": pgettext("block", "Document"),
    }
)
_LETTERS = re.compile(r"\w+")
_TAG = re.compile(r"<[^>]*>")

Op = Literal["same", "removed", "added"]


class Segment(NamedTuple):
    """Words that both versions have, or only one of them."""

    op: Op
    text: str


@dataclass(frozen=True)
class Row:
    """A block of each version, or of one of them."""

    kind: Literal["same", "changed", "added", "removed"]
    before: Sequence[Segment]
    after: Sequence[Segment]
    name: str = ""
    """Of a block that is not a paragraph: what it is."""
    place: int | None = None
    """Of the block in the later version, from 0; None if it was removed."""


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions."""

    fields: Sequence[tuple[str, Row]]
    body: Sequence[Row]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.fields and all(row.kind == "same" for row in self.body)


def compare(before: Mapping[str, Any], after: Mapping[str, Any], language: str) -> Comparison:
    """Return what differs between two versions of an article, as the API has them."""
    names = FIELD_NAMES[language]
    fields = []
    for name, title in names.items():
        one, other = field_text(before.get(name)), field_text(after.get(name))
        if one != other:
            fields.append((str(title), _changed_row(one, other)))
    return Comparison(fields, list(_rows(before.get("body") or (), after.get("body") or (), BLOCK_NAMES[language])))


def field_text(value: Any) -> str:
    """Return a field's value as a person reads it."""
    if value is None or value is False:
        return ""
    if value is True:
        return "✓"
    if isinstance(value, Mapping):
        return ", ".join(text for text in map(field_text, value.values()) if text)
    if isinstance(value, list):
        return " · ".join(field_text(one) for one in value)
    return str(value)


def block_text(block: Mapping[str, Any]) -> str:
    """Return the words of a block."""
    match block["type"]:
        case "paragraph" | "heading":
            lines = [_plain(block["html"])]
        case "list":
            lines = list(_item_lines(block["items"], 0))
        case "quote":
            lines = [*map(_plain, block["paragraphs"]), *([f"— {block['cite']}"] if block.get("cite") else [])]
        case "table":
            rows = [" | ".join(_plain(cell["html"]) for cell in row) for row in block["rows"]]
            lines = [*([block["caption"]] if block.get("caption") else []), *rows]
        case "figure":
            image = block.get("image") or {}
            parts = (image.get("alt"), block.get("caption"), block.get("credit"), (image.get("media") or "")[:8])
            lines = [" · ".join(part for part in parts if part)]
        case "embed":
            lines = [f"{block['provider']} {block['id']} {block.get('title') or ''}".strip()]
        case _:
            lines = [str(block.get("name") or block.get("url") or "")]
    return "\n".join(lines)


def _plain(html: str) -> str:
    return unescape(_TAG.sub("", html.replace("<br>", "\n")))


def _item_lines(items: Sequence[Mapping[str, Any]], depth: int) -> Iterator[str]:
    for item in items:
        yield f"{'  ' * depth}• {_plain(item.get('html') or '')}"
        yield from _item_lines(item.get("items") or (), depth + 1)


def _rows(before: Sequence[Any], after: Sequence[Any], names: Mapping[str, str]) -> Iterator[Row]:
    ones, others = [_keyed(block) for block in before], [_keyed(block) for block in after]
    for op, i1, i2, j1, j2 in SequenceMatcher(None, ones, others, autojunk=False).get_opcodes():
        if op == "equal":
            for place, (kind, text) in enumerate(ones[i1:i2], j1):
                same = [Segment("same", text)]
                yield Row("same", same, same, names.get(kind, ""), place)
            continue
        place = j1
        for one, other in _pairs(ones[i1:i2], others[j1:j2]):
            if other is None:
                assert one is not None
                yield Row("removed", [Segment("removed", one[1])], (), names.get(one[0], ""))
                continue
            name = names.get(other[0], "")
            if one is None:
                yield Row("added", (), [Segment("added", other[1])], name, place)
            else:
                row = _changed_row(one[1], other[1])
                yield Row(row.kind, row.before, row.after, name, place)
            place += 1


_Keyed = tuple[str, str]


def _keyed(block: Mapping[str, Any]) -> _Keyed:
    kind = str(block["type"])
    return kind, block_text(block)


def _pairs(ones: Sequence[_Keyed], others: Sequence[_Keyed]) -> Iterator[tuple[_Keyed | None, _Keyed | None]]:
    """Yield which changed block became which, in the order of the later version; None: added or removed."""
    at = 0
    for other in others:
        found = _nearest(ones, at, other, len(others))
        if found is None:
            yield None, other
            continue
        for one in ones[at:found]:
            yield one, None
        yield ones[found], other
        at = found + 1
    for one in ones[at:]:
        yield one, None


def _nearest(ones: Sequence[_Keyed], at: int, other: _Keyed, count: int) -> int | None:
    if len(ones) * count > PAIRS_MAX:
        return at if at < len(ones) and ones[at][0] == other[0] else None
    words = _LETTERS.findall(other[1])
    best, ratio_best = None, SAME_RATIO_MIN
    for number in range(at, len(ones)):
        if ones[number][0] == other[0]:
            ratio = SequenceMatcher(None, _LETTERS.findall(ones[number][1]), words, autojunk=False).ratio()
            if ratio > ratio_best:
                best, ratio_best = number, ratio
    return best


def _changed_row(before: str, after: str) -> Row:
    runs = compare_texts(before, after)
    left = [Segment("same" if one.kind == "equal" else "removed", one.text) for one in runs if one.kind != "inserted"]
    right = [Segment("same" if one.kind == "equal" else "added", one.text) for one in runs if one.kind != "deleted"]
    return Row("same" if before == after else "changed", left, right)

"""Two versions of an article side by side: which words were added and removed, block by block, and pictures. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from services.ingest.content.block_comparison import BlockComparison, compare_bodies
from services.ingest.content.text_comparison import compare_texts
from services.ingest.newsroom.article_state import STATES
from services.ingest.newsroom.field_names import FIELD_NAMES
from shared.articles import Block
from shared.translations import pgettext, translate

PICTURE_WIDTH_MIN = 320
"""Of the copies of a picture, the smallest one that is as wide is shown."""
BLOCK_NAMES = translate(
    {
        "heading": pgettext("block", "Subheading"),
        "figure": pgettext("block", "Picture"),
        "list": pgettext("block", "List"),
        "quote": pgettext("block", "Quotation"),
        "table": pgettext("block", "Table"),
        "embed": pgettext("block", "Video"),
        "file": pgettext("block", "Document"),
        "related": pgettext("block", "Related article"),
    }
)
DETAIL_NAMES = translate(
    {
        "moved": pgettext("difference", "Moved to another place"),
        "markup": pgettext("difference", "Formatting or links differ"),
        "picture": pgettext("difference", "Another picture"),
        "focus": pgettext("difference", "Another focus point"),
        "type": pgettext("difference", "Another kind of block"),
        "target": pgettext("difference", "Another file or address"),
    }
)
"""What differs besides the words that are shown."""
_TAG = re.compile(r"<[^>]*>")
_KINDS: Mapping[str, Literal["same", "changed", "added", "removed"]] = {
    "equal": "same",
    "changed": "changed",
    "moved": "changed",
    "inserted": "added",
    "deleted": "removed",
}

Op = Literal["same", "removed", "added"]
Titles = Mapping[str, str]
"""Of articles by ID: those that the reader of the page may read."""
NO_TITLES: Titles = MappingProxyType({})


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
    details: Sequence[str] = ()
    """What differs besides the words, in the language of the page."""
    picture_before: str | None = None
    """The address of a small copy."""
    picture_after: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions."""

    fields: Sequence[tuple[str, Row]]
    body: Sequence[Row]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.fields and all(row.kind == "same" for row in self.body)


def related_articles(*versions: Mapping[str, Any]) -> list[str]:
    """Return the IDs of the articles that versions of an article show as cards, in their order."""
    blocks = [block for version in versions for block in version.get("body") or ()]
    return list(dict.fromkeys(str(one["article"]) for one in blocks if one["type"] == "related"))


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], language: str, titles: Titles = NO_TITLES
) -> Comparison:
    """Return what differs between two versions of an article, as the API has them."""
    fields = []
    for name, title in FIELD_NAMES[language].items():
        row = _field_row(name, before.get(name), after.get(name), language)
        if row.kind != "same":
            fields.append((str(title), row))
    return Comparison(fields, list(_rows(before.get("body") or (), after.get("body") or (), language, titles)))


def _field_row(name: str, before: Any, after: Any, language: str) -> Row:
    if name == "state":
        return _row(*(str(STATES[language].get(str(state), state or "")) for state in (before, after)))
    if name != "lead_image":
        return _row(field_text(before), field_text(after))
    figures = [[{**one, "type": "figure"}] if one else [] for one in (before, after)]
    rows = list(_rows(figures[0], figures[1], language))
    return rows[0] if len(rows) == 1 else _joined(rows)


def _joined(rows: Sequence[Row]) -> Row:
    """Return one row of a picture that was removed and another one that was added."""
    if not rows:
        return Row("same", (), ())
    old, new = next(row for row in rows if row.before), next(row for row in rows if row.after)
    pictures = (old.picture_before, new.picture_after)
    return Row("changed", old.before, new.after, new.name, None, (), *pictures)


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


def block_text(block: Mapping[str, Any], titles: Titles = NO_TITLES) -> str:
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
            elsewhere = None if image.get("media") else image.get("url")
            parts = (image.get("alt"), block.get("caption"), block.get("credit"), elsewhere)
            lines = [" · ".join(part for part in parts if part)]
        case "embed":
            lines = [f"{block['provider']} {block['id']} {block.get('title') or ''}".strip()]
        case "related":
            number = f"№ {block['number']}"
            lines = [f"{titles[block['article']]} ({number})" if block["article"] in titles else number]
        case _:
            lines = [str(block.get("name") or block.get("url") or "")]
    return "\n".join(lines)


def _plain(html: str) -> str:
    return unescape(_TAG.sub("", html.replace("<br>", "\n")))


def _item_lines(items: Sequence[Mapping[str, Any]], depth: int) -> Iterator[str]:
    for item in items:
        yield f"{'  ' * depth}• {_plain(item.get('html') or '')}"
        yield from _item_lines(item.get("items") or (), depth + 1)


def _rows(before: Sequence[Any], after: Sequence[Any], language: str, titles: Titles = NO_TITLES) -> Iterator[Row]:
    blocks = [msgspec.convert(list(body), list[Block]) for body in (before, after)]
    for found in compare_bodies(*blocks):
        one = None if found.before is None else before[found.before]
        other = None if found.after is None else after[found.after]
        yield _block_row(found, one, other, language, titles)


def _block_row(
    found: BlockComparison,
    one: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None,
    language: str,
    titles: Titles,
) -> Row:
    row = _row(*("" if block is None else block_text(block, titles) for block in (one, other)))
    names = ["moved"] if found.kind == "moved" else []
    names += [name for name in found.details if name in DETAIL_NAMES[language]]
    return Row(
        _KINDS[found.kind],
        () if one is None else row.before or [Segment("same", "")],
        () if other is None else row.after or [Segment("same", "")],
        BLOCK_NAMES[language].get(found.type, ""),
        found.after,
        [str(DETAIL_NAMES[language][name]) for name in names],
        _small_picture(one),
        _small_picture(other),
    )


def _small_picture(block: Mapping[str, Any] | None) -> str | None:
    """Return the address of a small copy of the portal's own picture of a block."""
    image = (block or {}).get("image")
    if not image:
        return None
    copies = sorted(image.get("renditions") or (), key=lambda one: int(one["width"]))
    wide = [one for one in copies if one["width"] >= PICTURE_WIDTH_MIN] or copies[-1:]
    address = str((wide[0] if wide else image).get("url") or "")
    return address if address.startswith("/") else None


def _row(before: str, after: str) -> Row:
    runs = compare_texts(before, after)
    left = [Segment("same" if one.kind == "equal" else "removed", one.text) for one in runs if one.kind != "inserted"]
    right = [Segment("same" if one.kind == "equal" else "added", one.text) for one in runs if one.kind != "deleted"]
    return Row("same" if before == after else "changed", left, right)

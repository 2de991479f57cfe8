"""What editors sent → the content of an article, and what is still missing before it may be published. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import BaseModel
from slugify import slugify

from services.ingest.content import block_models as sent
from services.ingest.content.article_models import Content
from services.ingest.content.blocks import blocks_of, embed_of, inline_html
from services.ingest.content.errors import ContentError, Fault
from services.ingest.content.sanitizer import MarkupError, Node, dropped_tags, markdown_to_html, parse_html
from shared.articles import (
    LIST_DEPTH_MAX,
    Author,
    Block,
    BulletList,
    Cell,
    Correction,
    Embed,
    Figure,
    File,
    Focus,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Rendition,
    Rights,
    Seo,
    Source,
    Table,
)
from shared.text import fold_diacritics

SLUG_CHARACTERS_MAX = 80


@dataclass
class Converted:
    """Fields of the article, and what its editor should know though it is no fault."""

    fields: dict[str, Any]
    warnings: list[Fault] = field(default_factory=list)


def make_slug(title: str) -> str:
    """Return the readable part of an article's URL: đ is d, marks fall away, words stay whole."""
    slug = slugify(title[:1_000], max_length=SLUG_CHARACTERS_MAX, word_boundary=True)
    return slug.strip("-") or "bai-viet"


def convert(model: BaseModel, names: Iterable[str]) -> Converted:
    """Return the named fields of what was sent as the article has them.

    Raises:
        ContentError: a body or a block's HTML cannot be taken.
    """
    converted = Converted({})
    for name in names:
        value = getattr(model, name)
        if value is None:  # of a patch: back to the default
            value = Content.model_fields[name].get_default(call_default_factory=True)
        converted.fields[name] = _field(name, value, model, converted.warnings)
    return converted


_KINDS: dict[str, Any] = {
    "source": Source,
    "authors": list[Author],
    "corrections": list[Correction],
    "rights": Rights,
    "seo": Seo,
}


def _field(name: str, value: Any, model: BaseModel, warnings: list[Fault]) -> Any:
    if name == "body":
        return _body(value, getattr(model, "body_format", None) or "html", warnings)
    if name in _KINDS and value is not None:
        plain = [one.model_dump() for one in value] if isinstance(value, list) else value.model_dump()
        return msgspec.convert(plain, _KINDS[name])
    if name == "lead_image" and value is not None:
        return _figure(value)
    if name == "tags":
        return list({fold_diacritics(tag): tag for tag in reversed(value)}.values())[::-1]  # the first spelling stays
    return list(dict.fromkeys(value)) if name == "also_in" else value


def _body(value: Any, body_format: str, warnings: list[Fault]) -> list[Block]:
    if isinstance(value, str):
        try:
            html = markdown_to_html(value) if body_format == "markdown" else value
            root = parse_html(html)
        except MarkupError as error:
            raise ContentError([Fault("body", str(error), error.limit, error.size)]) from error
        dropped = dropped_tags(html)
        if dropped:
            warnings.append(Fault("body", f"was taken without these tags: {', '.join(dropped)}"))
        return blocks_of(root)
    return [_block(one, f"body.{number}") for number, one in enumerate(value)]


def _block(one: Any, place: str) -> Block:
    block: Block
    match one:
        case sent.ParagraphIn():
            block = Paragraph(_inline(one.html, f"{place}.html"))
        case sent.HeadingIn():
            block = Heading(_inline(one.html, f"{place}.html"), one.level)
        case sent.FigureIn():
            block = _figure(one)
        case sent.ListIn():
            block = BulletList(_items(one.items, f"{place}.items", 1), one.ordered)
        case sent.QuoteIn():
            quoted = [_inline(html, f"{place}.paragraphs.{number}") for number, html in enumerate(one.paragraphs)]
            block = Quote(quoted, one.cite)
        case sent.TableIn():
            block = Table([_row(row, f"{place}.rows.{y}") for y, row in enumerate(one.rows)], one.caption)
        case sent.EmbedIn():
            block = _embed(one, place)
        case _:
            block = File(one.url, one.name, one.media, one.bytes)
    return block


def _inline(html: str, place: str) -> str:
    try:
        root: Node = parse_html(html)
    except MarkupError as error:
        raise ContentError([Fault(place, str(error), error.limit, error.size)]) from error
    return inline_html(root.children)


def _figure(one: sent.FigureIn) -> Figure:
    if one.image is None:
        return Figure(one.caption, None, one.credit)
    sizes = (one.image.width, one.image.height)
    focus = Focus(one.image.focus.x, one.image.focus.y) if one.image.focus else None
    copies = [Rendition(copy.url, copy.width, copy.height, copy.type) for copy in one.image.renditions]
    image = Image(
        one.image.url,
        one.image.alt,
        *sizes,
        media=one.image.media,
        renditions=copies,
        focus=focus,
        bytes=one.image.bytes,
    )
    return Figure(one.caption, image, one.credit)


def _items(items: list[sent.ItemIn], place: str, depth: int) -> list[Item]:
    if depth > LIST_DEPTH_MAX:
        fault = f"has lists {depth} deep; {LIST_DEPTH_MAX} is the most"
        raise ContentError([Fault(place, fault, LIST_DEPTH_MAX, depth)])
    return [
        Item(
            _inline(one.html, f"{place}.{number}.html"),
            _items(one.items, f"{place}.{number}.items", depth + 1) if one.items else [],
            one.ordered,
        )
        for number, one in enumerate(items)
    ]


def _row(row: list[sent.CellIn], place: str) -> list[Cell]:
    return [
        Cell(_inline(cell.html, f"{place}.{x}.html"), cell.header, cell.colspan, cell.rowspan)
        for x, cell in enumerate(row)
    ]


def _embed(one: sent.EmbedIn, place: str) -> Embed:
    if one.url is None:
        assert one.provider is not None
        assert one.id is not None
        return Embed(one.provider, one.id, one.title)
    embed = embed_of(one.url, one.title)
    if embed is None:
        raise ContentError([Fault(f"{place}.url", "is no address of a video on YouTube or Vimeo")])
    return embed

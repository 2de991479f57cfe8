"""Converts request models into the content of an article. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import BaseModel
from slugify import slugify

from services.ingest.content import block_models as sent
from services.ingest.content.article_models import Content
from services.ingest.content.blocks import inline_html, tree_to_blocks
from services.ingest.content.errors import FieldError, field_error, invalid
from services.ingest.content.markup_bounds import MarkupError
from services.ingest.content.normalization import TextError
from services.ingest.content.sanitizer import Node, dropped_tags, markdown_to_html, parse_html
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
    Related,
    Rendition,
    Rights,
    Seo,
    Source,
    Table,
)
from shared.embeds import parse_embed
from shared.text import fold_diacritics

SLUG_CHARACTERS_MAX = 80


@dataclass
class ConvertedContent:
    """The content fields of an article, and warnings for its editor."""

    fields: dict[str, Any]
    warnings: list[FieldError] = field(default_factory=list)


def make_slug(title: str) -> str:
    """Return the slug of a title: without diacritics, đ as d, cut at word boundaries."""
    slug = slugify(title[:1_000], max_length=SLUG_CHARACTERS_MAX, word_boundary=True)
    return slug.strip("-") or "bai-viet"


def convert(model: BaseModel, names: Iterable[str]) -> ConvertedContent:
    """Return the named fields of a request model as the fields of an article.

    Raises:
        InvalidContentError: the body or the HTML of a block is invalid.
    """
    converted = ConvertedContent({})
    for name in names:
        value = getattr(model, name)
        if value is None:  # null in a patch resets to the default
            value = Content.model_fields[name].get_default(call_default_factory=True)
        converted.fields[name] = _field(name, value, model, converted.warnings)
    return converted


_STRUCTS: dict[str, Any] = {
    "source": Source,
    "authors": list[Author],
    "corrections": list[Correction],
    "rights": Rights,
    "seo": Seo,
}


def _field(name: str, value: Any, model: BaseModel, warnings: list[FieldError]) -> Any:
    if name == "body":
        return _body(value, getattr(model, "body_format", None) or "html", warnings)
    if name in _STRUCTS and value is not None:
        plain = [one.model_dump() for one in value] if isinstance(value, list) else value.model_dump()
        return msgspec.convert(plain, _STRUCTS[name])
    if name == "lead_image" and value is not None:
        return _figure(value)
    if name == "tags":
        return list({fold_diacritics(tag): tag for tag in reversed(value)}.values())[::-1]  # keeps the first spelling
    return list(dict.fromkeys(value)) if name == "also_in" else value


def _body(value: Any, body_format: str, warnings: list[FieldError]) -> list[Block]:
    if isinstance(value, str):
        try:
            html = markdown_to_html(value) if body_format == "markdown" else value
            root = parse_html(html)
        except MarkupError as error:
            raise invalid("body", error.code, limit=error.limit, size=error.size, **error.values) from error
        except TextError as error:
            raise invalid("body", error.code, **error.values) from error
        dropped = dropped_tags(html)
        if dropped:
            warnings.append(field_error("body", "removed_tags", tags=", ".join(dropped)))
        return tree_to_blocks(root)
    return [_block(one, f"body.{number}") for number, one in enumerate(value)]


def _block(one: Any, path: str) -> Block:
    block: Block
    match one:
        case sent.ParagraphIn():
            block = Paragraph(_inline(one.html, f"{path}.html"))
        case sent.HeadingIn():
            block = Heading(_inline(one.html, f"{path}.html"), one.level)
        case sent.FigureIn():
            block = _figure(one)
        case sent.ListIn():
            block = BulletList(_items(one.items, f"{path}.items", 1), one.ordered)
        case sent.QuoteIn():
            quoted = [_inline(html, f"{path}.paragraphs.{number}") for number, html in enumerate(one.paragraphs)]
            block = Quote(quoted, one.cite)
        case sent.TableIn():
            block = Table([_row(row, f"{path}.rows.{y}") for y, row in enumerate(one.rows)], one.caption)
        case sent.EmbedIn():
            block = _embed(one, path)
        case sent.RelatedIn():
            block = Related(one.article or "", None if one.article else _number(one.url))
        case _:
            block = File(one.url, one.name, one.media, one.bytes, one.media_type)
    return block


def _inline(html: str, path: str) -> str:
    try:
        root: Node = parse_html(html)
    except MarkupError as error:
        raise invalid(path, error.code, limit=error.limit, size=error.size, **error.values) from error
    except TextError as error:
        raise invalid(path, error.code, **error.values) from error
    return inline_html(root.children)


def _figure(one: sent.FigureIn) -> Figure:
    return Figure(one.caption, None if one.image is None else image_of(one.image), one.credit)


def image_of(one: sent.ImageIn) -> Image:
    """Return an image as it was sent."""
    return Image(
        one.url,
        one.alt,
        one.width,
        one.height,
        media=one.media,
        renditions=[Rendition(copy.url, copy.width, copy.height, copy.type) for copy in one.renditions],
        focus=Focus(one.focus.x, one.focus.y) if one.focus else None,
        bytes=one.bytes,
    )


def body_of(value: Any, body_format: str) -> list[Block]:
    """Return the blocks of a body: of HTML or Markdown, or of blocks as they were sent.

    Raises:
        InvalidContentError: it is invalid.
    """
    return _body(value, body_format, [])


def _items(items: list[sent.ItemIn], path: str, depth: int) -> list[Item]:
    if depth > LIST_DEPTH_MAX:
        raise invalid(path, "lists_too_deep", limit=LIST_DEPTH_MAX, size=depth)
    return [
        Item(
            _inline(one.html, f"{path}.{number}.html"),
            _items(one.items, f"{path}.{number}.items", depth + 1) if one.items else [],
            one.ordered,
        )
        for number, one in enumerate(items)
    ]


def _row(row: list[sent.CellIn], path: str) -> list[Cell]:
    return [
        Cell(_inline(cell.html, f"{path}.{x}.html"), cell.header, cell.colspan, cell.rowspan)
        for x, cell in enumerate(row)
    ]


def _number(path: str | None) -> int | None:
    """Return the number of the article with a path."""
    found = re.search(r"(\d+)\.html$", path or "")
    return int(found[1]) if found else None


def _embed(one: sent.EmbedIn, path: str) -> Embed:
    if one.url is None:
        assert one.provider is not None
        assert one.id is not None
        return Embed(one.provider, one.id, one.title)
    embed = parse_embed(one.url, one.title)
    if embed is None:
        raise invalid(f"{path}.url", "not_a_video_url")
    return embed

"""What editors sent → the content of an article, and what is still missing before it may be published. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import BaseModel
from slugify import slugify

from services.ingest import block_input as sent
from services.ingest.article_input import Content
from services.ingest.bodies import blocks_of, embed_of, inline_html, plain_text
from services.ingest.markup import MarkupError, Node, dropped_tags, markdown_to_html, parse_html
from services.ingest.texts import fold
from shared.articles import (
    ARTICLE_BYTES_MAX,
    BLOCKS_MAX,
    IMAGES_MAX,
    LIST_DEPTH_MAX,
    TEXT_CHARACTERS_MAX,
    Article,
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
    images_of,
)
from shared.problems import Problem
from shared.sites import Site

SLUG_CHARACTERS_MAX = 80
TITLE_CHARACTERS_GOOD = 110
CELLS_MAX = 5_000


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: the field, and where it helps the limit and the value's size."""

    field: str
    fault: str
    limit: int | None = None
    size: int | None = None


class ContentError(Exception):
    """Content that cannot be taken, or cannot be published."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.fault}" for fault in faults))
        self.faults = list(faults)


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
        return list({fold(tag): tag for tag in reversed(value)}.values())[::-1]  # the first spelling stays
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


def check_limits(article: Article, site: Site) -> None:
    """Refuse an article that is too large or stands in a section that its site does not have.

    Raises:
        ContentError: with all faults.
        Problem: 413, the whole is too large for a message.
    """
    size = len(msgspec.json.encode(article))
    if size > ARTICLE_BYTES_MAX:
        detail = f"The whole article has {size:,} bytes as JSON; {ARTICLE_BYTES_MAX:,} is the most."
        raise Problem(413, detail, limit=ARTICLE_BYTES_MAX, size=size)
    faults = [
        Fault(name, f"there is no section {slug!r}; {site.slug} has {', '.join(one.slug for one in site.sections)}")
        for name, slug in (("section", article.section), *(("also_in", slug) for slug in article.also_in))
        if site.section(slug) is None
    ]
    sizes = [
        ("body", "blocks", len(article.body), BLOCKS_MAX),
        ("body", "images", len(images_of(article)), IMAGES_MAX),
    ]
    for number, block in enumerate(article.body):
        sizes += [(f"body.{number}", "characters", size, TEXT_CHARACTERS_MAX) for size in _text_sizes(block)]
        if isinstance(block, Table):
            sizes.append((f"body.{number}", "cells", sum(map(len, block.rows)), CELLS_MAX))
    faults += [
        Fault(place, f"has {size:,} {what}; {limit:,} is the most", limit, size)
        for place, what, size, limit in sizes
        if size > limit
    ]
    for first, later in (("publish_at", "unpublish_at"), ("embargo_until", "unpublish_at")):
        begin, end = getattr(article, first), getattr(article, later)
        if begin is not None and end is not None and end <= begin:
            faults.append(Fault(later, f"is not after {first}"))
    if faults:
        raise ContentError(faults)


def _text_sizes(block: Block) -> Iterator[int]:
    return (len(html) if len(html) <= TEXT_CHARACTERS_MAX else len(plain_text(html)) for html in inline_parts(block))


def inline_parts(block: Block) -> Iterator[str]:
    """Yield each piece of inline HTML in a block, in reading order."""
    match block:
        case Paragraph() | Heading():
            yield block.html
        case Quote():
            yield from block.paragraphs
        case BulletList():
            yield from _item_parts(block.items)
        case Table():
            yield from (cell.html for row in block.rows for cell in row)


def _item_parts(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        yield item.html
        yield from _item_parts(item.items)


def publishing_faults(article: Article, site: Site) -> list[Fault]:
    """Return what must be put right before readers may see the article; empty if nothing."""
    faults = []
    if not article.body and article.lead_image is None:
        faults.append(Fault("body", "is empty"))
    if site.section(article.section) is None:
        faults.append(Fault("section", f"there is no section {article.section!r} on {site.slug}"))
    places = [("lead_image", article.lead_image), *((f"body.{n}", block) for n, block in enumerate(article.body))]
    for place, figure in places:
        if not isinstance(figure, Figure):
            continue
        if not figure.caption.strip():
            faults.append(Fault(f"{place}.caption", "a figure needs a caption before it is published"))
        if figure.image is not None and not figure.image.alt.strip():
            faults.append(Fault(f"{place}.image.alt", "an image needs its text alternative before it is published"))
    return faults


def warnings_of(article: Article) -> list[Fault]:
    """Return what an editor should know, though it may be published."""
    found = []
    if len(article.title) > TITLE_CHARACTERS_GOOD:
        fault = f"has {len(article.title)} characters; search engines cut after {TITLE_CHARACTERS_GOOD}"
        found.append(Fault("title", fault, TITLE_CHARACTERS_GOOD, len(article.title)))
    elsewhere = [image.url for image in images_of(article) if not image.url.startswith("/")]
    if elsewhere:
        fault = f"{len(elsewhere)} image(s) stand elsewhere: pages link to them and do not show them"
        found.append(Fault("body", fault))
    return found

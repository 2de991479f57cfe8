"""Converts a tree of allowed markup into the blocks of an article body. Pure.

The HTML in blocks is generated here from text and the allowed inline tags; nothing is copied from the input.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import urlsplit

from services.ingest.content.sanitizer import INLINE_TAGS, Node
from shared.articles import (
    LIST_DEPTH_MAX,
    Block,
    BulletList,
    Cell,
    Figure,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Table,
)
from shared.embeds import parse_embed

URL_CHARACTERS_MAX = 2_000
HEADING_LEVELS = {"h1": 2, "h2": 2, "h3": 3, "h4": 4, "h5": 4, "h6": 4}
CONTAINER_TAGS = {"div", "section", "article", "main", "header", "dl", "dt", "dd", "figcaption", "li", "picture"}
BLOCK_TAGS = {
    "img",
    "iframe",
    "figure",
    "table",
    "ul",
    "ol",
    "blockquote",
    "pre",
    "p",
    "hr",
    *HEADING_LEVELS,
    *CONTAINER_TAGS,
}
_SPACE = re.compile(r"[ \t\r\n\f]+")
_UNEVEN_SPACE = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")
"""White space that is not a single blank already."""
_TAG = re.compile(r"<[^>]*>")
_BREAK = "<br>"


def tree_to_blocks(root: Node) -> list[Block]:
    """Return the blocks of a body's tree."""
    return list(_blocks(root.children))


def _blocks(children: Iterable[Node | str]) -> Iterator[Block]:
    inline: list[Node | str] = []
    for child in children:
        if isinstance(child, str) or (child.tag not in BLOCK_TAGS and not _contains_blocks(child)):
            inline.append(child)
            continue
        yield from _paragraph(inline)
        inline = []
        yield from _block(child)
    yield from _paragraph(inline)


def _contains_blocks(node: Node) -> bool:
    return node.tag in INLINE_TAGS and any(True for _ in node.elements(*BLOCK_TAGS))


def _paragraph(inline: list[Node | str]) -> Iterator[Block]:
    html = inline_html(inline)
    if html:
        yield Paragraph(html=html)


def _block(node: Node) -> Iterator[Block]:
    if node.tag in HEADING_LEVELS:
        html = inline_html(node.children)
        if html:
            yield Heading(html=html, level=HEADING_LEVELS[node.tag])
        return
    if node.tag in ("ul", "ol"):
        items = _items(node, 1)
        if items:
            yield BulletList(items=items, ordered=node.tag == "ol")
        return
    converters: dict[str, Callable[[Node], Block | None]] = {
        "img": _image_alone,
        "iframe": _embed,
        "figure": _figure,
        "table": _table,
        "blockquote": _quote,
        "pre": _lines,
    }
    if node.tag in converters:
        block = converters[node.tag](node)
        if block is not None:
            yield block
        return
    yield from _blocks(node.children)  # paragraphs, containers, and inline tags around blocks


def inline_html(children: Iterable[Node | str]) -> str:
    """Return inline content as HTML with the allowed inline tags; of other elements, only the text is kept."""
    return _trimmed(_inline(children))


def _trimmed(parts: Iterable[str]) -> str:
    """Return inline HTML with white space collapsed, without blanks and line breaks at its ends, in linear time."""
    text = _UNEVEN_SPACE.sub(" ", "".join(parts))
    begin, end = 0, len(text)
    while begin < end and (text[begin].isspace() or text.startswith(_BREAK, begin, end)):
        begin += 1 if text[begin].isspace() else len(_BREAK)
    while begin < end and (text[end - 1].isspace() or text.endswith(_BREAK, begin, end)):
        end -= 1 if text[end - 1].isspace() else len(_BREAK)
    return text[begin:end]


def _inline(children: Iterable[Node | str], *, in_link: bool = False) -> Iterator[str]:
    for child in children:
        if isinstance(child, str):
            yield escape(child, quote=False)
        elif child.tag == "br":
            yield "<br>"
        elif child.tag == "a" and not in_link:
            yield from _link(child)
        elif child.tag in INLINE_TAGS - {"a"}:
            inside = "".join(_inline(child.children, in_link=in_link))
            yield f"<{child.tag}>{inside}</{child.tag}>" if inside.strip() else inside
        elif child.tag in BLOCK_TAGS:
            inside = _trimmed(_inline(child.children, in_link=in_link))
            yield f"<br>{inside}<br>" if inside else ""
        else:  # also of a link inside a link, only the content is kept
            yield from _inline(child.children, in_link=in_link)


def _link(node: Node) -> Iterator[str]:
    inside = "".join(_inline(node.children, in_link=True))
    url = link_url(node.attributes.get("href", ""))
    if url is None or not inside.strip():
        yield inside
        return
    title = node.attributes.get("title", "").strip()[:200]
    more = f' title="{escape(title)}"' if title else ""
    yield f'<a href="{escape(url)}"{more}>{inside}</a>'


def link_url(url: str) -> str | None:
    """Return a valid link target (http, https, mailto, tel, a path or a fragment), else None."""
    url = url.strip()
    if not url or len(url) > URL_CHARACTERS_MAX or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return None
    if url.startswith("//"):
        url = "https:" + url
    if url.startswith(("/", "#")):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in ("mailto", "tel"):
        return url
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def image_url(url: str) -> str | None:
    """Return a valid URL of an image or file (http, https or a path), else None."""
    target = link_url(url)
    return target if target is not None and target.startswith(("/", "http:", "https:")) else None


def _pixels(text: str) -> int | None:
    found = re.match(r"^\s*(\d{1,5})(?:px)?\s*$", text)
    return int(found[1]) if found and 1 <= int(found[1]) <= 20_000 else None


def _image(node: Node) -> Image | None:
    url = image_url(node.attributes.get("src", ""))
    if url is None:
        return None
    alt = _SPACE.sub(" ", node.attributes.get("alt", "")).strip()
    width, height = (_pixels(node.attributes.get(name, "")) for name in ("width", "height"))
    return Image(url=url, alt=alt, width=width, height=height)


def _image_alone(node: Node) -> Block | None:
    # The title is the caption, as in Markdown: ![alt](/media/x.jpg "caption")
    image = _image(node)
    caption = _SPACE.sub(" ", node.attributes.get("title", "")).strip()
    return None if image is None else Figure(caption=caption, image=image)


def _figure(node: Node) -> Block | None:
    caption = " ".join(one.text for one in node.elements("figcaption")).strip()
    for inner in node.elements("table", "iframe", "blockquote"):
        block = next(iter(_block(inner)), None)
        if isinstance(block, Table) and caption and not block.caption:
            return Table(block.rows, caption)
        if block is not None:
            return block
    image = next((found for one in node.elements("img") if (found := _image(one))), None)
    if image is None and not caption:
        return None
    return Figure(caption=caption, image=image)


def _items(node: Node, depth: int) -> list[Item]:
    items = []
    for one in node.children:
        if isinstance(one, str) or one.tag in ("ul", "ol"):
            # Old editors put a nested list after its item instead of inside it.
            below = [] if isinstance(one, str) else _items(one, depth)
            text = inline_html([one]) if isinstance(one, str) else ""
            items += below + ([Item(text)] if text else [])
            continue
        lists = [child for child in one.children if isinstance(child, Node) and child.tag in ("ul", "ol")]
        text = inline_html(child for child in one.children if child not in lists)
        inner = [item for inner_list in lists for item in _items(inner_list, depth + 1)]
        if depth >= LIST_DEPTH_MAX:  # deeper items are added to the deepest allowed list
            items += ([Item(text)] if text else []) + inner
        elif text or inner:
            items.append(Item(text, inner, ordered=bool(lists) and lists[0].tag == "ol"))
    return items


def _quote(node: Node) -> Block | None:
    paragraphs = []
    for block in _blocks(node.children):
        if isinstance(block, Paragraph | Heading):
            paragraphs.append(block.html)
        elif isinstance(block, Quote):
            paragraphs += block.paragraphs
        elif isinstance(block, BulletList):
            paragraphs += [item.html for item in block.items]
    return Quote(paragraphs) if paragraphs else None


def _table(node: Node) -> Block | None:
    rows = []
    for row in _rows(node):
        cells = [one for one in row.children if isinstance(one, Node) and one.tag in ("td", "th")]
        if cells:
            rows.append([_cell(cell) for cell in cells])
    captions = [one.text for one in node.children if isinstance(one, Node) and one.tag == "caption"]
    return Table(rows, captions[0] if captions else "") if rows else None


def _rows(node: Node) -> Iterator[Node]:
    for child in node.children:
        if isinstance(child, Node) and child.tag == "tr":
            yield child
        elif isinstance(child, Node) and child.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(child)


def _cell(node: Node) -> Cell:
    spans = [node.attributes.get(name, "") for name in ("colspan", "rowspan")]
    columns, rows = (int(span) if span.isascii() and span.isdigit() and len(span) < 5 else 1 for span in spans)
    return Cell(
        inline_html(node.children), node.tag == "th", colspan=min(max(columns, 1), 100), rowspan=min(max(rows, 1), 500)
    )


def _lines(node: Node) -> Block | None:
    lines = "".join(_inline(node.children)).strip("\n").split("\n")
    html = "<br>".join(lines)
    return Paragraph(html=html) if html.strip() else None


def _embed(node: Node) -> Block | None:
    return parse_embed(node.attributes.get("src", ""), node.attributes.get("title", ""))

"""Pictures and their captions in the layouts that editors have made of tables and centred paragraphs. Pure."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from services.ingest.content.sanitizer import INLINE_TAGS, Node
from shared.articles import CAPTION_CHARACTERS_MAX

MEDIA = ("img", "figure", "iframe", "table")
CENTRED_CAPTION_CHARACTERS_MAX = 200
_CAPTION_BOX = re.compile(
    r"(?:^|[\s_-])(?:wp-caption|tplcaption|image-caption|photo-caption|caption-(?:image|box)|imagecaption|picbox)"
    r"(?![\w-]*text)(?=$|\s)",
    re.IGNORECASE,
)


LOST = "lost"
"""Attribute of a picture that cannot be carried over: its caption can."""


def with_captions_only(nodes: Iterable[Node | str]) -> Iterator[Node | str]:
    """Yield the nodes with the captions of lost pictures instead of these, or their alternative texts."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif node.tag == "img" and LOST in node.attributes:
            if node.attributes.get("alt"):
                yield Node("figure", {}, [Node("figcaption", {}, [node.attributes["alt"]])])
        elif node.tag == "figure":
            lost = [one for one in node.elements("img") if LOST in one.attributes]
            captions = any(node.elements("figcaption"))
            alt = "" if captions else next((one.attributes["alt"] for one in lost), "")
            kept = [one for one in node.children if one not in lost]
            yield Node("figure", {}, [*kept, *([Node("figcaption", {}, [alt])] if alt else [])])
        else:
            yield Node(node.tag, node.attributes, list(with_captions_only(node.children)))


def paragraph(children: list[Node | str]) -> Node:
    """Return a paragraph."""
    return Node("p", {}, children)


def figure(image: Node, caption: str) -> Node:
    """Return a figure of an image with its caption, which may be ""."""
    return Node("figure", {}, [image, *([Node("figcaption", {}, [caption])] if caption else [])])


def is_caption_box(classes: str) -> bool:
    """Return whether a box is one for a picture and its caption."""
    return _CAPTION_BOX.search(classes) is not None


def without_media(nodes: Iterable[Node | str]) -> tuple[list[Node | str], list[Node]]:
    """Return the nodes without their pictures, videos and tables, and these in order."""
    kept: list[Node | str] = []
    media: list[Node] = []
    for node in nodes:
        if isinstance(node, str):
            kept.append(node)
        elif node.tag in MEDIA:
            media.append(node)
        else:
            children, found = without_media(node.children)
            media += found
            if children or not node.children:
                kept.append(Node(node.tag, node.attributes, children))
    return kept, media


def captioned_table(table: Node) -> list[Node | str]:
    """Return the pictures of a table with their captions, and the table if it has other text."""
    rows = [
        [one for one in row.children if isinstance(one, Node) and one.tag in ("td", "th")]
        for row in table.elements("tr")
    ]
    has_headers = any(cell.tag == "th" for row in rows for cell in row)
    images = list(table.elements("img"))
    if len(images) == 1 and not has_headers and not any(table.elements("iframe")):
        text = Node("div", {}, without_media(table.children)[0]).text
        text = _own_caption(table, text)
        if len(text) <= CAPTION_CHARACTERS_MAX and sum(map(len, rows)) <= 4:
            return [figure(images[0], text)]
    if not has_headers:
        paired = list(_pairs(rows))
        if paired and sum(len(one) for one in paired) == len(images):
            return [figure(image, caption) for row in paired for image, caption in row]
    kept, media = without_media(table.children)
    rest = Node("table", table.attributes, kept)
    return [*media, rest] if rest.text else list(media)


def _own_caption(table: Node, text: str) -> str:
    inner = " ".join(one.text for one in table.elements("figcaption"))
    return " ".join(one for one in (inner, text) if one)


def _pairs(rows: list[list[Node]]) -> Iterator[list[tuple[Node, str]]]:
    """Yield the pictures of each row with their captions, which are below them in their cells or in the next row.

    Nothing is yielded for rows with other text, so that the sum of the pictures shows whether all have been paired.
    """
    number = 0
    while number < len(rows):
        row, following = rows[number], rows[number + 1] if number + 1 < len(rows) else []
        pictures = [list(cell.elements("img")) for cell in row]
        texts = [_text_of(cell) for cell in row]
        below = [_text_of(cell) for cell in following]
        is_below = len(below) == len(row) and not any(any(cell.elements("img")) for cell in following)
        number += 1
        if not all(len(one) == 1 for one in pictures) or any(len(one) > CAPTION_CHARACTERS_MAX for one in texts):
            continue
        if not any(texts) and is_below and all(len(one) <= CAPTION_CHARACTERS_MAX for one in below):
            texts, number = below, number + 1
        yield [(image[0], text) for image, text in zip(pictures, texts, strict=True)]


def _text_of(cell: Node) -> str:
    inner = " ".join(one.text for one in cell.elements("figcaption"))
    rest = Node("div", {}, without_media(cell.children)[0]).text
    return " ".join(one for one in (inner, rest) if one)


def centred_caption(node: Node, children: list[Node | str]) -> Node | None:
    """Return the figure of a centred paragraph with a picture and a short line below it, as editors write captions."""
    style = node.attributes.get("style", "").replace(" ", "").lower()
    is_centred = node.tag == "center" or "text-align:center" in style or node.attributes.get("align") == "center"
    if not is_centred:
        return None
    images = [
        one
        for child in children
        if isinstance(child, Node)
        for one in ((child,) if child.tag == "img" else child.elements("img"))
    ]
    kept, media = without_media(children)
    text = Node("div", {}, kept).text
    if len(images) != 1 or len(media) != 1 or not 0 < len(text) <= CENTRED_CAPTION_CHARACTERS_MAX:
        return None
    first = next((one for one in children if not isinstance(one, str) or one.strip()), None)
    is_first = isinstance(first, Node) and (
        first is images[0] or any(one is images[0] for one in first.elements("img"))
    )
    return figure(images[0], text) if is_first else None


def scheme_of(url: str) -> str:
    """Return the scheme of an address; "" if it has none or is damaged."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def with_tag(node: Node, tag: str) -> Iterator[Node]:
    """Yield a node and its descendants with a tag."""
    if node.tag == tag:
        yield node
    yield from node.elements(tag)


def outer_cells(table: Node) -> Iterator[Node]:
    """Yield the cells of a table, not those of tables inside of it."""
    for child in table.children:
        if isinstance(child, Node):
            if child.tag in ("td", "th", "caption"):
                yield child
            elif child.tag != "table":
                yield from outer_cells(child)


def has_blocks(node: Node) -> bool:
    """Return whether a node is a block or has one inside of it."""
    return (node.tag not in INLINE_TAGS) or any(isinstance(one, Node) and has_blocks(one) for one in node.children)


def linked_texts(nodes: Iterable[Node | str], link: Node) -> Iterator[Node | str]:
    """Yield the nodes with their texts inside of the link: articles have links in blocks, not around them."""
    inline: list[Node | str] = []
    for node in (*nodes, None):
        if isinstance(node, str) or (isinstance(node, Node) and not has_blocks(node)):
            inline.append(node)
            continue
        if inline:
            has_text = any(one.strip() if isinstance(one, str) else one.text for one in inline)
            yield from [Node("a", link.attributes, inline)] if has_text else inline
            inline = []
        if node is not None and node.tag in ("img", "figure", "iframe", "table"):
            yield node
        elif node is not None:
            yield Node(node.tag, node.attributes, list(linked_texts(node.children, link)))

"""HTML and Markdown → a tree of what is allowed. Pure, and bounded in time.

nh3 decides what passes; what it lets through is parsed once more, and `bodies` builds everything anew from text and a
few known tags. So a fault of one of the two is no hole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import nh3
from markdown_it import MarkdownIt

MARKUP_CHARACTERS_MAX = 250_000
DEPTH_MAX = 60
"""Of tags inside each other that have to be closed."""
TAGS_MAX = 20_000

INLINE = {"a", "em", "strong", "br", "sub", "sup"}
SAME_AS = {"b": "strong", "i": "em", "cite": "em", "dfn": "em", "var": "em"}
STRUCTURE = {
    *("p", "div", "section", "article", "main", "header", "hr", "pre", "figure", "figcaption", "img", "iframe"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "picture"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
ALLOWED = INLINE | set(SAME_AS) | STRUCTURE
NO_CONTENT = {
    *("script", "style", "template", "noscript", "noembed", "noframes", "textarea", "title", "select", "button"),
    *("svg", "math", "object", "audio", "video", "canvas", "form", "xmp", "plaintext", "frameset"),
}
"""Tags that go with all that stands in them."""
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "iframe": {"src", "title"},
    "th": {"colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
}
SCHEMES = {"http", "https", "mailto", "tel"}
_NODES_DEPTH_MAX = 4 * DEPTH_MAX  # a table in a table is also a tbody, a row and a cell deep
_VOID = {"br", "img", "hr", "input", "meta", "link", "col", "area", "base", "embed", "source", "track", "wbr", "param"}
_IMPLIED_END = {
    "p",
    "li",
    "td",
    "th",
    "tr",
    "dt",
    "dd",
    "option",
    "thead",
    "tbody",
    "tfoot",
    "colgroup",
    "html",
    "body",
}
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_SPACE = re.compile(r"[ \t\r\n\f]+")

_markdown = MarkdownIt("commonmark", {"html": True, "maxNesting": DEPTH_MAX}).enable(["table", "strikethrough"])


class MarkupError(ValueError):
    """Markup that is too large or too deep; the message has the limit and the size."""

    def __init__(self, message: str, limit: int, size: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.size = size


@dataclass
class Node:
    """An element with what stands in it: texts and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    def elements(self, *tags: str) -> Iterator["Node"]:
        """Yield the elements below, in their order, that have one of the tags."""
        for child in self.children:
            if isinstance(child, Node):
                if child.tag in tags:
                    yield child
                yield from child.elements(*tags)

    @property
    def text(self) -> str:
        """All text below, with each run of white space as one space."""
        return _SPACE.sub(" ", "".join(self._texts())).strip()

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag == "br":
                yield " "
            else:
                yield from child._texts()  # noqa: SLF001 - the same class


class _Tree(HTMLParser):
    """Builds nodes from nh3's output, in which every tag is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(SAME_AS.get(tag, tag), {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag in _VOID:
            return
        self._open.append(node)
        if len(self._open) > _NODES_DEPTH_MAX:
            depth = len(self._open)
            raise MarkupError(f"has more than {_NODES_DEPTH_MAX} tags inside each other", _NODES_DEPTH_MAX, depth)

    def handle_endtag(self, tag: str) -> None:
        tag = SAME_AS.get(tag, tag)
        if len(self._open) > 1 and self._open[-1].tag == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse_html(html: str) -> Node:
    """Return the tree of what is allowed in a piece of HTML.

    Raises:
        MarkupError: it is too large, or nested too deep.
    """
    _check_size(html)
    tree = _Tree()
    tree.feed(
        nh3.clean(
            html,
            tags=ALLOWED,
            clean_content_tags=NO_CONTENT,
            attributes=ATTRIBUTES,
            url_schemes=SCHEMES,
            link_rel=None,
        )
    )
    tree.close()
    return tree.root


def markdown_to_html(text: str) -> str:
    """Return Markdown as HTML, not yet sanitised.

    Raises:
        MarkupError: it is too large.
    """
    if len(text) > MARKUP_CHARACTERS_MAX:
        message = f"has {len(text):,} characters; {MARKUP_CHARACTERS_MAX:,} is the most"
        raise MarkupError(message, MARKUP_CHARACTERS_MAX, len(text))
    return str(_markdown.render(text))


def dropped_tags(html: str) -> list[str]:
    """Return the names of tags that do not pass, in alphabetical order: the sender is told."""
    harmless = ALLOWED | _IMPLIED_END | {"span", "u", "font", "small", "head", "center", "o:p", "wbr"}
    return sorted({name[:20].lower() for _, name in _TAG.findall(html)} - harmless)[:20]


def _check_size(html: str) -> None:
    """Refuse what would take long: nh3 takes quadratic time for what is nested without end."""
    if len(html) > MARKUP_CHARACTERS_MAX:
        message = f"has {len(html):,} characters; {MARKUP_CHARACTERS_MAX:,} is the most"
        raise MarkupError(message, MARKUP_CHARACTERS_MAX, len(html))
    count = deepest = depth = 0
    for closing, name in _TAG.findall(html):
        tag = name.lower()
        count += not closing
        if tag in _VOID or tag in _IMPLIED_END:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    if deepest > DEPTH_MAX:  # a wrong end tag can deceive this count, but then the next one bounds the time
        raise MarkupError(f"has {deepest:,} tags inside each other; {DEPTH_MAX} is the most", DEPTH_MAX, deepest)
    if count > TAGS_MAX:
        raise MarkupError(f"has {count:,} tags; {TAGS_MAX:,} is the most", TAGS_MAX, count)

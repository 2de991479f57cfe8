"""Sanitises HTML and Markdown into a tree of allowed markup. Pure, and bounded in time.

nh3 removes what is not allowed; its output is parsed again, and `content.blocks` generates new HTML from text and a few
known tags. A bug in one of the two is therefore not a vulnerability.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from html.parser import HTMLParser

import nh3
from pyromark import Markdown, Options

from services.ingest.content.markup_bounds import (
    DEPTH_MAX,
    OPTIONAL_END_TAGS,
    VOID_TAGS,
    MarkupError,
    bounded_markup,
    check_parsed,
)
from services.ingest.content.normalization import clean_text

MARKUP_CHARACTERS_MAX = 250_000

INLINE_TAGS = {"a", "em", "strong", "br", "sub", "sup"}
TAG_ALIASES = {"b": "strong", "i": "em", "cite": "em", "dfn": "em", "var": "em"}
STRUCTURE_TAGS = {
    *("p", "div", "section", "article", "main", "header", "hr", "pre", "figure", "figcaption", "img", "iframe"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "picture"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
ALLOWED_TAGS = INLINE_TAGS | set(TAG_ALIASES) | STRUCTURE_TAGS
REMOVED_WITH_CONTENT = {
    *("script", "style", "template", "noscript", "noembed", "noframes", "textarea", "title", "select", "button"),
    *("svg", "math", "object", "audio", "video", "canvas", "form", "xmp", "plaintext", "frameset"),
}
"""Tags that are removed with their content."""
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "iframe": {"src", "title"},
    "th": {"colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
}
SCHEMES = {"http", "https", "mailto", "tel"}
_NODES_DEPTH_MAX = 4 * DEPTH_MAX  # a nested table adds tbody, tr and td
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_UNEVEN_SPACE = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")

_markdown = Markdown(options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH)


@dataclass
class Node:
    """An element with its children: texts and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    def elements(self, *tags: str) -> Iterator["Node"]:
        """Yield the descendants with one of the tags, in document order."""
        for child in self.children:
            if isinstance(child, Node):
                if child.tag in tags:
                    yield child
                yield from child.elements(*tags)

    @property
    def text(self) -> str:
        """The text of all descendants, with white space collapsed."""
        return _UNEVEN_SPACE.sub(" ", "".join(self._texts())).strip()

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag == "br":
                yield " "
            else:
                edge = "" if child.tag in INLINE_TAGS else " "  # the words of two blocks are two words
                yield edge
                yield from child._texts()  # noqa: SLF001 - the same class
                yield edge


class _TreeBuilder(HTMLParser):
    """Builds nodes from the output of nh3, in which every tag is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(TAG_ALIASES.get(tag, tag), {name: clean_text(value or "") for name, value in attrs})
        self._open[-1].children.append(node)
        if tag in VOID_TAGS:
            return
        self._open.append(node)
        if len(self._open) > _NODES_DEPTH_MAX:
            depth = len(self._open)
            raise MarkupError("nested_too_deep", _NODES_DEPTH_MAX, depth)

    def handle_endtag(self, tag: str) -> None:
        tag = TAG_ALIASES.get(tag, tag)
        if len(self._open) > 1 and self._open[-1].tag == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(clean_text(data))  # entities are decoded now


@dataclass(frozen=True)
class Policy:
    """The markup that `parse_html` keeps: tags and their attributes; of other tags, only the text."""

    tags: AbstractSet[str]
    attributes: Mapping[str, set[str]]
    """By tag; those of "*" are kept on each."""
    removed_with_content: AbstractSet[str]
    schemes: AbstractSet[str]


POLICY = Policy(ALLOWED_TAGS, ATTRIBUTES, REMOVED_WITH_CONTENT, SCHEMES)
"""The markup that articles have."""


def parse_html(html: str, policy: Policy = POLICY) -> Node:
    """Return the tree of the allowed markup in HTML.

    Args:
        html: The markup.
        policy: What is kept. A tree of another policy has to be made one of POLICY, which `content.blocks` reads.

    Raises:
        MarkupError: it is too large or nested too deep.
        TextError: an entity stands for a character that texts must not have.
    """
    check_size(html)
    cleaned = nh3.clean(
        bounded_markup(html),
        tags=set(policy.tags),
        clean_content_tags=set(policy.removed_with_content),
        attributes=dict(policy.attributes),
        url_schemes=set(policy.schemes),
        link_rel=None,
    )
    check_parsed(cleaned)
    tree = _TreeBuilder()
    tree.feed(cleaned)
    tree.close()
    return tree.root


def markdown_to_html(text: str) -> str:
    """Return Markdown as HTML that is not sanitised.

    Raises:
        MarkupError: it is too large.
    """
    check_size(text)
    return _markdown.html(text)


def dropped_tags(html: str) -> list[str]:
    """Return the names of tags that are removed, sorted, to warn the editor."""
    harmless = ALLOWED_TAGS | OPTIONAL_END_TAGS | {"span", "u", "font", "small", "head", "center", "o:p", "wbr"}
    return sorted({name[:20].lower() for _, name in _TAG.findall(html)} - harmless)[:20]


def check_size(html: str) -> None:
    """Reject markup that is too large.

    Raises:
        MarkupError: it has more than MARKUP_CHARACTERS_MAX characters.
    """
    if len(html) > MARKUP_CHARACTERS_MAX:
        raise MarkupError("too_many_characters", MARKUP_CHARACTERS_MAX, len(html))

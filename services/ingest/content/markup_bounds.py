"""Bounds on what a parser of HTML makes of markup, found before it is parsed. Pure.

HTML repairs wrong nesting: an end tag that matches nothing is ignored, and formatting such as <b> that is open where a
block ends is opened again in each block after it. So 160 KB of markup can become gigabytes of nodes, or a tree that is
ten thousand levels deep, in which each further tag takes long. What is trusted here about open elements is what every
parser sees: end tags count only where they match, and never in attributes, comments and raw text.
"""

import re
from collections.abc import Iterator

from services.ingest.content.field_messages import Value, field_message

DEPTH_MAX = 60
"""Nesting limit of tags with a required end tag."""
TAGS_MAX = 20_000
UNCERTAIN_TAGS_MAX = 3_000
"""Tags of markup with an element of _UNCERTAIN. So few of them are soon parsed, however they are nested."""
SIMPLE_TAGS_MAX = 600
"""Tags of markup whose nesting is estimated, which takes a tenth of the time: it is cheap if the estimate is wrong."""
FORMATTING_MAX = 20
"""Formatting tags with attributes. HTML opens again at most three equal ones of those that a block leaves open."""
REOPENED_MAX = 200_000
"""Sum, over all tags, of the formatting elements that are open: as many nodes may be opened again."""
PARSED_TAGS_MAX = 4 * TAGS_MAX
"""Tags of parsed markup, end tags included."""

VOID_TAGS = frozenset(
    ("br", "img", "hr", "input", "meta", "link", "col", "area", "base", "embed", "source", "track", "wbr", "param")
)
_CELLS = frozenset(("td", "th", "caption"))
_TABLE_PARTS = frozenset(("tr", "thead", "tbody", "tfoot", "colgroup"))
OPTIONAL_END_TAGS = frozenset(("p", "li", "dt", "dd", "option", "html", "body", *_CELLS, *_TABLE_PARTS)) - {"caption"}
_RAW = frozenset(("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"))
"""Elements whose content is text up to their end tag."""
_UNCERTAIN = re.compile(
    r"<(?:svg|math|template|select|noscript|object|applet|marquee|frameset|plaintext)(?=[\s/>])", re.IGNORECASE
)
"""Elements in which tags, comments and raw text have other rules, or which limit what later end tags close."""
_FORMATTING = ("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
_FORMATTING_WITH_MORE = re.compile(rf"<(?:{'|'.join(_FORMATTING)})(?=[\t\n\f\r /])", re.IGNORECASE)
_FORMATTING_WITH_VALUES = re.compile(_FORMATTING_WITH_MORE.pattern + r"(?![\t\n\f\r /]*+>)", re.IGNORECASE)
_REOPENED = frozenset((*_FORMATTING, "a"))

_SPACE = r"[\t\n\f\r ]"
_VALUE = rf"""{_SPACE}*+=(?:{_SPACE}*+(?:"[^"]*"|'[^']*'|(?!["'])[^\t\n\f\r >]*+))"""
_ATTRIBUTE = rf"""[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+(?:{_VALUE})?+"""
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*+|</(?![a-zA-Z])[^>]*+"
    rf"|<(?P<close>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?P<attributes>(?:{_ATTRIBUTE})*+)",
    re.DOTALL,
)
_START = re.compile(r"<[a-zA-Z]")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\t\n\f\r />]*+)")


class MarkupError(ValueError):
    """Markup that is too large or nested too deep; the message names the limit and the size.

    Args:
        code: A key of MESSAGES.
        limit: What is allowed at most.
        size: What was sent.
        values: What else its message names.
    """

    def __init__(self, code: str, limit: int, size: int, **values: Value) -> None:
        super().__init__(field_message(code, {"limit": limit, "size": size, **values}))
        self.code = code
        self.limit = limit
        self.size = size
        self.values = values


def bounded_markup(html: str) -> str:
    """Return markup that a parser reads in bounded time and memory: with too many, formatting loses its attributes.

    Raises:
        MarkupError: it would take too much.
    """
    count = len(_START.findall(html))
    if count > UNCERTAIN_TAGS_MAX and (found := _UNCERTAIN.search(html)) is not None:
        raise MarkupError("too_many_uncertain_tags", UNCERTAIN_TAGS_MAX, count, tag=f"{found[0]}>")
    has_few = len(_FORMATTING_WITH_MORE.findall(html)) <= FORMATTING_MAX
    if count <= SIMPLE_TAGS_MAX and has_few:
        _check_depth(_estimated_depth(html))
        return html
    stack = _OpenElements()
    formatting: list[tuple[int, int]] = []
    for token in _tags(html):
        name = token["name"].lower()
        if token["close"]:
            stack.close(name)
            continue
        stack.open(name)
        if token["attributes"] and name in _FORMATTING:
            formatting.append(token.span("attributes"))
    _check_depth(stack.deepest)
    if count > TAGS_MAX:
        raise MarkupError("too_many_tags", TAGS_MAX, count)
    if stack.reopened > REOPENED_MAX:
        raise MarkupError("unclosed_formatting", REOPENED_MAX, stack.reopened)
    return html if has_few else _without_attributes(html, formatting)


def _check_depth(deepest: int) -> None:
    if deepest > DEPTH_MAX:
        raise MarkupError("nested_too_deep", DEPTH_MAX, deepest)


def _estimated_depth(html: str) -> int:
    """Return how deep tags are nested if each end tag ends one."""
    deepest = depth = 0
    for closing, name in _TAG.findall(html):
        tag = name.lower()
        if tag not in VOID_TAGS and tag not in OPTIONAL_END_TAGS:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def check_parsed(html: str) -> None:
    """Reject parsed markup of too many tags, of which a tree would take too much memory.

    Raises:
        MarkupError: it has more than PARSED_TAGS_MAX.
    """
    count = html.count("<")
    if count > PARSED_TAGS_MAX:
        raise MarkupError("too_many_closed_tags", PARSED_TAGS_MAX, count)


def _tags(html: str) -> Iterator[re.Match[str]]:
    """Yield the start and end tags outside of comments and raw text."""
    position = 0
    lowered = html.lower() if html.isascii() else "".join(one.lower() if one.isascii() else one for one in html)
    while (token := _TOKEN.search(html, position)) is not None:
        position = token.end()
        if token["name"] is None:
            continue
        yield token
        name = token["name"].lower()
        if name in _RAW and not token["close"]:
            position = lowered.find(f"</{name}", position)
            if position < 0:
                return


class _OpenElements:
    """The elements that are open at least: some that the parser has closed are kept, and none the other way round."""

    def __init__(self) -> None:
        self._open: list[str] = []
        """Names; cells of tables are here too, because end tags do not reach beyond them."""
        self._depth = self._formatting = 0
        self.deepest = self.reopened = 0

    def open(self, name: str) -> None:
        self.reopened += self._formatting
        if name in _CELLS or name in _TABLE_PARTS:
            self._close_cell()
        if name in VOID_TAGS or (name in OPTIONAL_END_TAGS and name not in _CELLS):
            return
        self._open.append(name)
        self._count(name, 1)
        self.deepest = max(self.deepest, self._depth)

    def close(self, name: str) -> None:
        if self._depth > DEPTH_MAX:  # it will be refused
            return
        if name in _CELLS or name in _TABLE_PARTS or name == "table":
            self._close_cell()
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index] == name:
                self._count(self._open.pop(index), -1)
                return
            if self._open[index] in _CELLS:
                return

    def _close_cell(self) -> None:
        """Close the cell of the innermost table, with everything in it."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index] == "table":
                return
            if self._open[index] in _CELLS:
                for name in self._open[index:]:
                    self._count(name, -1)
                del self._open[index:]
                return

    def _count(self, name: str, change: int) -> None:
        if name not in _CELLS or name == "caption":
            self._depth += change
        if name in _REOPENED:
            self._formatting += change


def _without_attributes(html: str, formatting: list[tuple[int, int]]) -> str:
    """Return markup without the given attributes of formatting."""
    parts, position = [], 0
    for begin, end in formatting:
        parts.append(html[position:begin])
        position = end
    parts.append(html[position:])
    # The others are in comments and raw text, or where that is not certain: there, they lose their formatting.
    return _FORMATTING_WITH_VALUES.sub("<span", "".join(parts))

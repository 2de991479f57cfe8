"""The text of WordPress's classic editor, which stores blank lines instead of paragraphs → HTML. Pure.

WordPress adds the paragraphs when it shows a page; an export has the text without them.
"""

import re

_BLOCKS = (
    "table|thead|tfoot|caption|col|colgroup|tbody|tr|td|th|div|dl|dd|dt|ul|ol|li|pre|form|map|area|blockquote|address"
    "|style|p|h[1-6]|hr|fieldset|legend|section|article|aside|hgroup|header|footer|nav|figure|figcaption|details|menu"
    "|summary|iframe|video|audio|object|noscript|center"
)
_KEPT = re.compile(
    r"(<(pre|script|style|textarea|svg|math)\b[^<>]*+>(?:(?!</?\2\b).)*+</\2\s*+>)", re.DOTALL | re.IGNORECASE
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_OPENED = re.compile(rf"(<(?:{_BLOCKS})(?=[\s/>])[^<>]*+>)", re.IGNORECASE)
_CLOSED = re.compile(rf"(</(?:{_BLOCKS})\s*>|<hr\b[^<>]*>)[ \t]*\n*", re.IGNORECASE)
_STARTS_WITH_BLOCK = re.compile(rf"\s*</?(?:{_BLOCKS})(?=[\s/>])", re.IGNORECASE)
_BREAKS = re.compile(r"<br\s*/?>\s*<br\s*/?>", re.IGNORECASE)
_LINE_END = re.compile(r"(?<![> \t])[ \t]*+\n[ \t]*+|(?<=>)(?<!<br>)(?<!<br/>)(?<!<br />)[ \t]*+\n[ \t]*+")


def has_blocks(text: str) -> bool:
    """Return whether a text is one of the block editor, which stores its paragraphs."""
    return "<!-- wp:" in text


def add_paragraphs(text: str) -> str:
    """Return a text of the classic editor with its paragraphs and line breaks as HTML."""
    text = _COMMENT.sub("\n\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    parts = _KEPT.split(text)  # text, element, its name, text, …
    return "".join(
        _paragraphs(part) if number % 3 == 0 else part for number, part in enumerate(parts) if number % 3 != 2
    )


def _paragraphs(text: str) -> str:
    text = _TAG.sub(lambda tag: tag[0].replace("\n", " "), text)
    text = _BREAKS.sub("\n\n", text)
    text = _OPENED.sub(r"\n\n\1", text)
    text = _CLOSED.sub(r"\1\n\n", text)
    return "\n".join(_chunk(chunk.strip()) for chunk in re.split(r"\n[ \t]*\n\s*", text) if chunk.strip())


def _chunk(text: str) -> str:
    opening = _STARTS_WITH_BLOCK.match(text)
    if opening is None:
        return f"<p>{_LINE_END.sub('<br>', text)}</p>"
    end = text.find(">") + 1
    head, rest = text[:end], text[end:].lstrip("\n")
    return head + _LINE_END.sub("<br>", rest)

"""Splits feeds and exports in XML into their items, each parsed by itself, so that a fault costs only its item. Pure.

They are untrusted XML: entities are never expanded and nothing is fetched.
"""

import codecs
import html.entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from services.ingest.imports.item import Content, FormatError, ReadContext, UnreadableItem, one_line
from services.ingest.imports.limits import XML_DEPTH_MAX, XML_ELEMENTS_MAX
from services.ingest.imports.text_repair import (
    DecodingError,
    decode_text,
    repair_markup,
    repair_warnings,
    to_unicode_text,
)
from services.ingest.imports.warnings import ItemWarning, make_warning

ITEM_BYTES_MAX = 64 * 1024 * 1024
HEADER_BYTES_MAX = 2 * 1024 * 1024
END_BYTES = 64 * 1024
FIND_BYTES = 4 * 1024 * 1024
HEADER_CHUNK_CHARACTERS = 64 * 1024
_BLANK = re.compile(rb"[\xef\xbb\xbf \t\r\n]*")
_DECLARATION = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_MARKUP = re.compile(rb"<!--|<!\[CDATA\[|<((?:[A-Za-z_][\w.-]*:)?(?:item|entry))(?=[\s/>])")
_START = re.compile(rb"<\?xml[\s?]|<!--|<!DOCTYPE|<(?:rss|feed|rdf:RDF|opml|urlset|sitemapindex)[\s>]", re.IGNORECASE)
JUNK_BYTES_MAX = 64 * 1024
_DECLARED = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_DOCTYPE = re.compile(rb"<!DOCTYPE(?:[^\[<>\"']|\"[^\"]*+\"|'[^']*+')*+(?:\[(.*?)\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(rb"<!ENTITY\s+(%?)\s*([^\s\"']*)")
_RAW_UNPARSED = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
_RAW_TAG = re.compile(rb"<(/?)[A-Za-z_][^<>]*>")
_UNPARSED = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z))", re.DOTALL)
_AMPERSAND = re.compile(
    r"&(?!#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)(?:([A-Za-z][A-Za-z0-9]{1,31});)?"
)
_LESS_THAN = re.compile(r"<(?![A-Za-z_/!?])")
_PREFIXES = re.compile(r"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]")
_KNOWN_PREFIXES = {
    "wp": "http://wordpress.org/export/1.2/",
    "excerpt": "http://wordpress.org/export/1.2/excerpt/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "atom": "http://www.w3.org/2005/Atom",
}
_ESCAPED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"}


@dataclass(frozen=True)
class XmlItem:
    """An item of a file: its element and the line on which it starts."""

    element: etree._Element
    line: int
    warnings: list[ItemWarning] = field(default_factory=list)


@dataclass(frozen=True)
class XmlFile:
    """A file in XML: its elements outside of items, and its content as UTF-8."""

    root: str
    """Qualified name of the first element; "" if there is none."""
    header: etree._Element | None
    """The first element, with what precedes the first item."""
    namespaces: Mapping[str | None, str]
    """Those in force at the first item."""
    content: Content
    first_item: int
    """Position of the first item; -1 if there is none."""
    warnings: list[ItemWarning]
    base: str = ""
    """The address against which the addresses of items are resolved (xml:base)."""
    is_cut_off: bool = False
    """It has no items and its elements are not closed."""


def open_xml(content: Content) -> XmlFile:
    """Read a file as far as its first item.

    Raises:
        FormatError: it is not XML, its encoding is unknown, or it declares entities other than those of HTML.
    """
    content, warnings = _as_utf8(content)
    blank = _BLANK.match(content)
    if blank is not None and blank.end() == len(content):
        raise FormatError("is empty")
    start = begin = _after_junk(content, blank.end() if blank else 0, warnings)
    declared = _DECLARED.search(content, start, start + 1024 * 1024)
    doctype = _DOCTYPE.match(content, declared.start(), start + 1024 * 1024) if declared else None
    first_tag = re.compile(rb"<[A-Za-z_]").search(content, start)
    if doctype is not None and (first_tag is None or doctype.start() < first_tag.start()):
        for parameter, name in _ENTITY.findall(doctype[1] or b""):
            if parameter or name.decode(errors="replace") + ";" not in html.entities.html5:
                raise FormatError("declares entities, which are not supported")
        start = doctype.end()
    position = _next_item(content, start)
    head = content[start : position.start() if position else start + HEADER_BYTES_MAX]
    if start != begin:
        head = content[begin : doctype.start() if doctype else begin] + head
    root, opened = _read_header(head.decode("utf-8", "replace"))
    namespaces = dict((opened[-1] if opened else root).nsmap)
    first = position.start() if position else -1
    is_cut_off, base = bool(opened) and first < 0, str((opened[-1] if opened else root).base or "")
    return XmlFile(str(root.tag), root, namespaces, content, first, warnings, base, is_cut_off)


def _after_junk(content: Content, start: int, warnings: list[ItemWarning]) -> int:
    """Return where the XML begins: messages of PHP may precede it."""
    if _START.match(content, start):
        return start
    found = re.compile(rb"<\?xml[\s?]|<(?:rss|feed|rdf:RDF)[\s>]").search(content, start, start + JUNK_BYTES_MAX)
    if found is None:
        return start
    shown = one_line(content[start : found.start()].decode("utf-8", "replace"))[:100]
    warnings.append(make_warning("text", f"the file has other text before its XML, which was left out: {shown!r}"))
    return found.start()


def _read_header(text: str) -> tuple[etree._Element, list[etree._Element]]:
    """Return the first element and those open at the end; of its descendants, only authors are kept in memory."""
    options = {"recover": True, "resolve_entities": False, "no_network": True, "huge_tree": True}
    parser = etree.XMLPullParser(("start", "end"), remove_comments=True, remove_pis=True, **options)
    text = re.sub(r"^<\?xml[^>]*\?>", "", text.lstrip("\ufeff \t\r\n")).lstrip()
    opened: list[etree._Element] = []
    root: etree._Element | None = None
    try:
        for start in range(0, len(text), HEADER_CHUNK_CHARACTERS):
            parser.feed(text[start : start + HEADER_CHUNK_CHARACTERS].encode())
            for event, element in parser.read_events():
                if event == "start":
                    root = element if root is None else root
                    opened.append(element)
                    if len(opened) > XML_DEPTH_MAX:
                        raise FormatError(f"must be nested at most {XML_DEPTH_MAX} elements deep")
                    continue
                opened.pop()
                if len(opened) == 2 and etree.QName(element.tag).localname != "author":
                    element.getparent().remove(element)
    except etree.XMLSyntaxError as error:
        raise FormatError(f"is not well-formed XML: {error}") from error
    if root is None:
        raise FormatError("is not XML: it has no element")
    return root, opened


def _as_utf8(content: Content) -> tuple[Content, list[ItemWarning]]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    declared = _DECLARATION.match(content[:1_024])
    is_wide = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in content[:200]
    if not is_wide:
        try:
            for start in range(0, len(content), 1024 * 1024):
                decoder.decode(content[start : start + 1024 * 1024])
        except UnicodeDecodeError:
            pass
        else:
            return content, []
    name = declared[1].decode().lower() if declared else ""
    if not is_wide and name in ("", "utf-8", "utf8"):
        sample = content[: 8 * 1024 * 1024].decode("utf-8", "replace")
        if len(re.findall("[^\x00-\x7f\ufffd]", sample)) > sample.count("\ufffd"):
            return content, []  # wrong bytes are replaced in their items
    try:
        decoded = decode_text(content[:], name, "cp1258")
    except DecodingError as error:
        raise FormatError(str(error)) from error
    return decoded.text.encode("utf-8", "replace"), decoded.warnings()


def _next_item(content: Content, position: int) -> re.Match[bytes] | None:
    """Return the start of the next item that is in no comment and no CDATA section."""
    while (found := _MARKUP.search(content, position)) is not None:
        if found[1]:
            return found
        end = content.find(b"-->" if found[0] == b"<!--" else b"]]>", found.end())
        position = end + 3 if end >= 0 else found.end()
    return None


def split_items(file: XmlFile, context: ReadContext | None = None) -> Iterator[XmlItem | UnreadableItem]:
    """Yield the items of a file, in order. An item that is not XML is unreadable; the next one is read."""
    content, position, line, counted = file.content, file.first_item, 1, 0
    number = 0
    while position >= 0 and (found := _next_item(content, position)) is not None:
        number += 1
        end, is_closed = _item_end(content, found)
        line, counted = line + content[counted : found.start()].count(b"\n"), found.start()
        raw = content[found.start() : end]
        item = _parsed(raw, file, line, number) if is_closed else _not_closed(number, line)
        position = end
        if context is not None:
            context.bytes_read = end
        if isinstance(item, UnreadableItem):  # a section that is not closed hides the end of the item
            hidden = content.find(b"</" + found[1] + b">", found.end(), end - 1)
            position = hidden if hidden >= 0 else end
        yield item


def items_with(file: XmlFile, mark: bytes) -> Iterator[XmlItem]:
    """Yield the items that have some bytes, without parsing the others."""
    end = max(0, file.first_item)
    position = _find(file.content, mark, end)
    while position >= 0:
        start = max(file.content.rfind(name, end, position) for name in (b"<item>", b"<item "))
        found = _next_item(file.content, start) if start >= 0 else None
        end, is_closed = _item_end(file.content, found) if found is not None else (position + 1, False)
        if found is not None and is_closed and end > position:
            item = _parsed(file.content[found.start() : end], file, 0, 0)
            if isinstance(item, XmlItem):
                yield item
        position = _find(file.content, mark, max(end, position + 1))


def _find(content: Content, mark: bytes, start: int) -> int:
    """Return the position of the next mark, or -1; by parts, so that a mapped file can be released meanwhile."""
    for begin in range(start, len(content), FIND_BYTES):
        found = content.find(mark, begin, begin + FIND_BYTES + len(mark) - 1)
        if found >= 0:
            return found
    return -1


def is_cut_off(file: XmlFile) -> bool:
    """Return whether the end of the first element is missing, so that items may be missing as well."""
    name = etree.QName(file.root).localname.encode()
    return re.search(rb"</(?:[A-Za-z_][\w.-]*:)?" + re.escape(name) + rb"\s*>", file.content[-END_BYTES:]) is None


def _item_end(content: Content, opened: re.Match[bytes]) -> tuple[int, bool]:
    """Return the position after an item, and whether it is closed. Items are never nested: a second start ends it."""
    name = opened[1]
    markup = re.compile(rb"<!--|<!\[CDATA\[|<(/?)" + re.escape(name) + rb"(?=[\s/>])[^<>]*>")
    position = opened.start()
    is_first = True
    while (found := markup.search(content, position)) is not None:
        if found[0] in (b"<!--", b"<![CDATA["):
            end = content.find(b"-->" if found[0] == b"<!--" else b"]]>", found.end())
            if end < 0:
                return len(content), False
            position = end + 3
            continue
        if found[1] or (is_first and found[0].endswith(b"/>")):
            return found.end(), True
        if not is_first:
            return found.start(), False
        is_first, position = False, found.end()
    return len(content), False


def _not_closed(number: int, line: int) -> UnreadableItem:
    return UnreadableItem(f"item {number}", "is cut off: the item is not closed", line)


def _parsed(raw: bytes, file: XmlFile, line: int, number: int) -> XmlItem | UnreadableItem:
    if len(raw) > ITEM_BYTES_MAX:
        reason = f"must have at most {ITEM_BYTES_MAX:,} bytes (got {len(raw):,})"
        return UnreadableItem(f"item {number}", reason, line)
    problem = _exceeded(raw)
    if problem:
        return UnreadableItem(f"item {number}", problem, line)
    decoded = raw.decode("utf-8", "replace")
    warnings = []
    if "\ufffd" in decoded and b"\xef\xbf\xbd" not in raw:
        at = line + decoded[: decoded.index("\ufffd")].count("\n")
        warnings.append(make_warning("encoding", "bytes that are not UTF-8 were replaced by U+FFFD", line=at))
    decoded, of_fonts = to_unicode_text(decoded)
    text, removed = repair_markup(decoded)
    warnings += [*of_fonts, *repair_warnings(removed, line)]
    try:
        element = _parse(text, file.namespaces, file.base)
    except etree.XMLSyntaxError:
        used = set(_PREFIXES.findall(text)) - {"xml", *(prefix or "" for prefix in file.namespaces)}
        more = {prefix: _KNOWN_PREFIXES.get(prefix, f"urn:undeclared:{prefix}") for prefix in used if prefix != "xmlns"}
        try:
            element = _parse(_repaired(text), {**more, **file.namespaces}, file.base)
        except etree.XMLSyntaxError as error:
            at = line + (error.lineno or 1) - 1
            return UnreadableItem(f"item {number}", f"is not well-formed XML: {error.msg}"[:300], at)
        message = "it is not well-formed XML: what could not be parsed was read as text"
        warnings.append(make_warning("text", message, line=line))
    return XmlItem(element, line, warnings)


def _exceeded(raw: bytes) -> str:
    """Return which bound an item exceeds, before it is parsed; "" for none."""
    markup = _RAW_UNPARSED.sub(b"", raw)
    if markup.count(b"<") > 2 * XML_ELEMENTS_MAX:
        return f"must have at most {XML_ELEMENTS_MAX:,} elements in each article"
    depth = deepest = 0
    for tag in _RAW_TAG.finditer(markup):
        depth += -1 if tag[1] else 0 if tag[0].endswith(b"/>") else 1
        deepest = max(deepest, depth)
    return f"must be nested at most {XML_DEPTH_MAX} elements deep" if deepest > XML_DEPTH_MAX else ""


def _parse(text: str, namespaces: Mapping[str | None, str], base: str) -> etree._Element:
    declared = "".join(
        f' xmlns{f":{prefix}" if prefix else ""}="{_escaped(uri)}"'
        for prefix, uri in namespaces.items()
        if prefix != "xml"
    )
    declared += f' xml:base="{_escaped(base)}"' if base else ""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    return etree.fromstring(f"<file{declared}>{text}</file>".encode(), parser)[0]


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(one, one) for one in text)


def _repaired(text: str) -> str:
    """Return markup in which HTML's entities are characters, and other lone "&" and "<" are text."""
    parts = _UNPARSED.split(text)
    return "".join(
        part if number % 2 else _LESS_THAN.sub("&lt;", _AMPERSAND.sub(_entity, part))
        for number, part in enumerate(parts)
    )


def _entity(found: re.Match[str]) -> str:
    known = html.entities.html5.get(f"{found[1]};") if found[1] else None
    return _escaped(known) if known else f"&amp;{found[0][1:]}"

"""Decodes files and removes the characters that no article may have, so that one of them costs itself only. Pure."""

import codecs
import re
from dataclasses import dataclass
from typing import Any

from services.ingest.content.normalization import clean_line, without_long_marks
from services.ingest.imports.markup.legacy_fonts import SAMPLE_CHARACTERS, detect, to_unicode, with_characters
from services.ingest.imports.warnings import ItemWarning, make_warning

_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_INVALID_REFERENCE = re.compile(
    r"&#(?:x0*([0-8bcef]|1[0-9a-f]|7f|[89][0-9a-f]|202[a-e]|206[6-9]|d[89a-f][0-9a-f]{2}|fff[ef]|1[1-9a-f][0-9a-f]{4,}"
    r"|[2-9a-f][0-9a-f]{5,})(?![0-9a-f])|0*([0-8]|1[124-9]|2\d|3[01]|12[7-9]|1[34]\d|15\d|823[4-8]|829[4-7]|5529[6-9]"
    r"|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]|6553[45]|1114(?:1(?:1[2-9]|[2-9]\d)|[2-9]\d\d)|111[5-9]\d{3}|11[2-9]\d{4}|1[2-9]\d{5,}|[2-9]\d{6,})(?!\d));?",
    re.IGNORECASE,
)
"""References to the characters of _INVALID, and to numbers that are no characters; valid ones cost no call."""
_BREAKS = "\x0b\x0c\x1c\x1d\x1e\x85"
"""Line ends of word processors: they separate words."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs-4", "unicode")
LINES_NAMED_MAX = 3
FONTS = ("TCVN3", "VNI")
"""Fonts of before Unicode, which are encodings of their own."""


class DecodingError(ValueError):
    """A file whose encoding is not known; the message is human-readable and continues "the file …"."""


@dataclass(frozen=True)
class DecodedText:
    """The text of a file, its encoding, and the numbers of the lines in which bytes were replaced."""

    text: str
    encoding: str
    damaged_lines: tuple[int, ...] = ()

    def warnings(self) -> list[ItemWarning]:
        """Return a warning about the replaced bytes, or an empty list."""
        if self.encoding in FONTS:
            return [_font_warning(self.encoding)]
        if not self.damaged_lines:
            return []
        lines = ", ".join(map(str, self.damaged_lines[:LINES_NAMED_MAX]))
        more = " and more" if len(self.damaged_lines) > LINES_NAMED_MAX else ""
        message = f"bytes that are not {self.encoding.upper()} were replaced by U+FFFD in line {lines}{more}"
        return [make_warning("encoding", message, line=self.damaged_lines[0])]


def decode_text(content: bytes, declared: str = "", fallback: str = "") -> DecodedText:
    """Decode a file: by its byte order mark, else as UTF-8 if it is, else as declared, else with the fallback.

    A page that is mostly UTF-8 stays UTF-8: its wrong bytes are replaced. Some systems declare UTF-16 but write UTF-8.

    Raises:
        DecodingError: it is in none of these encodings.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    if wide := _wide_encoding(content):
        return _decoded(content, wide)
    try:
        return DecodedText(content.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    latin = content.decode("latin-1")
    if font := detect(latin):
        return DecodedText(to_unicode(latin, font), font)
    declared = declared.lower().strip()
    if declared and declared not in ("utf-8", "utf8") and not declared.startswith(_WIDE):
        try:
            return DecodedText(content.decode(declared), declared)
        except (UnicodeDecodeError, LookupError):
            pass
    return _decode_damaged(content, fallback)


def _decode_damaged(content: bytes, fallback: str) -> DecodedText:
    decoded = _decoded(content, "utf-8")
    wrong = decoded.text.count("\ufffd")
    right = sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", decoded.text)))
    if right > wrong or (not fallback and wrong <= max(2, len(content) // 1_000)):
        return decoded
    if fallback:
        try:
            return DecodedText(content.decode(fallback), fallback)
        except UnicodeDecodeError:
            return _decoded(content, fallback)
    raise DecodingError("is not UTF-8 and declares no other encoding; save it as UTF-8")


def _decoded(content: bytes, encoding: str) -> DecodedText:
    text = content.decode(encoding, "replace")
    if "\ufffd" not in text:
        return DecodedText(text, encoding)
    lines = [number for number, line in enumerate(text.split("\n"), 1) if "\ufffd" in line]
    return DecodedText(text, encoding, tuple(lines))


def _wide_encoding(content: bytes) -> str:
    """Return the encoding of UTF-16 without a byte order mark, which has a zero in every second byte of ASCII."""
    head = content[:1_024]
    even, odd = head[::2], head[1::2]
    if len(head) < 8 or not head.count(0):
        return ""
    if odd.count(0) * 2 > len(odd) and even.count(0) * 8 < len(even):
        return "utf-16-le"
    if even.count(0) * 2 > len(even) and odd.count(0) * 8 < len(odd):
        return "utf-16-be"
    return ""


def _font_warning(font: str) -> ItemWarning:
    return make_warning("encoding", f"the text was in a font of before Unicode ({font}) and was converted; check it")


def to_unicode_text(text: str) -> tuple[str, list[ItemWarning]]:
    """Return a text in TCVN3 or VNI that was decoded as Latin-1 as Unicode, with a warning; other text as it is."""
    if text.isascii() and "&" not in text:
        return text, []
    if font := detect(text):
        return to_unicode(text, font), [_font_warning(font)]
    if "&" in text and (font := detect(with_characters(text[:SAMPLE_CHARACTERS]))):
        return to_unicode(with_characters(text), font), [_font_warning(font)]
    return text, []


def repair_text(text: str) -> tuple[str, list[str]]:
    """Return text without control and direction characters and half surrogate pairs, and the names of the removed.

    Line ends of word processors become line feeds, and characters of Windows-1252 under C1 codes become themselves.
    """
    removed: list[str] = []
    if _INVALID.search(text):
        text = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
        text = _INVALID.sub(lambda one: _replacement(one[0], removed), text)
    return without_long_marks(text), removed


def repair_markup(text: str) -> tuple[str, list[str]]:
    """Repair text with character references: like `repair_text`, also for references to invalid characters."""
    text, removed = repair_text(text)
    if "&#" not in text:
        return text, removed

    def replaced(reference: re.Match[str]) -> str:
        code = int(reference[1][:8], 16) if reference[1] else int(reference[2][:9])
        return _replacement(chr(min(code, 0xFFFF)), removed)

    return _INVALID_REFERENCE.sub(replaced, text), removed


def _replacement(character: str, removed: list[str]) -> str:
    code = ord(character)
    if character in _BREAKS:
        removed.append(f"U+{code:04X}")
        return "\n"
    if 0x80 <= code <= 0x9F:
        try:
            return bytes([code]).decode("cp1252")
        except UnicodeDecodeError:
            pass
    removed.append(f"U+{code:04X}")
    return ""


def value_to_unicode(value: Any) -> tuple[Any, list[ItemWarning]]:
    """Return a JSON value of one item with its texts in Unicode, if its texts are in TCVN3 or VNI."""
    texts: list[str] = []
    _collect(value, texts)
    font = detect("\n".join(texts))
    return (_converted(value, font), [_font_warning(font)]) if font else (value, [])


def _collect(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            _collect(one, texts)


def _converted(value: Any, font: str) -> Any:
    if isinstance(value, str):
        return to_unicode(value, font)
    if isinstance(value, list):
        return [_converted(one, font) for one in value]
    return {name: _converted(one, font) for name, one in value.items()} if isinstance(value, dict) else value


def repair_value(value: Any, removed: list[str]) -> Any:
    """Return a JSON value with all its texts repaired; the names of removed characters are appended to `removed`."""
    if isinstance(value, str):
        text, found = repair_markup(value)
        removed += found
        return text
    if isinstance(value, list):
        return [repair_value(one, removed) for one in value]
    if isinstance(value, dict):
        return {repair_value(key, removed): repair_value(one, removed) for key, one in value.items()}
    return value


def repair_warnings(removed: list[str], line: int | None = None) -> list[ItemWarning]:
    """Return a warning about removed characters, or an empty list."""
    if not removed:
        return []
    names = ", ".join(dict.fromkeys(removed))
    return [make_warning("text", f"{len(removed)} invalid characters were removed: {names}", line=line)]


def visible_line(text: str) -> str:
    """Return single-line text without invalid characters; like `clean_line`, but it raises nothing."""
    return clean_line(repair_text(text)[0])

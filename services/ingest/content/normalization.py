"""Normalises input text: NFC, without control and zero-width characters. Pure.

Texts that look the same become equal, such as "Bạn" typed with precomposed or with combining characters.
"""

import re
import unicodedata

from services.ingest.content.field_messages import Value, field_message

_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_CONTROL = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
"""Characters that XML or HTML forbids, or that no text needs."""
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")
MARKS_MAX = 30
"""Combining marks in a row: the limit of Unicode's stream-safe text (UAX 15), which no language reaches. To sort more
of them takes quadratic time, in Python and in every program that reads the text later."""
_MARKS = re.compile(rf"[^\w\s]{{{MARKS_MAX + 1},}}")
"""What may be such a row: no mark is a letter, a digit or white space."""


class TextError(ValueError):
    """Text with an invalid character; the message names the character and its position.

    Args:
        code: A key of MESSAGES.
        values: What its message names.
    """

    def __init__(self, code: str, **values: Value) -> None:
        super().__init__(field_message(code, values))
        self.code = code
        self.values = values


def clean_text(text: str) -> str:
    """Return multi-line text in NFC, without zero-width characters and with line feeds as line ends.

    Raises:
        TextError: it has a control character, a direction override, a lone surrogate or too many combining marks.
    """
    _check_marks(text)
    if _is_ordinary(text):
        return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
    check_text(text)
    return unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", _INVISIBLE.sub("", text)))


def _check_marks(text: str) -> None:
    for found in () if text.isascii() else _MARKS.finditer(text):
        row = 0
        for position, character in enumerate(found[0], found.start()):
            row = row + 1 if unicodedata.combining(character) else 0
            if row > MARKS_MAX:
                raise TextError("too_many_marks", limit=MARKS_MAX, position=position - MARKS_MAX)


def without_long_marks(text: str) -> str:
    """Return a text whose rows of combining marks end after MARKS_MAX of them."""
    return text if text.isascii() else _MARKS.sub(lambda found: _shortened(found[0]), text)


def _shortened(text: str) -> str:
    kept, row = [], 0
    for character in text:
        row = row + 1 if unicodedata.combining(character) else 0
        if row <= MARKS_MAX:
            kept.append(character)
    return "".join(kept)


def without_unseen(text: str) -> str:
    """Return what a person has typed or pasted without the characters that `check_text` rejects: nobody sees them."""
    if _is_ordinary(text):
        return text
    return _DIRECTION.sub("", _CONTROL.sub("", text)).encode(errors="ignore").decode()


def check_text(text: str) -> None:
    """Reject text with a character that pages, feeds and exports must not have.

    Raises:
        TextError: it has a control character, a direction override or a lone surrogate.
    """
    if _is_ordinary(text):
        return
    for pattern, code in ((_CONTROL, "control_character"), (_DIRECTION, "direction_character")):
        found = pattern.search(text)
        if found:
            raise TextError(code, character=f"U+{ord(found[0]):04X}", position=found.start())
    try:
        text.encode()
    except UnicodeEncodeError as error:
        character = f"U+{ord(text[error.start]):04X}"
        raise TextError("lone_surrogate", character=character, position=error.start) from error


def _is_ordinary(text: str) -> bool:
    """Return whether a text has none of the characters above: Python does not count them as printable.

    This takes a tenth of the time of the expressions, which few texts need.
    """
    return text.replace("\n", " ").isprintable()


def clean_line(text: str) -> str:
    """Return single-line text: like `clean_text`, with white space collapsed and trimmed.

    Raises:
        TextError: like `clean_text`.
    """
    return " ".join(clean_text(text).split())

"""Text at the door: NFC, no characters that nobody can see. Pure.

Two texts that look the same are the same from here on: "Bạn" typed as one letter or as three.
"""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")


class TextError(ValueError):
    """A text that cannot be taken; the message says which character, and where."""


def clean_text(text: str) -> str:
    """Return a text of several lines in NFC, without zero-width characters and with plain line ends.

    Raises:
        TextError: it has a control character, a half of a surrogate pair, or one that turns the direction.
    """
    for pattern, what in ((_CONTROL, "the control character"), (_DIRECTION, "the direction character")):
        found = pattern.search(text)
        if found:
            raise TextError(f"has {what} U+{ord(found[0]):04X} at position {found.start()}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise TextError(f"has half a character, U+{code:04X}, at position {error.start}") from error
    return unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", _INVISIBLE.sub("", text)))


def clean_line(text: str) -> str:
    """Return a text of one line: as `clean_text`, with each run of white space as one space, none at the ends.

    Raises:
        TextError: as `clean_text`.
    """
    return " ".join(clean_text(text).split())

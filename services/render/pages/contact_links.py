"""The telephone numbers and e-mail addresses of a publisher as links, however it lists them. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

DIGITS_MIN, DIGITS_MAX = 6, 15
"""Of a telephone number. One with fewer digits, such as a hotline, is a link only if it stands alone."""
_NUMBER = re.compile(r"(?:\+\d{1,3}[ .]?)?(?:\(\d{1,5}\)[ .]?)?\d+(?:[ .\u00a0-]\d+)*", re.ASCII)
"""Groups of digits. A hyphen between blanks is no part of a number: it separates two."""
_FAX = re.compile(r"\bfax\W*\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s,;:/<>()]+@[^\s,;:/<>()]*[^\s,;:/<>().]")


class TextPart(NamedTuple):
    """A part of a text, and where its link leads: "" if it is no link."""

    text: str
    href: str


def phone_links(text: str) -> list[TextPart]:
    """Return a text in parts: its telephone numbers are links, its fax numbers are not."""
    found = [match for match in _NUMBER.finditer(text) if not _FAX.search(text, 0, match.start())]
    fewest = DIGITS_MIN if len(found) > 1 else 1
    return list(_parts(text, (match for match in found if fewest <= len(_digits(match)) <= DIGITS_MAX), _phone))


def mail_links(text: str) -> list[TextPart]:
    """Return a text in parts: its e-mail addresses are links."""
    return list(_parts(text, _ADDRESS.finditer(text), lambda match: f"mailto:{match[0]}"))


def _digits(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def _phone(match: re.Match[str]) -> str:
    return f"tel:{'+' if match[0].startswith('+') else ''}{_digits(match)}"


def _parts(text: str, links: Iterable[re.Match[str]], href: Callable[[re.Match[str]], str]) -> Iterator[TextPart]:
    done = 0
    for match in links:
        if match.start() > done:
            yield TextPart(text[done : match.start()], "")
        yield TextPart(match[0], href(match))
        done = match.end()
    if done < len(text):
        yield TextPart(text[done:], "")

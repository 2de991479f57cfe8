"""What of a page has an end: marked in its HTML with `data-until`, and left out of it afterwards. Pure.

A page is made again at each end while there is a database. While there is none, its bytes are what there is.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from markupsafe import Markup


class Ending(Protocol):
    """A part of a page that may have an end."""

    @property
    def until(self) -> datetime | None:
        """Until when it is shown; None: it has no end."""
        ...


UNTIL = b" data-until="
"""In a page of which something has an end."""
_MARKED = re.compile(r'<([a-z]+)\b[^<>]*\sdata-until="([^"]*)"[^<>]*>')


def until_mark(until: datetime | None) -> Markup:
    """Return the attribute of an element that is shown until a time; None: it has no end."""
    return Markup("") if until is None else Markup(' data-until="{}"').format(until.isoformat())


def last_end(shown: Sequence[Ending]) -> datetime | None:
    """Return when the last one of some parts of a page ends; None if one has no end."""
    ends = [one.until for one in shown if one.until is not None]
    return max(ends) if ends and len(ends) == len(shown) else None


def next_end(html: str) -> datetime | None:
    """Return when the first element of a page ends; None if none does."""
    return min((at for one in _MARKED.finditer(html) if (at := _instant(one[2])) is not None), default=None)


def without_ended(html: str, now: datetime) -> str:
    """Return a page without the elements that have ended, each with all that is in it."""
    parts, kept_to = [], 0
    for one in _MARKED.finditer(html):
        at = _instant(one[2])
        if one.start() >= kept_to and at is not None and at <= now:
            parts.append(html[kept_to : one.start()])
            kept_to = _end_of(html, one[1], one.start())
    return "".join([*parts, html[kept_to:]])


def _end_of(html: str, tag: str, start: int) -> int:
    """Return where the element that begins at `start` ends."""
    depth = 0
    for found in re.compile(rf"<(/?){tag}(?=[\s>])[^<>]*>").finditer(html, start):
        depth += -1 if found[1] else 1
        if depth == 0:
            return found.end()
    return len(html)


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None

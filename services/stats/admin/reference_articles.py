"""Which article ids and pages have counts, in the reference model. Pure.

A view of an id that is not known makes it known, unless 2,000 ids of the site became known on the partition on the same
day before: then it counts for the site alone. The day is the UTC day of the window in which the record arrived. A view
without an id is one of its page, of which 1,000 become known on a day.

Where the log has lost records, nobody can say any more which views near its beginning repeat a lost one. Up to 50 hours
from there it is taken from what is stored which ids are known, and the log only has to have the views.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

NEW_ARTICLES_MAX = 2_000
NEW_PAGES_MAX = 1_000
PAGE_CHARACTERS_MAX = 200
UNCERTAIN_MS = 50 * 3_600_000
"""A late event may be a duplicate of one that arrived 49 hours before."""
WINDOWS_PER_DAY = 48


class ArticleKey(NamedTuple):
    """An article of a site, or a page."""

    site: str
    article: str

    @property
    def is_page(self) -> bool:
        """Whether it is a page of views without an article."""
        return self.article[0] == "/"


class Acceptance(NamedTuple):
    """The view that made an article known."""

    offset: int
    day: int | None
    """Days since 1970; None if the article was known before this log or this rule, and is known from the offset on."""


class StoredArticles(NamedTuple):
    """What is stored of a partition, for a log that may have lost records."""

    articles: Mapping[ArticleKey, Acceptance]
    log_begin: int
    is_trimmed: bool
    """Whether the log may have lost counted records."""
    counted_until: int = 0
    """Counted records that arrived until then may be gone, too: milliseconds since 1970 UTC."""
    pages_from: int = 0
    """Offset from which on views without an article count for their page."""

    def is_of_the_log(self, one: Acceptance) -> bool:
        """Return whether a view in the log must have made an article known."""
        return one.day is not None and (one.offset >= self.log_begin or not self.is_trimmed)


ALL_IN_THE_LOG = StoredArticles({}, 0, False)


class KnownArticles:
    """The known articles of one partition."""

    def __init__(self, stored: StoredArticles, new_articles_max: int, new_pages_max: int = NEW_PAGES_MAX) -> None:
        self._stored = stored
        self._new_max = {False: new_articles_max, True: new_pages_max}
        self._known = {key: one.offset for key, one in stored.articles.items() if not stored.is_of_the_log(one)}
        self._accepted = Counter((key.site, key.is_page, stored.articles[key].day) for key in self._known)
        """(site, whether they are pages, day) → ids that became known."""
        self._certain_from: int | None = None if stored.is_trimmed else -1
        self._is_certain = not stored.is_trimmed
        self.in_log: dict[ArticleKey, Acceptance] = {}
        """Articles that became known by views in the log."""

    def advance(self, arrived: int) -> None:
        """Take notice of the next record's arrival."""
        if self._certain_from is None:
            self._certain_from = max(arrived, self._stored.counted_until) + UNCERTAIN_MS
        self._is_certain |= arrived >= self._certain_from

    def counts(self, key: ArticleKey, offset: int, window_index: int) -> bool:
        """Return whether a counted view of an article counts for it."""
        if key in self._known:
            return self._known[key] <= offset
        day = window_index // WINDOWS_PER_DAY
        if key.is_page and offset < self._stored.pages_from:
            accepted = False
        elif self._is_certain:
            accepted = self._accepted[key.site, key.is_page, day] < self._new_max[key.is_page]
        else:
            stored = self._stored.articles.get(key)
            accepted = stored is not None and stored.offset == offset
        if accepted:
            self._known[key] = offset
            self._accepted[key.site, key.is_page, day] += 1
            self.in_log[key] = Acceptance(offset, day)
        return accepted


def page_name(path: str) -> str:
    """Return the page of a path: decoded, without what may be private, and of at most 200 characters."""
    storable = re.sub("[\ud800-\udfff]", "\ufffd", re.split("[?#]", path)[0])
    text = unquote_to_bytes(storable).decode(errors="replace")
    letters = ["\ufffd" if _is_invisible(letter) else letter for letter in normalize("NFC", text)]
    page = re.sub("//*", "/", "/" + "".join(letters))
    page = "/".join("*" if _is_private(segment) else segment for segment in page.split("/"))
    return page if len(page) <= PAGE_CHARACTERS_MAX else page[:199] + "…"


def _is_invisible(letter: str) -> bool:
    """Return whether a character is a control, directs text, or cannot be stored."""
    ranges = [(0, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF)]
    ranges += [(0xFFF9, 0xFFFF), (0xD800, 0xDFFF)]
    return any(first <= ord(letter) <= last for first, last in ranges)


def _is_private(segment: str) -> bool:
    """An address, nothing but a long number, a UUID, or 16 letters and digits with three groups of digits."""
    if "@" in segment:
        return True
    number = segment.removeprefix("+")
    stem, dot, ending = number.partition(".")
    if (
        len(stem) >= 9
        and _is_ascii(stem, str.isdigit)
        and (not dot or (len(ending) <= 5 and _is_ascii(ending, str.isalpha)))
    ):
        return True
    if re.search("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", segment, re.IGNORECASE | re.ASCII):
        return True
    runs = re.split("[^0-9A-Za-z]", segment)
    return any(len(run) >= 16 and len(re.findall("[0-9]+", run)) >= 3 for run in runs)


def _is_ascii(text: str, kind: Callable[[str], bool]) -> bool:
    return text.isascii() and kind(text)

"""What a reader types → what Postgres looks for, and what is marked in the answer. Pure.

All is looked for without marks ("dang bo" finds "Đảng bộ"); what was typed with marks comes first where it stands so.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from markupsafe import Markup, escape

from shared.articles import Article
from shared.text import fold_diacritics, fold_with_positions

QUERY_CHARACTERS_MAX = 200
WORDS_MAX = 16
WORD_CHARACTERS_MAX = 60
PAGE_RESULTS = 10
RANKED_MAX = 200
"""So many of the newest that fit are put in order of fitness; all others are found by date."""
FEW_MAX = 10_000
"""So many that fit are put in order by their dates; of more, the newest are looked for one by one."""
LIKENESSES = ("0.6", "0.4")
"""How like a title must be to be offered when nothing fits. The lower one is tried last, for it costs most."""
EXCERPT_CHARACTERS = 260

_TERM = re.compile(r'(-?)"([^"]*)"?|(-?)(\S+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Wanted:
    """A search as it was asked for."""

    query: str = ""
    section: str = ""
    since: date | None = None
    until: date | None = None
    by_date: bool = False
    page: int = 1


@dataclass(frozen=True)
class Terms:
    """A query for Postgres: `folded` must fit. Indexes find `indexed` and `pairs`, one of which may be None.

    `is_indexed`: these two say all of it. They do not of longer phrases, for the index holds no positions. `phrase` are
    all words together; `marked` are the words with marks, as they should stand.
    """

    folded: str
    indexed: str | None
    pairs: str | None
    is_indexed: bool
    phrase: str
    marked: str | None
    words: frozenset[str]


@dataclass(frozen=True)
class Found:
    """One page of results. `count` stops at RANKED_MAX. `nearest`: nothing fits, but these are like it."""

    articles: Sequence[Article] = ()
    count: int = 0
    has_more: bool = False
    is_nearest: bool = False
    terms: Terms | None = None


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case, in their order."""
    lower = unicodedata.normalize("NFC", text).replace("İ", "i").lower()  # lower() makes two characters of it
    return [word[:WORD_CHARACTERS_MAX] for word in _WORD.findall(lower)]


def pairs(folded_words: Sequence[str]) -> list[str]:
    """Return each two neighbours, once, as "cho phien"."""
    return sorted({f"{first} {second}" for first, second in pairwise(folded_words)})


def parse(query: str) -> Terms | None:
    """Read a query: words, "phrases", and -words that must not be there. None if it has no word to look for."""
    query = unicodedata.normalize("NFC", query.replace("“", '"').replace("”", '"'))[:QUERY_CHARACTERS_MAX]
    parts: list[str] = []
    alone: list[str] = []
    is_indexed = True
    plain_words: list[str] = []
    with_marks: list[str] = []
    together_words: list[str] = []
    for match in _TERM.finditer(query):
        found = words(match[2] if match[2] is not None else match[4])[: max(0, WORDS_MAX - len(plain_words))]
        if not found:
            continue
        together = " <-> ".join(fold_diacritics(word) for word in found)
        if match[1] or match[3] == "-":
            parts.append(f"!({together})")
            is_indexed = False
            continue
        parts.append(f"({together})")
        alone += [f"({together})"] if len(found) == 1 else []
        is_indexed &= len(found) <= 2
        together_words += pairs([fold_diacritics(word) for word in found])
        plain_words += [fold_diacritics(word) for word in found]
        with_marks += [word for word in found if fold_diacritics(word) != word]
    if not plain_words:
        return None
    return Terms(
        folded=" & ".join(parts),
        indexed=" & ".join(alone) or None,
        is_indexed=is_indexed,
        pairs=" & ".join(f"'{pair}'" for pair in together_words) or None,
        phrase=" <-> ".join(plain_words),
        marked=" & ".join(with_marks) or None,
        words=frozenset(plain_words),
    )


def marked(text: str, terms: Terms | None) -> Markup:
    """Return a text with the query's words marked, escaped."""
    if terms is None:
        return escape(text)
    parts: list[Markup] = []
    place = 0
    folded, positions = fold_with_positions(text)
    for match in _WORD.finditer(folded):
        if match[0] in terms.words:
            begin, end = positions[match.start()], positions[match.end()]
            parts += [escape(text[place:begin]), Markup("<mark>%s</mark>") % text[begin:end]]
            place = end
    return Markup("").join([*parts, escape(text[place:])])


def excerpt(lines: Sequence[str], terms: Terms) -> str:
    """Return the part of a text in which most of the words stand close together, cut between words."""
    text = " ".join(lines)
    folded, positions = fold_with_positions(text)
    places = [positions[match.start()] for match in _WORD.finditer(folded) if match[0] in terms.words]
    if not places:
        return text[:EXCERPT_CHARACTERS].rsplit(" ", 1)[0] + "…" if len(text) > EXCERPT_CHARACTERS else text
    reach = EXCERPT_CHARACTERS - 60
    best = max(enumerate(places), key=lambda one: bisect_left(places, one[1] + reach) - one[0])[1]
    begin = max(0, best - 60)
    if begin:
        begin = text.find(" ", begin) + 1
    end = begin + EXCERPT_CHARACTERS
    cut = text[begin:end] if end >= len(text) else text[begin:end].rsplit(" ", 1)[0] + "…"
    return ("…" if begin else "") + cut

"""A visitor's search → the query for Postgres, and the highlighted words in the results. Pure.

Search ignores diacritics ("dang bo" finds "Đảng bộ"); for words typed with diacritics, exact matches rank first.
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
"""So many of the newest matches are ranked by relevance; all others are found by date."""
SMALL_RESULT_MAX = 10_000
"""Up to so many matches are sorted by date; with more, a scan from the newest on finds them."""
SIMILARITY_THRESHOLDS = ("0.6", "0.4")
"""How similar a title must be to be offered when nothing matches. The lower one is tried last: it costs most."""
EXCERPT_CHARACTERS = 260

_TERM = re.compile(r'(-?)"([^"]*)"?|(-?)(\S+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class SearchRequest:
    """A search as it was requested."""

    query: str = ""
    section: str = ""
    since: date | None = None
    until: date | None = None
    by_date: bool = False
    page: int = 1


@dataclass(frozen=True)
class ParsedQuery:
    """A query for Postgres.

    Attributes:
        folded: Must match, without diacritics.
        indexed: The single words, which an index finds; may be None.
        pairs: The pairs of words, which an index finds; may be None.
        is_indexed: Whether `indexed` and `pairs` are equivalent to `folded`. Not for longer phrases: the index has no
            positions.
        phrase: All words as one phrase.
        with_diacritics: The words that were typed with diacritics, as typed.
        words: All words, without diacritics.
    """

    folded: str
    indexed: str | None
    pairs: str | None
    is_indexed: bool
    phrase: str
    with_diacritics: str | None
    words: frozenset[str]


@dataclass(frozen=True)
class SearchResult:
    """One page of results. `count` stops at RANKED_MAX. `is_nearest`: nothing matches, but these are similar."""

    articles: Sequence[Article] = ()
    count: int = 0
    has_more: bool = False
    is_nearest: bool = False
    terms: ParsedQuery | None = None


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case, in their order."""
    lower = unicodedata.normalize("NFC", text).replace("İ", "i").lower()  # lower() makes two characters of it
    return [word[:WORD_CHARACTERS_MAX] for word in _WORD.findall(lower)]


def pairs(folded_words: Sequence[str]) -> list[str]:
    """Return each pair of neighbouring words, once, as "cho phien"."""
    return sorted({f"{first} {second}" for first, second in pairwise(folded_words)})


def parse(query: str) -> ParsedQuery | None:
    """Parse a query of words, "phrases" and excluded -words. None if it has no word to search for."""
    query = unicodedata.normalize("NFC", query.replace("“", '"').replace("”", '"'))[:QUERY_CHARACTERS_MAX]
    parts: list[str] = []
    alone: list[str] = []
    is_indexed = True
    plain_words: list[str] = []
    with_diacritics: list[str] = []
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
        with_diacritics += [word for word in found if fold_diacritics(word) != word]
    if not plain_words:
        return None
    return ParsedQuery(
        folded=" & ".join(parts),
        indexed=" & ".join(alone) or None,
        is_indexed=is_indexed,
        pairs=" & ".join(f"'{pair}'" for pair in together_words) or None,
        phrase=" <-> ".join(plain_words),
        with_diacritics=" & ".join(with_diacritics) or None,
        words=frozenset(plain_words),
    )


def highlight(text: str, terms: ParsedQuery | None) -> Markup:
    """Return a text with the query's words highlighted, escaped."""
    if terms is None:
        return escape(text)
    parts: list[Markup] = []
    done = 0
    folded, positions = fold_with_positions(text)
    for match in _WORD.finditer(folded):
        if match[0] in terms.words:
            begin, end = positions[match.start()], positions[match.end()]
            parts += [escape(text[done:begin]), Markup("<mark>%s</mark>") % text[begin:end]]
            done = end
    return Markup("").join([*parts, escape(text[done:])])


def excerpt(lines: Sequence[str], terms: ParsedQuery) -> str:
    """Return the part of a text with most of the words close together, cut between words."""
    text = " ".join(lines)
    folded, indexes = fold_with_positions(text)
    positions = [indexes[match.start()] for match in _WORD.finditer(folded) if match[0] in terms.words]
    if not positions:
        return text[:EXCERPT_CHARACTERS].rsplit(" ", 1)[0] + "…" if len(text) > EXCERPT_CHARACTERS else text
    reach = EXCERPT_CHARACTERS - 60
    best = max(enumerate(positions), key=lambda one: bisect_left(positions, one[1] + reach) - one[0])[1]
    begin = max(0, best - 60)
    if begin:
        begin = text.find(" ", begin) + 1
    end = begin + EXCERPT_CHARACTERS
    cut = text[begin:end] if end >= len(text) else text[begin:end].rsplit(" ", 1)[0] + "…"
    return ("…" if begin else "") + cut

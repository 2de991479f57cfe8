"""A visitor's search → the query for Postgres. Pure.

Search ignores diacritics ("dang bo" finds "Đảng bộ"); for words typed with diacritics, exact matches rank first.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import NamedTuple

from services.render.pages.search_words import (
    Word,
    abbreviation_marked,
    full_forms,
    has_diacritics,
    pairs,
    without_question,
    words,
)
from shared.articles import Article

QUERY_CHARACTERS_MAX = 200
WORDS_MAX = 16
PAGE_RESULTS = 10
RANKED_MAX = 200
"""So many of the newest matches are ranked by relevance; all others are found by date."""
SMALL_RESULT_MAX = 10_000
"""Up to so many matches are sorted by date; with more, a scan from the newest on finds them."""
PHRASE_RESULT_MAX = 50_000
"""The same where the index has no positions: of what it finds, a part has the phrase, of all articles a smaller one."""
CLOSE_MAX = 2_000
"""Up to so many articles that have the words as typed, next to each other or in the title are sorted by date, too."""
LOOSE_MAX = 2_000
"""When nothing matches, a pair of words helps to find the nearest if it is in at most so many articles."""
SIMILAR_MAX = 500
"""So many similar titles, and so many of the newest, are compared when nothing matches."""
SIMILARITY_THRESHOLDS = ("0.6", "0.4")
"""How similar a title must be to be offered when nothing matches. The lower one is tried last: it costs most."""
TITLE_PREFIX = "="
"""Of the lexeme that is the whole title."""

_TERM = re.compile(r'(-?)"([^"]*)"?|(-?)(\S+)')
_SPACED_NUMBER = re.compile(r"(?<!\d)\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)")
_QUOTES = str.maketrans("“”„«»", '"""""')


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
        excluded: Must not match, of the words as written; may be None.
        excluded_folded: Must not match, of the words without diacritics; is in `folded`, too; may be None.
        required: The words that must be there, without diacritics, in their order; a question has more.
        marked: The same as typed; None if none has diacritics.
        neighbours: Those that are next to each other in the query, as pairs.
        title: All words, as they would be the whole title.
    """

    folded: str
    indexed: str | None
    pairs: str | None
    is_indexed: bool
    excluded: str | None
    excluded_folded: str | None
    required: tuple[str, ...]
    marked: tuple[str, ...] | None
    neighbours: tuple[str, ...]
    title: str

    @property
    def loose_pairs(self) -> list[str]:
        """Its pairs of words, also of those that only question words separate."""
        return pairs(self.required)

    @property
    def is_phrase(self) -> bool:
        """Whether it is nothing but one phrase: then what matches `pairs` is what has its neighbours."""
        return self.indexed is None and self.pairs == every_word(self.neighbours)

    @property
    def words(self) -> frozenset[str]:
        """The words that must be there, without diacritics."""
        return frozenset(self.required)

    @property
    def marked_words(self) -> frozenset[str] | None:
        """The same as typed; None if none has diacritics."""
        return None if self.marked is None else frozenset(self.marked)


@dataclass(frozen=True)
class SearchResult:
    """One page of results. `count` stops at RANKED_MAX. `is_nearest`: nothing matches, but these are similar."""

    articles: Sequence[Article] = ()
    count: int = 0
    has_more: bool = False
    is_nearest: bool = False
    terms: ParsedQuery | None = None


class _Term(NamedTuple):
    """A word of the query, or several that were typed or quoted as one."""

    words: Sequence[Word]
    is_quoted: bool
    is_excluded: bool


class _Required(NamedTuple):
    """A word that must be there. Those of one `group` follow each other; `place`: which words of the query it is."""

    folded: str
    marked: str
    group: int
    place: tuple[int, int]


def parse(query: str) -> ParsedQuery | None:
    """Parse a query of words, "phrases" and excluded -words. None if it has no word to search for."""
    cut = unicodedata.normalize("NFC", query).translate(_QUOTES)[:QUERY_CHARACTERS_MAX]
    terms = [
        _Term(found, match[2] is not None, "-" in (match[1], match[3]))
        for match in _TERM.finditer(cut)
        if (found := words(match[2] if match[2] is not None else match[4]))
    ]
    positive = [term for term in terms if not term.is_excluded]
    every = [word for term in positive for word in term.words]
    if not every:
        return None
    required = list(_required(positive, ends_with_mark=cut.rstrip().endswith("?")))[:WORDS_MAX]
    phrases = [tuple(word.folded for word in group) for _, group in groupby(required, lambda word: word.group)]
    excluded = [term.words for term in terms if term.is_excluded]
    folded_out = [f"({phrase(word.folded for word in found)})" for found in excluded if not has_diacritics(found)]
    marked_out = [f"({phrase(word.marked for word in found)})" for found in excluded if has_diacritics(found)]
    together = [pair for one in phrases if len(one) > 1 for pair in pairs(one)]
    return ParsedQuery(
        folded=" & ".join([f"({phrase(one)})" for one in phrases] + [f"!{one}" for one in folded_out]),
        indexed=" & ".join(quoted(one[0]) for one in phrases if len(one) == 1) or None,
        pairs=" & ".join(map(quoted, together)) or None,
        is_indexed=not excluded and all(len(one) <= 2 for one in phrases),
        excluded=" | ".join(marked_out) or None,
        excluded_folded=" | ".join(folded_out) or None,
        required=tuple(word.folded for word in required),
        marked=tuple(word.marked for word in required) if has_diacritics(every) else None,
        neighbours=tuple(
            f"{first.folded} {second.folded}"
            for first, second in pairwise(required)
            if first.place[1] == second.place[0]
        ),
        title=" ".join(word.folded for word in every),
    )


def joined_numbers(query: str) -> str:
    """Return a query whose numbers of spaced groups are one word: "1 234 567" is 1234567."""
    return _SPACED_NUMBER.sub(lambda found: re.sub(r"\D", "", found[0]), query)


def _required(terms: Sequence[_Term], *, ends_with_mark: bool) -> Iterator[_Required]:
    """Yield the words that must be there; the full form of an abbreviation becomes one word, unless it is quoted."""
    place = group = 0
    for is_quoted, run in groupby(terms, lambda term: term.is_quoted):
        for found, groups in [([*term.words], [0] * len(term.words)) for term in run] if is_quoted else [_joined(run)]:
            kept = set(range(len(found)) if is_quoted else without_question(found, ends_with_mark=ends_with_mark))
            forms = {} if is_quoted else {form[0]: form for form in full_forms([word.folded for word in found])}
            index = 0
            while index < len(found):
                begin, end, short = forms.get(index, (index, index + 1, ""))
                if not kept.isdisjoint(range(begin, end)):
                    names = (short, abbreviation_marked(short)) if short else found[index][:2]
                    yield _Required(*names, group + groups[index], (place + begin, place + end))
                index = end
            place, group = place + len(found), group + max(groups) + 1


def _joined(terms: Iterator[_Term]) -> tuple[list[Word], list[int]]:
    """Return the words of several terms, each with the number of its term."""
    numbered = [(word, number) for number, term in enumerate(terms) for word in term.words]
    return [word for word, _ in numbered], [number for _, number in numbered]


def quoted(lexeme: str) -> str:
    """Return a lexeme as a tsquery has it. Words have no quotation mark and no backslash."""
    return f"'{lexeme}'"


def phrase(lexemes: Iterator[str] | Sequence[str], label: str = "") -> str:
    """Return the tsquery of words that follow each other, of the weights in `label`."""
    return " <-> ".join(quoted(one) + label for one in lexemes)


def every_word(lexemes: Sequence[str], label: str = "") -> str:
    """Return the tsquery of words that are all there, of the weights in `label`."""
    return " & ".join(quoted(one) + label for one in lexemes)

"""An article → the words by which a search finds and ranks it. Pure.

A change raises PROJECTION_VERSION in projections.py: builders then rebuild all rows at their next start.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.render.pages.article_text import other_lines, prose_lines
from services.render.pages.search_query import TITLE_PREFIX
from services.render.pages.search_words import abbreviation_marked, full_forms, pairs, words
from shared.articles import Article

POSITION_MAX = 16_383
POSITIONS_MAX = 255
"""Postgres's limits: of a position, and of the positions of one lexeme."""
Weight = Literal["A", "B", "C", ""]
"""A: title; B: kicker, subtitle and lead; C: tags; "": everything else."""


@dataclass(frozen=True)
class SearchTerms:
    """The words of an article. Vectors are as Postgres reads them.

    Attributes:
        title: The words of the title without diacritics, joined by spaces.
        title_words: The same as a vector.
        words: All words without diacritics.
        marked_words: The same as written.
        terms: What else an index finds: pairs of neighbours without diacritics, words as written, the whole title.
    """

    title: str
    title_words: str
    words: str
    marked_words: str
    terms: list[str]


@dataclass
class _Words:
    """Collects the words of one line after the other."""

    folded: dict[str, list[str]] = field(default_factory=dict)
    marked: dict[str, list[str]] = field(default_factory=dict)
    terms: set[str] = field(default_factory=set)
    position: int = 0

    def add(self, line: str, weight: Weight) -> list[str]:
        """Add a line, and return its words without diacritics. The next line's words do not follow it."""
        if not line:
            return []
        found = words(line)
        folded = [word.folded for word in found]
        for offset, word in enumerate(found, 1):
            self._put(word.folded, word.marked, self.position + offset, weight)
        self.terms.update(pairs(folded))
        for begin, end, short in full_forms(folded):
            for place in (begin + 1, end):  # before it and after it, other words follow it
                self._put(short, abbreviation_marked(short), self.position + place, weight)
            self.terms.update(pairs([*folded[max(0, begin - 1) : begin], short, *folded[end : end + 1]]))
        self.position += len(found) + 1
        return folded

    def _put(self, folded: str, marked: str, position: int, weight: Weight) -> None:
        place = f"{min(position, POSITION_MAX)}{weight}"
        self.folded.setdefault(folded, []).append(place)
        self.marked.setdefault(marked, []).append(place)
        self.terms.add(marked)


def search_terms(article: Article) -> SearchTerms:
    """Return the words that a search looks for."""
    every = _Words()
    title = every.add(article.title, "A")
    given: Sequence[tuple[Weight, Iterable[str]]] = (
        ("B", (article.kicker, article.subtitle, article.lead)),
        ("C", article.tags),
        ("", prose_lines(article)[bool(article.subtitle) + bool(article.lead) :]),
        ("", other_lines(article)),
    )
    title_words = _vector(every.folded)
    for weight, lines in given:
        for line in lines:
            every.add(line, weight)
    return SearchTerms(
        title=" ".join(title),
        title_words=title_words,
        words=_vector(every.folded),
        marked_words=_vector(every.marked),
        terms=sorted({*every.terms, TITLE_PREFIX + " ".join(title)}),
    )


def _vector(places: dict[str, list[str]]) -> str:
    """Return a tsvector. Words have no quotation mark and no backslash."""
    return " ".join(f"'{word}':{','.join(found[:POSITIONS_MAX])}" for word, found in places.items())

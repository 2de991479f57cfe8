"""Articles → the files of the search of a static export, which `theme/search.js` loads. Pure.

A search loads the manifest, a table of all articles, the files of its words and pairs of words, and the texts of the
articles that it shows. Names contain a checksum, so that a page never mixes the files of two exports.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count, pairwise
from typing import Any

import msgspec

from services.render.pages.article_text import prose_lines
from services.render.pages.document import Document
from services.render.pages.paths import tag_path
from services.render.pages.search_query import TITLE_PREFIX
from services.render.pages.search_words import (
    ABBREVIATIONS,
    FULL_FORMS,
    FUNCTION_WORDS,
    QUESTION_WORDS,
    QUESTIONS,
    words,
)
from shared.articles import Article, article_path
from shared.slugs import name_slug

FOLDER = "/search-index/"
MANIFEST = f"{FOLDER}index.json"
JSON = "application/json"
VERSION = 1
FILE_BYTES = 24_000
"""About the size of a file of words, before it is compressed."""
ARTICLES_PER_FILE = 40
TEXT_CHARACTERS = 260
TITLE, LEAD, TAG, BODY = 3, 2, 1, 0
"""Weights of places."""


@dataclass(frozen=True)
class IndexedWords:
    """The words of an article, as its row in the database has them.

    Attributes:
        title: The words of the title without diacritics, joined by spaces.
        places: Words as written in title, lead and tags: the weight of each place with its words.
        marked: All words as written.
        terms: Pairs of words, among others.
    """

    title: str
    places: Sequence[tuple[int, Sequence[str]]]
    marked: Sequence[str]
    terms: Sequence[str]


class _Postings:
    """In which articles each term is, and with which weight: columns, because there are hundreds for each article."""

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        self._is_wanted = is_wanted
        self._numbers = defaultdict[str, int](count().__next__)
        """The number of each term, by its first appearance: there are hundreds of thousands."""
        self._terms, self._counts, self._values = array("I"), array("I"), array("I")

    def add(self, terms: Collection[str], article: int, weight: int) -> None:
        """Add terms of an article. Of several weights of a term the highest counts."""
        self._terms.extend(map(self._numbers.__getitem__, terms))
        self._counts.append(len(terms))
        self._values.append(article << 2 | weight)

    def steps(self) -> dict[str, list[int]]:
        """Return, by term, each article as the difference from the one before, with its weight in the last two bits."""
        import numpy as np  # late: takes as long as 150 pages, and an export of pages alone needs none of it

        values = np.repeat(np.frombuffer(self._values, np.uint32), np.frombuffer(self._counts, np.uint32))
        keys = np.frombuffer(self._terms, np.uint32).astype(np.int64) << 32 | values
        names = list(self._numbers)
        keys = keys[np.fromiter(map(self._is_wanted, names), bool, len(names))[keys >> 32]]
        keys.sort()
        keys = keys[np.diff(keys >> 2, append=-1) != 0]  # the highest weight of each article
        terms, values = keys >> 32, keys & 0xFFFF_FFFF
        begins = np.flatnonzero(np.diff(terms, prepend=-1))
        steps = np.diff(values & ~3, prepend=0) | values & 3
        steps[begins] = values[begins]
        numbers, all_steps = terms[begins].tolist(), steps.tolist()
        ends = [*begins[1:].tolist(), len(all_steps)]
        return {
            names[number]: all_steps[begin:end]
            for number, begin, end in zip(numbers, begins.tolist(), ends, strict=True)
        }


def _is_pair(term: str) -> bool:
    return " " in term and not term.startswith(TITLE_PREFIX)


class SearchFiles:
    """Collects articles, the oldest first; `language`: that of the page which shows them."""

    def __init__(self, sections: Sequence[str], language: str) -> None:
        self._sections, self._language = list(sections), language
        self._words, self._pairs = _Postings(bool), _Postings(_is_pair)
        """Words as written, and pairs of words, which have no other form."""
        self._texts: list[list[Any]] = []
        self._table: dict[str, list[int]] = {"days": [], "sections": [], "lengths": []}

    def add(self, article: Article, found: IndexedWords, day: int, date: tuple[str, str]) -> None:
        """Add an article; `day`: days since 1970 in the site's zone; `date`: as it is shown, and as ISO 8601."""
        number, title = len(self._texts), found.title.split()
        self._words.add(found.marked, number, BODY)
        for weight, there in found.places:
            self._words.add(there, number, weight)
        self._pairs.add(found.terms, number, BODY)
        self._pairs.add(set(map(" ".join, pairwise(title))).intersection(found.terms), number, TITLE)
        known = self._sections
        self._table["days"].append(day)
        self._table["sections"].append(known.index(article.section) if article.section in known else -1)
        self._table["lengths"].append(len(title))
        text = " ".join(prose_lines(article))
        cut = text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS].rsplit(" ", 1)[0] + "…"
        tags = [[tag, tag_path(tag)] for tag in article.tags if name_slug(tag)]
        language = "" if article.language == self._language else article.language
        self._texts.append([article_path(article), article.title, article.kicker, cut, *date, tags, language])

    def documents(self) -> Iterator[tuple[str, Document]]:
        """Yield the files, the manifest last."""
        manifest: dict[str, Any] = {
            "version": VERSION,
            "articles_per_file": ARTICLES_PER_FILE,
            "sections": self._sections,
            "rules": {
                "abbreviations": ABBREVIATIONS,
                "questions": QUESTIONS,
                "function_words": FUNCTION_WORDS,
                "question_words": QUESTION_WORDS,
            },
            "texts": [],
            "words": [],
        }
        words, pairs = self._words.steps(), self._pairs.steps()
        postings = sum(map(len, words.values())) + sum(map(len, pairs.values()))
        forms = _forms(words)
        known = sorted(word for word in forms if word.isalpha() and 1 < len(word) < 20)
        forms |= pairs
        begins = range(0, len(self._texts), ARTICLES_PER_FILE)
        parts: list[tuple[str, Any]] = [("table", self._table), ("vocabulary", " ".join(known))]
        parts += [("texts", self._texts[begin : begin + ARTICLES_PER_FILE]) for begin in begins]
        parts += [("words", file) for file in _word_files(forms, postings)]
        for kind, content in parts:
            document = Document(msgspec.json.encode(content), JSON)
            if isinstance(manifest.get(kind), list):
                manifest[kind].append(document.checksum)
            else:
                manifest[kind] = document.checksum
            yield f"{FOLDER}{document.checksum}.json", document
        yield MANIFEST, Document(msgspec.json.encode(manifest), JSON)


def _forms(steps: Mapping[str, list[int]]) -> dict[str, dict[str, list[int]] | list[int]]:
    """Return the steps of words as written, by the word without diacritics; of words with one form their steps."""
    forms: defaultdict[str, list[str]] = defaultdict(list)
    for written in steps:
        forms[_folded(written)].append(written)
    found: dict[str, dict[str, list[int]] | list[int]] = {}
    for folded, all_written in forms.items():
        found[folded] = steps[folded] if all_written == [folded] else {one: steps[one] for one in sorted(all_written)}
    return found


def _word_files(forms: Mapping[str, dict[str, list[int]] | list[int]], postings: int) -> list[dict[str, Any]]:
    """Return the words in files of about the same size, by the checksum that the browser computes, too."""
    count = max(1, (postings * 3 + len(forms) * 14) // FILE_BYTES)
    files: list[dict[str, Any]] = [{} for _ in range(count)]
    for word in sorted(forms):
        files[fnv1a(word) % count][word] = forms[word]
    return files


@cache
def _folded(written: str) -> str:
    return written if written in FULL_FORMS else words(written)[0].folded


def fnv1a(text: str) -> int:
    """Return the FNV-1a checksum of a text, of 32 bits."""
    first, space, second = text.partition(" ")  # many pairs begin with the same word
    return _continued(_begun(first + space), second) if space else _begun(first)


@lru_cache(maxsize=100_000)
def _begun(text: str) -> int:
    return _continued(0x811C9DC5, text)


def _continued(value: int, text: str) -> int:
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def indexed_words(row: Mapping[str, Any]) -> IndexedWords:
    """Return the words of a row of `search_rows`."""
    places = ((TITLE, row["in_title"]), (LEAD, row["in_lead"]), (TAG, row["in_tags"]))
    return IndexedWords(row["title"], places, row["marked"], row["terms"])

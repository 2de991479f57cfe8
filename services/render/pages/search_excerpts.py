"""Which part of an article a result shows, and its highlighted words. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from services.render.pages.search_query import ParsedQuery
from services.render.pages.search_words import folded_words, full_forms, marked

EXCERPT_CHARACTERS = 260
BEFORE_CHARACTERS = 60
"""So much of an excerpt is before the first of its words."""
SEPARATOR = " · "
"""After a line that is no sentence."""
_ENDS = (".", "!", "?", "…", ":", ";", ",", "”", '"', "»", ")")


def highlight(text: str, terms: ParsedQuery | None) -> Markup:
    """Return a text with the query's words highlighted, escaped.

    Words of a query with diacritics are highlighted where they are written so; those of a query without, everywhere.
    """
    if terms is None:
        return escape(text)
    parts: list[Markup] = []
    done = 0
    for begin, end, _ in _hits(text, terms, is_exact=terms.marked is not None):
        parts += [escape(text[done:begin]), Markup("<mark>%s</mark>") % text[begin:end]]
        done = end
    return Markup("").join([*parts, escape(text[done:])])


def _hits(text: str, terms: ParsedQuery, *, is_exact: bool) -> Iterator[tuple[int, int, str]]:
    """Yield where words of a query are in a text, each with the word; those of a full form with its abbreviation."""
    found = list(folded_words(text))
    of_forms = {
        index: short
        for begin, end, short in full_forms([word for word, _, _ in found])
        if short in terms.words
        for index in range(begin, end)
    }
    exact = terms.marked_words if is_exact else None
    for index, (word, begin, end) in enumerate(found):
        if index in of_forms:
            yield begin, end, of_forms[index]
        elif word in terms.words and (exact is None or marked(word, text[begin:end]) in exact):
            yield begin, end, word


def matching_tags(tags: Sequence[str], terms: ParsedQuery | None) -> list[str]:
    """Return the tags that are a reason why an article was found: with two words of the query, or its only one."""
    if terms is None:
        return []
    enough = min(2, len(terms.words))
    return [tag for tag in tags if len({word for _, _, word in _hits(tag, terms, is_exact=True)}) >= enough]


def excerpt(prose: Sequence[str], others: Sequence[str], terms: ParsedQuery) -> str:
    """Return the part of a text with most of the words close together, cut between words.

    Args:
        prose: The lines that are read one after the other.
        others: Captions, names and the like: shown if the words are in none of the first.
        terms: The query.
    """
    text, more = _joined(prose), SEPARATOR.join(others)
    for is_exact in (True, False) if terms.marked is not None else (False,):
        for one in (text, more):
            if hits := list(_hits(one, terms, is_exact=is_exact)):
                return _window(one, hits)
    return _window(text, [(0, 0, "")])


def _joined(lines: Sequence[str]) -> str:
    parts = [line if line.rstrip().endswith(_ENDS) else line + SEPARATOR.rstrip() for line in lines[:-1]]
    return " ".join([*parts, *lines[-1:]])


def _window(text: str, hits: Sequence[tuple[int, int, str]]) -> str:
    """Return the part of a text with most of the different words, and of these parts the one with most words."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    begins = [begin for begin, _, _ in hits]
    reach = EXCERPT_CHARACTERS - BEFORE_CHARACTERS
    counts: Counter[str] = Counter()
    best, place, last = (0, 0), 0, 0
    for first, (begin, _, word) in enumerate(hits):
        end = bisect_left(begins, begin + reach)
        counts.update(one for _, _, one in hits[last:end])
        last = max(last, end)
        found = (sum(count > 0 for count in counts.values()), last - first)
        if found > best:
            best, place = found, begin
        counts[word] -= 1
    begin = max(0, place - BEFORE_CHARACTERS)
    if begin:
        begin = text.find(" ", begin) + 1
    end = begin + EXCERPT_CHARACTERS
    cut = text[begin:end] if end >= len(text) else text[begin:end].rsplit(" ", 1)[0] + "…"
    return ("…" if begin else "") + cut

"""The search of article lists: a text with words and quoted phrases → a tsquery of words without diacritics. Pure."""

import re

from shared.text import fold_diacritics

WORD_CHARACTERS_MAX = 60
"""As the function ingest.article_words cuts the words that it indexes."""
SEARCH_RULES = (
    ", with or without diacritics; the last one may be the beginning of a word; words between quotation marks follow "
    'each other: `"chợ phiên" hải`'
)
"""How a search is written, for the documentation of the API."""
_PHRASE = re.compile(r'[“”„«»"]')
_WORD = re.compile(r"[^\W_]+")


def search_query(text: str) -> str:
    """Return the tsquery of a search.

    All words and phrases must be found. Words between quotation marks follow each other; the last word of the text may
    be the beginning of a word, unless a blank or a quotation mark follows it.

    Returns:
        The empty text, which finds nothing, if the search has no word.
    """
    terms = []
    parts = _PHRASE.split(text)
    is_balanced = len(parts) % 2 == 1
    for index, part in enumerate(parts):
        words = [f"'{word[:WORD_CHARACTERS_MAX]}'" for word in _WORD.findall(fold_diacritics(part))]
        if not words:
            continue
        if index % 2 and (is_balanced or index < len(parts) - 1):
            terms.append(f"({' <-> '.join(words)})")
            continue
        is_last = index == len(parts) - 1
        words[-1] += ":*" if is_last and _WORD.match(part[-1]) else ""
        terms += words
    return " & ".join(terms)

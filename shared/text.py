"""Plain text of articles, and text without diacritics: one rule for ingest and render. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from html import unescape

from shared.articles import Block, BulletList, Heading, Item, Paragraph, Quote, Table

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"<br\s*/?>")


def inline_text(html: str) -> str:
    """Return the text of sanitised inline HTML, in which < and > are tags and nothing else. A line break is a space."""
    return unescape(_TAG.sub("", _BREAK.sub(" ", html)))


def inline_html_parts(block: Block) -> Iterator[str]:
    """Yield each piece of inline HTML in a block, in reading order."""
    match block:
        case Paragraph() | Heading():
            yield block.html
        case Quote():
            yield from block.paragraphs
        case BulletList():
            yield from _item_parts(block.items)
        case Table():
            yield from (cell.html for row in block.rows for cell in row)


def _item_parts(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        yield item.html
        yield from _item_parts(item.items)


def fold_diacritics(text: str) -> str:
    """Return a text in lower case and without diacritics: "Đổi mới" becomes "doi moi", "Straße" becomes "strasse".

    Two spellings that differ in case, in diacritics or in Unicode's normal form fold to the same text. It may be longer
    or shorter than the original: `fold_with_positions` relates the two.
    """
    return text.translate(_FOLDING)


def fold_with_positions(text: str) -> tuple[str, Sequence[int]]:
    """Return the folded text, and for each of its characters, and for its end, the index in the original.

    A slice `[begin:end]` of the folded text is `[positions[begin]:positions[end]]` of the original, including the
    combining marks after its last letter.
    """
    folded = fold_diacritics(text)
    if all(len(_FOLDING[ord(character)]) == 1 for character in set(text)):
        return folded, range(len(text) + 1)
    positions = [index for index, character in enumerate(text) for _ in _FOLDING[ord(character)]]
    return folded, [*positions, len(text)]


class _Folding(dict[int, str]):
    """Folds each character when it is first met. A character's folding does not depend on its neighbours."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if unicodedata.category(character).startswith("M"):  # vowel signs of Thai, Hindi and others stay
            folded = "" if unicodedata.combining(character) else character
        else:
            letters = unicodedata.normalize("NFD", character.casefold())
            folded = "".join(letter for letter in letters if not unicodedata.category(letter).startswith("M"))
        self[code] = folded = _WITHOUT_DECOMPOSITION.get(folded, folded)
        return folded


_WITHOUT_DECOMPOSITION = {"đ": "d", "ı": "i"}
"""Letters with a diacritic that Unicode does not decompose."""
_FOLDING = _Folding()

"""The words of a text, as the index, the query and the highlights compare them."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.render.pages.search_words import ABBREVIATIONS, FULL_FORMS, words

CASES = json.loads((Path(__file__).parents[2] / "data/search_words.json").read_text(encoding="utf-8"))
"""The same for the search of a static export: tests/render/export/test_search_script.py."""


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_words_of_text_have_one_spelling(text: str, expected: list[list[str]]) -> None:
    """Case, Unicode's form, the place of the tone, i for y and separators of numbers make no difference."""
    assert [[word.folded, word.marked] for word in words(text)] == expected


@given(st.text(max_size=60))
def test_words_of_any_text_are_where_they_say(text: str) -> None:
    """Words are found again where they are, in order and without overlap, and have letters and digits alone."""
    found = words(text)
    assert all(one.end <= other.begin for one, other in pairwise(found))
    for word in found:
        assert word.folded.isalnum()
        assert words(text[word.begin : word.end])[0].folded == word.folded


def test_words_of_every_character_are_letters_and_digits() -> None:
    """What a search takes for a word has no other characters, so that Postgres gets none."""
    for code in range(0x30000):
        for word in words(chr(code)):
            assert word.folded.isalnum(), hex(code)
            assert not set(word.marked) & set("'\\:& "), hex(code)


def test_full_forms_of_abbreviations_are_distinct() -> None:
    """Each abbreviation has two words at least, and none has those of another."""
    assert len(FULL_FORMS) == len(set(FULL_FORMS.values())) == len(ABBREVIATIONS)
    assert all(len(form) > 1 for form in FULL_FORMS.values())

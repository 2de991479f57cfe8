"""Slugs of tags and people in URLs."""

import unicodedata

import pytest
from slugify import slugify

from shared.slugs import SLUG_CHARACTERS_MAX, name_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Chợ phiên", "cho-phien"),
        ("Đồng Bằng", "dong-bang"),
        ("C & D", "c-d"),
        ("C", "c"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("#C", "c"),
        ("1+1", "1-1"),
        ("!!!", ""),
        ("x" * 80, "x" * 60),
    ],
)
def test_name_slug_is_ascii_or_empty(name: str, slug: str) -> None:
    """A name's slug has letters and digits only, at most 60; without any it is empty."""
    assert name_slug(name) == slug


def test_name_slug_of_latin_letters_is_that_of_slugify() -> None:
    """The short way for plain names gives the same slug for each letter and mark: slugs are the identity of tags."""
    letters = [chr(code) for code in (*range(0x20, 0x370), *range(0x1E00, 0x2100))]
    for letter in (one for one in letters if one not in "+#"):
        for name in (
            f"a{letter}b",
            letter,
            f"1{letter}2",
            f"Lê {letter} Hà",
            unicodedata.normalize("NFD", f"{letter}o"),
        ):
            assert name_slug(name) == slugify(name, max_length=SLUG_CHARACTERS_MAX), ascii(name)
    for name in ("x " * 29 + "yy", "x " * 29 + "yyy", " - Trần  (Nam). ", "Q.1", "1,000", "A/B", "&amp;"):
        assert name_slug(name) == slugify(name, max_length=SLUG_CHARACTERS_MAX), name

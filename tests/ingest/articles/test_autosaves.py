"""Unsaved texts as bytes: what is typed comes back as it was; the routes are in test_autosave_routes."""

import json
from typing import Any

import pytest

from services.ingest.articles.autosaves import FIELDS_BYTES_MAX, TITLE_CHARACTERS_MAX, Slot, encode_fields, shown_title
from services.ingest.content.errors import InvalidContentError
from shared.http.problems import Problem


@pytest.mark.parametrize("value", ["Ngoằn ngoèo", "\0", "\ud83d", "a\u0301", [None, 10**30], {"x": {"y": []}}])
def test_encoded_fields_are_the_same_after_decoding(value: Any) -> None:
    """NUL, halves of characters, forms of Unicode and large numbers are kept, as UTF-8."""
    assert json.loads(encode_fields({"body": value}).decode()) == {"body": value}


def test_encoded_fields_are_bounded() -> None:
    """The limit is of bytes; a number that JSON does not have is invalid."""
    with pytest.raises(Problem, match="at most"):
        encode_fields({"body": "ệ" * (FIELDS_BYTES_MAX // 3 + 1)})
    with pytest.raises(InvalidContentError):
        encode_fields({"body": float("inf")})


def test_shown_title_is_a_short_text_for_postgres() -> None:
    """Whatever was typed as a title, a list can show it."""
    assert shown_title({"title": "a\0b\ud83d"}) == "ab?"
    assert shown_title({"title": ["x"]}) == shown_title({}) == ""
    assert len(shown_title({"title": "x" * 999})) == TITLE_CHARACTERS_MAX


def test_slot_of_an_article_is_none_of_a_new_one() -> None:
    """An article whose ID is a client's key has a slot of its own."""
    assert Slot("a", None, "haihau", article="x").name != Slot("a", None, "haihau", key="x").name

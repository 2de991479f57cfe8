"""Errors of pydantic as errors of fields: each of its types is a code with messages."""

from typing import Any, get_args

import pytest
from pydantic_core.core_schema import ErrorType

from services.ingest.content.field_messages import MESSAGES, field_message
from services.ingest.content.pydantic_errors import CODES, field_error_of, field_path

TYPES: tuple[str, ...] = get_args(ErrorType)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_pydantic_is_a_code_with_messages(kind: str) -> None:
    """Whatever pydantic finds becomes a code, whose sentence exists in both languages."""
    context = {"le": 1, "ge": 1, "lt": 1, "gt": 1, "pattern": "x", "expected": "'a' or 'b'", "expected_tags": "'a'"}
    item = {"type": kind, "loc": ("body", "title"), "msg": "Value error, is odd", "input": 1, "ctx": context}
    found = field_error_of(item)
    assert found.field == "title"
    values = {"limit": found.limit or 0, "size": found.size or 0, **found.values}
    assert field_message(found.code, values, vietnamese=True) != found.message


def test_codes_are_none_of_the_types() -> None:
    """Each mapped type exists, each code has messages, and no type of a validator here is one of pydantic."""
    assert set(CODES) <= set(TYPES)
    assert set(CODES.values()) <= set(MESSAGES)
    assert set(TYPES) & set(MESSAGES) == set()


@pytest.mark.parametrize(
    ("item", "code", "message"),
    [
        ({"type": "literal_error", "ctx": {"expected": "'a', 'b' or 'c'"}}, "not_one_of", "must be one of a, b, c"),
        ({"type": "greater_than_equal", "ctx": {"ge": 0.5}}, "too_small_number", "must be at least 0.5"),
        ({"type": "too_long", "ctx": {"max_length": 2}, "input": [1] * 3}, "too_many_entries", None),
        ({"type": "too_short", "ctx": {"min_length": 2}, "input": "a"}, "too_few_characters", None),
        ({"type": "value_error", "msg": "Value error, is odd"}, "invalid_value", "is not valid: is odd"),
        ({"type": "not_a_link", "ctx": {"message": "x"}}, "not_a_link", MESSAGES["not_a_link"][0]),
    ],
)
def test_error_has_code_and_message(item: dict[str, Any], code: str, message: str | None) -> None:
    """The message has the values of the context; without a place it is the whole body."""
    found = field_error_of({"msg": "m", "loc": ("body",), "input": None, **item})
    assert (found.field, found.code) == ("body", code)
    assert message is None or found.message == message


def test_field_path_has_no_tags_of_unions() -> None:
    """The path is that of the request; a field that is called like a tag stays."""
    assert field_path(("body", "body", "blocks", 3, "list", "items", 0)) == "body.3.items.0"
    assert field_path(("query", "limit")) == "query.limit"
    assert field_path(("body", "file")) == "file"

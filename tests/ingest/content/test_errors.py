"""Errors in the content of an article, by field."""

import json

import msgspec

from services.ingest.content.errors import FieldError, InvalidContentError


def test_invalid_content_error_message_lists_all_fields() -> None:
    """The message names each field with its error, in order, for commands and logs."""
    found = InvalidContentError([FieldError("title", "is empty"), FieldError("body", "is too long", 500, 501)])
    assert str(found) == "title: is empty; body: is too long"
    assert [error.field for error in found.errors] == ["title", "body"]


def test_field_error_on_the_wire_is_named_fault_and_omits_unknown_sizes() -> None:
    """The wire format has `fault`, and limit and size only where they help."""
    encoded = [json.loads(msgspec.json.encode(one)) for one in (FieldError("a", "x"), FieldError("a", "x", 1, 2))]
    assert encoded == [{"field": "a", "fault": "x"}, {"field": "a", "fault": "x", "limit": 1, "size": 2}]

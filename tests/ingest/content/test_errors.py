"""Errors in the content of an article, by field."""

import json

import msgspec

from services.ingest.content.errors import InvalidContentError, field_error, invalid


def test_invalid_content_error_message_lists_all_fields() -> None:
    """The message names each field with its error, in order, for commands and logs."""
    found = InvalidContentError(
        [field_error("title", "required"), field_error("body", "too_many_blocks", limit=500, size=501)]
    )
    assert str(found) == "title: is required; body: must have at most 500 blocks (got 501)"
    assert [error.field for error in found.errors] == ["title", "body"]
    assert str(invalid("title", "required")) == "title: is required"


def test_field_error_on_the_wire_is_named_fault_and_omits_what_it_has_not() -> None:
    """The wire format has `fault` and `code`; limit, size and other values only where the message names them."""
    errors = (
        field_error("a", "required"),
        field_error("a", "too_many_blocks", limit=1, size=2),
        field_error("a", "unknown_site", site="'x'"),
        field_error("a", "too_small_number", limit="0.5"),
    )
    assert [json.loads(msgspec.json.encode(one)) for one in errors] == [
        {"field": "a", "fault": "is required", "code": "required"},
        {
            "field": "a",
            "fault": "must have at most 1 blocks (got 2)",
            "code": "too_many_blocks",
            "limit": 1,
            "size": 2,
        },
        {"field": "a", "fault": "unknown site 'x'", "code": "unknown_site", "values": {"site": "'x'"}},
        {"field": "a", "fault": "must be at least 0.5", "code": "too_small_number", "values": {"limit": "0.5"}},
    ]

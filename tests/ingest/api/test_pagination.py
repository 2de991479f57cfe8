"""Cursors of lists."""

import base64

import pytest

from services.ingest.api.pagination import NUMBER_MAX, decode_cursor, encode_cursor
from services.ingest.content.errors import InvalidContentError


@pytest.mark.parametrize("number", [0, 1, 99, 12_345, 2**53, NUMBER_MAX])
def test_decode_cursor_of_encoded_number_returns_it(number: int) -> None:
    """A cursor is the number of the last row of its page."""
    cursor = encode_cursor([object()], 1, number)
    assert cursor is not None
    assert decode_cursor(cursor) == number
    assert cursor.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""


def test_decode_cursor_without_cursor_starts_before_all_numbers() -> None:
    """The first page starts below a number that no row has."""
    assert decode_cursor(None) == NUMBER_MAX


def test_encode_cursor_of_last_page_is_none() -> None:
    """A page that is not full is the last one."""
    assert encode_cursor([1, 2], 3, 7) is None
    assert encode_cursor([], 1, 0) is None
    assert encode_cursor([1, 2, 3], 3, 7) is not None


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "YmVmb3Jl", "é", base64.urlsafe_b64encode(b"before:-1").decode()])
def test_decode_cursor_invalid_is_rejected(cursor: str) -> None:
    """Anything that is not a cursor of this API is an error of the field `cursor`."""
    with pytest.raises(InvalidContentError) as raised:
        decode_cursor(cursor)
    assert [(error.field, error.message) for error in raised.value.errors] == [("cursor", "is not a valid cursor")]


def test_decode_cursor_beyond_bigint_is_rejected() -> None:
    """A number that Postgres could not compare is rejected."""
    with pytest.raises(InvalidContentError):
        decode_cursor(base64.urlsafe_b64encode(f"before:{2**63}".encode()).decode())

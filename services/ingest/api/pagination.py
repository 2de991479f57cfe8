"""Cursor pagination of lists: by descending number, or by another sort key and then the number."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query

from services.ingest.content.errors import InvalidContentError, invalid

PAGE_ITEMS_MAX = 100
NUMBER_MAX = 2**63 - 1

CURSOR_CHARACTERS_MAX = 800
"""A cursor has the sort key of the last row, which may be the beginning of a title."""

Cursor = Annotated[str | None, Query(max_length=CURSOR_CHARACTERS_MAX, description="`next` of the previous page")]
Limit = Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX)]
Filter = Annotated[str | None, Query(max_length=255)]


def decode_cursor(cursor: str | None) -> int:
    """Return the number below which the page starts.

    Raises:
        InvalidContentError: the cursor is invalid.
    """
    if cursor is None:
        return NUMBER_MAX
    try:
        number = int(_decode(cursor).decode("ascii").removeprefix("before:"))
    except (ValueError, binascii.Error) as error:
        raise _invalid_cursor() from error
    if not 0 <= number <= NUMBER_MAX:
        raise _invalid_cursor()
    return number


def encode_cursor(rows: list[Any], limit: int, last: int) -> str | None:
    """Return the cursor of the page after the row numbered `last`, or None if this page is not full."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(f"before:{last}".encode()).decode().rstrip("=")


SortKey = int | str | datetime
"""The value by which a list is sorted: a number, a text, or a time."""


def decode_sorted_cursor(
    cursor: str | None, order: str, key_type: type[int] | type[str] | type[datetime]
) -> tuple[SortKey, int] | None:
    """Return the sort key and the number of the row after which a page starts; None: it is the first page.

    Args:
        cursor: As `encode_sorted_cursor` made it.
        order: The sort and its direction, for which the cursor must have been made.
        key_type: The type of the sort key.

    Raises:
        InvalidContentError: the cursor is invalid, or is one of a list in another order.
    """
    if cursor is None:
        return None
    try:
        made_for, key, number = msgspec.json.decode(_decode(cursor), type=tuple[str, int | str, int])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _invalid_cursor() from error
    if made_for != order:
        raise invalid("cursor", "cursor_of_another_order")
    if not 0 <= number <= NUMBER_MAX:
        raise _invalid_cursor()
    if key_type is datetime:
        return _time(key), number
    if not isinstance(key, key_type) or (isinstance(key, int) and not 0 <= key <= NUMBER_MAX):
        raise _invalid_cursor()
    if isinstance(key, str) and "\0" in key:
        raise _invalid_cursor()
    return key, number


def _time(key: int | str) -> datetime:
    try:
        time = datetime.fromisoformat(str(key))
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _invalid_cursor() from error


def encode_sorted_cursor(rows: list[Any], limit: int, order: str, key: SortKey | None, number: int) -> str | None:
    """Return the cursor of the page after the row with this key and number, or None if this page is not full."""
    if len(rows) < limit:
        return None
    sent = key.isoformat() if isinstance(key, datetime) else key
    return base64.urlsafe_b64encode(msgspec.json.encode((order, sent, number))).decode().rstrip("=")


def _decode(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))


def _invalid_cursor() -> InvalidContentError:
    return invalid("cursor", "invalid_cursor")

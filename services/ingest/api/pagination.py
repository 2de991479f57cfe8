"""Cursor pagination of lists, by descending number."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import Query

from services.ingest.content.errors import FieldError, InvalidContentError

PAGE_ITEMS_MAX = 100
NUMBER_MAX = 2**63 - 1

Cursor = Annotated[str | None, Query(max_length=40, description="`next` of the previous page")]
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
        number = int(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").removeprefix("before:")
        )
    except (ValueError, binascii.Error) as error:
        raise InvalidContentError([FieldError("cursor", "is not a valid cursor")]) from error
    if not 0 <= number <= NUMBER_MAX:
        raise InvalidContentError([FieldError("cursor", "is not a valid cursor")])
    return number


def encode_cursor(rows: list[Any], limit: int, last: int) -> str | None:
    """Return the cursor of the page after the row numbered `last`, or None if this page is not full."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(f"before:{last}".encode()).decode().rstrip("=")

"""Pages of a list: where one begins, and where the next."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import Query

from services.ingest.content.errors import ContentError, Fault

PAGE_MAX = 100
FIRST = 2**63 - 1

Cursor = Annotated[str | None, Query(max_length=40, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Filter = Annotated[str | None, Query(max_length=255)]


def start_of(cursor: str | None) -> int:
    """Return the number below which a page begins.

    Raises:
        ContentError: the cursor is none of ours.
    """
    if cursor is None:
        return FIRST
    try:
        number = int(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").removeprefix("before:")
        )
    except (ValueError, binascii.Error) as error:
        raise ContentError([Fault("cursor", "is none that this API gave")]) from error
    if not 0 <= number <= FIRST:
        raise ContentError([Fault("cursor", "is none that this API gave")])
    return number


def next_of(rows: list[Any], limit: int, last: int) -> str | None:
    """Return the cursor of the page behind `last`, or None if this page is not full."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(f"before:{last}".encode()).decode().rstrip("=")

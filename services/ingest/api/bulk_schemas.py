"""Response bodies of bulk changes."""

from collections.abc import Sequence

import msgspec

from shared.articles import State


class BulkItemResult(msgspec.Struct, omit_defaults=True):
    """What became of one article of a bulk change."""

    id: str
    status: int
    """As a request for this article alone would have: 200, 403, 404, 409, 412, 422."""
    version: int | None = None
    """Of the working version, now."""
    state: State | None = None
    changed: bool = False
    """False: it was as requested already, or it could not be changed."""
    conflicts: Sequence[str] = []
    """Copies and fields that did not get the change of the live version, because they were changed themselves."""
    error: str | None = None
    code: str | None = None
    """Of the error, as the problem document of a request for this article alone would have it: docs/errors.md."""


class BulkResult(msgspec.Struct):
    """The results of a bulk change, in the order of the request."""

    results: list[BulkItemResult]
    succeeded: int
    failed: int

"""Errors in the content of an article, by field. Pure."""

from collections.abc import Sequence

import msgspec


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True, rename={"message": "fault"}):
    """An invalid field, with the limit and the size of the value where they help."""

    field: str
    message: str
    limit: int | None = None
    size: int | None = None


class InvalidContentError(Exception):
    """Content that cannot be accepted, or cannot be published."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = list(errors)

"""Errors in the content of an article, by field. Pure."""

from collections.abc import Sequence

import msgspec

from services.ingest.content.field_messages import MESSAGES, Value, field_message


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True, rename={"message": "fault"}):
    """An invalid field, with the limit and the size of the value where they help. `field_error` makes it."""

    field: str
    message: str
    code: str
    """What is wrong, for programs: docs/errors.md lists all."""
    limit: int | None = None
    size: int | None = None
    values: dict[str, Value] = {}
    """What else the message names."""


class InvalidContentError(Exception):
    """Content that cannot be accepted, or cannot be published."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = list(errors)


def field_error(field: str, code: str, **values: Value) -> FieldError:
    """Return the error of a field.

    Args:
        field: Its path in the request, such as `body.3.html`.
        code: A key of MESSAGES.
        values: What the message names. The integers `limit` (what is allowed) and `size` (what was sent) have fields of
            their own.
    """
    sizes = {name: value for name in ("limit", "size") if isinstance(value := values.get(name), int)}
    others = {name: value for name, value in values.items() if name not in sizes}
    return FieldError(field, field_message(code, values), code, sizes.get("limit"), sizes.get("size"), others)


def field_fault(error: FieldError, *, vietnamese: bool) -> str:
    """Return the sentence of an error in a language; as it is, if its code has none."""
    if error.code not in MESSAGES:
        return error.message
    sizes = {name: value for name, value in (("limit", error.limit), ("size", error.size)) if value is not None}
    return field_message(error.code, error.values | sizes, vietnamese=vietnamese)


def quoted(text: str) -> str:
    """Return a text of the request as messages show it: in quotation marks, with escapes for what is invisible."""
    return repr(text)


def invalid(field: str, code: str, **values: Value) -> InvalidContentError:
    """Return the exception of a single invalid field; the arguments are those of `field_error`."""
    return InvalidContentError([field_error(field, code, **values)])

"""Warnings of an import: each part of an item that was not carried over unchanged, with its place. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

WarningKind = Literal[
    "state", "date", "identity", "text", "field", "image", "link", "embed", "file", "shortcode", "encoding"
]
"""The subject of a warning: the state at the source, a date, the ID, characters, another field, a part of the body."""
MESSAGE_CHARACTERS_MAX = 500


class ItemWarning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an item that was changed, decided or lost by the import."""

    kind: WarningKind
    message: str
    """A sentence without its subject for `field`, such as "is not a date", else a whole one."""
    field: str = ""
    """Name of the field at the source, such as `wp:status`; "" for the whole item."""
    place: str = ""
    """Position of the item in the file, such as `post 3`; filled in by the pipeline."""
    line: int | None = None
    """Line of the item in the file; the first is 1."""

    def __str__(self) -> str:
        """Return the warning as one line, without its place."""
        return f"{self.field} {self.message}" if self.field else self.message


def make_warning(kind: WarningKind, message: str, field: str = "", line: int | None = None) -> ItemWarning:
    """Return a warning with its message cut to MESSAGE_CHARACTERS_MAX."""
    return ItemWarning(kind=kind, message=message[:MESSAGE_CHARACTERS_MAX], field=field, line=line)


def count_by_kind(warnings: Iterable[ItemWarning]) -> Counter[str]:
    """Return the number of warnings of each kind."""
    return Counter(one.kind for one in warnings)

"""Errors in the content of an article, by field. Pure."""

from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: the field, and where it helps the limit and the value's size."""

    field: str
    fault: str
    limit: int | None = None
    size: int | None = None


class ContentError(Exception):
    """Content that cannot be taken, or cannot be published."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.fault}" for fault in faults))
        self.faults = list(faults)

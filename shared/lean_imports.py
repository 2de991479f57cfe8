"""Packages imported without their optional extras: no process uses those, and each would keep them in memory."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(package: str) -> Iterator[None]:
    """Let imports within the block find no package of this name, unless it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment] # Python's way to say that there is none
    try:
        yield
    finally:
        del sys.modules[package]


with without("rich"):  # 4 MB, for colours that lines of JSON do not have
    import structlog as structlog  # noqa: PLC0414 - exported

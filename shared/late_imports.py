"""Functions of modules that are imported when they are first called: few processes call them, and memory is scarce."""

import importlib
from collections.abc import Callable
from typing import Any


def late(module: str, function: str) -> Callable[..., Any]:
    """Return a function that imports its module when it is called, so that processes which never call it need not."""

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*arguments)

    call.__module__, call.__qualname__ = module, function
    return call

"""Bounds on YAML front matter, checked while it is parsed: 434 bytes of it can name four gigabytes. Pure.

Apart from `limits`, as most processes that need other bounds never read YAML.
"""

from typing import Any

import yaml

from services.ingest.imports.item import FormatError

FRONT_MATTER_CHARACTERS_MAX = 64 * 1024
FRONT_MATTER_VALUES_MAX = 5_000
FRONT_MATTER_DEPTH_MAX = 20


class _FrontMatterLoader(yaml.BaseLoader):  # type: ignore[misc] # PyYAML has no types
    """A loader of texts, lists and mappings, without aliases, and with bounds on depth and number of values."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a value within the bounds."""
        if self.check_event(yaml.AliasEvent):
            raise FormatError("has front matter with an alias (*name), which is not supported")
        if str(getattr(self.peek_event(), "tag", "")).startswith("tag:yaml.org,2002:python"):
            raise FormatError("has front matter with an object of Python, which is not supported")
        self._depth += 1
        self._values += 1
        if self._depth > FRONT_MATTER_DEPTH_MAX:
            raise FormatError(f"has front matter that is nested more than {FRONT_MATTER_DEPTH_MAX} levels deep")
        if self._values > FRONT_MATTER_VALUES_MAX:
            raise FormatError(f"has front matter with more than {FRONT_MATTER_VALUES_MAX:,} values")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Construct a mapping of different names."""
        names = [getattr(key, "value", None) for key, _ in node.value]
        twice = next((name for name in names if isinstance(name, str) and names.count(name) > 1), None)
        if twice is not None:
            raise FormatError(f"has front matter with the field {twice[:60]!r} twice")
        return super().construct_mapping(node, deep)


def load_front_matter(text: str) -> Any:
    """Return the values of YAML front matter; None if it is empty.

    Raises:
        FormatError: it is not YAML, or exceeds a bound.
    """
    if len(text) > FRONT_MATTER_CHARACTERS_MAX:
        limit = f"{FRONT_MATTER_CHARACTERS_MAX:,}"
        raise FormatError(f"has front matter that must have at most {limit} characters (got {len(text):,})")
    try:
        return yaml.load(text, Loader=_FrontMatterLoader)  # noqa: S506 - a BaseLoader
    except yaml.YAMLError as error:
        raise FormatError(f"has front matter that is not YAML: {error}") from error
    except FormatError:
        raise
    except (ValueError, RecursionError, OverflowError) as error:  # a date or a number that does not exist
        raise FormatError(f"has front matter with an invalid value: {error}") from error

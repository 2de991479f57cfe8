"""Bounds on what a file of a few bytes may become in memory, checked before it does. Pure.

Files come from elsewhere: 434 bytes of YAML can name four gigabytes, and an empty list takes two bytes in a file and
sixty in memory. Each bound is far above what a real file has. With them a hostile file costs its reader at most 64 MB
and about a second (`tests/ingest/imports/test_limits.py`).
"""

import re
from typing import Any

import yaml

from services.ingest.content.json_bounds import has_more_values
from services.ingest.imports.item import FormatError

JSON_VALUES_MAX = 500_000
JSON_BYTES_PER_VALUE = 64
"""A larger file may have more values, in proportion: articles consist of long texts."""
FRONT_MATTER_CHARACTERS_MAX = 64 * 1024
FRONT_MATTER_VALUES_MAX = 5_000
FRONT_MATTER_DEPTH_MAX = 20
ROW_BYTES_MAX = 4 * 1024 * 1024
ROW_VALUES_MAX = 100_000
PAGE_BYTES_MAX = 8 * 1024 * 1024
PAGE_TAGS_MAX = 50_000
TAG_ATTRIBUTES_MAX = 200
PAGE_ATTRIBUTES_MAX = 200_000
XML_DEPTH_MAX = 100
XML_ELEMENTS_MAX = 50_000
"""Elements of one article, with its comments."""

_TAG_NAME = re.compile(rb"[a-zA-Z][^\s/>]*")
_ATTRIBUTE = re.compile(rb"""[\s/]*[^\s/>=][^\s/>=]*+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]*))?""")


def check_json_values(content: bytes, values_max: int = 0) -> None:
    """Reject JSON with too many values.

    Args:
        content: JSON text.
        values_max: 0: JSON_VALUES_MAX, or one for each JSON_BYTES_PER_VALUE bytes if that is more.

    Raises:
        FormatError: it has more.
    """
    values_max = values_max or max(JSON_VALUES_MAX, len(content) // JSON_BYTES_PER_VALUE)
    if has_more_values(content, values_max):
        raise FormatError(f"must have at most {values_max:,} values; split it")


def check_page(content: bytes) -> None:
    """Reject an HTML page that is too large to be parsed.

    Raises:
        FormatError: it has too many bytes or tags.
    """
    if len(content) > PAGE_BYTES_MAX:
        raise FormatError(f"must have at most {PAGE_BYTES_MAX:,} bytes (got {len(content):,})")
    tags = content.count(b"<")
    if tags > PAGE_TAGS_MAX:
        raise FormatError(f"must have at most {PAGE_TAGS_MAX:,} tags (got {tags:,})")
    attributes = 0
    begin = content.find(b"<")
    while begin >= 0:
        end = content.find(b"<", begin + 1)
        attributes += _count_attributes(content, begin + 1, len(content) if end < 0 else end)
        begin = end
    if attributes > PAGE_ATTRIBUTES_MAX:
        raise FormatError(f"must have at most {PAGE_ATTRIBUTES_MAX:,} attributes (got {attributes:,})")


def _count_attributes(content: bytes, begin: int, end: int) -> int:
    """Return the number of attributes of a tag; parsers compare each with all before it.

    Raises:
        FormatError: it has too many.
    """
    name = _TAG_NAME.match(content, begin, end)
    if name is None:
        return 0
    count, at = 0, name.end()
    while (attribute := _ATTRIBUTE.match(content, at)) is not None:
        count, at = count + 1, attribute.end()
        if count > TAG_ATTRIBUTES_MAX:
            raise FormatError(f"must have at most {TAG_ATTRIBUTES_MAX} attributes in each tag")
    return count


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

"""Bounds on what a file of a few bytes may become in memory, checked before it does. Pure.

Files come from elsewhere: 434 bytes of YAML can name four gigabytes, and an empty list takes two bytes in a file and
sixty in memory. Each bound is far above what a real file has. With them a hostile file costs its reader at most 64 MB
and about a second (`tests/ingest/imports/test_limits.py`).
"""

import re

from services.ingest.content.json_bounds import has_more_values
from services.ingest.imports.item import FormatError

JSON_VALUES_MAX = 500_000
JSON_BYTES_PER_VALUE = 64
"""A larger file may have more values, in proportion: articles consist of long texts."""
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

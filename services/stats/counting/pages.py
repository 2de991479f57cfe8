"""The page for which a view counts that names no article: its path, readable, and without what may be private. Pure.

Pages share the columns of articles: a name that begins with a slash is a page's. The rules are part of the counting
rules (ARCHITECTURE.md): a rebuild must make the same names.
"""

import re
from functools import lru_cache
from unicodedata import normalize
from urllib.parse import unquote

PAGE_CHARACTERS_MAX = 200
PRIVATE = "*"
"""Takes the place of a segment that may be private, so that all pages that differ in it are one."""
CUT = "…"
_SLASHES = re.compile("/+")
_INVISIBLE = re.compile(  # and what Postgres cannot store
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
_NUMBER = re.compile(r"\+?[0-9]{9,}(\.[A-Za-z]{1,5})?")
"""Telephone, identity and order numbers. Articles have words beside their numbers."""
_UUID = re.compile("[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_TOKEN = re.compile("(?=[A-Za-z0-9]{16})([A-Za-z]*[0-9]+[A-Za-z]+){2}[A-Za-z]*[0-9]")
"""16 letters and digits or more with three groups of digits: a key, and no word or date."""


@lru_cache(maxsize=4_000)
def page_of(path: str) -> str:
    """Return the name of the page at a path. It begins with a slash, and Postgres can store it."""
    bare = path.split("#", 1)[0].split("?", 1)[0]
    text = _SLASHES.sub("/", "/" + _INVISIBLE.sub("\ufffd", normalize("NFC", unquote(bare))))
    page = "/".join(PRIVATE if _is_private(segment) else segment for segment in text.split("/"))
    return page if len(page) <= PAGE_CHARACTERS_MAX else page[: PAGE_CHARACTERS_MAX - 1] + CUT


def is_page(name: str) -> bool:
    """Return whether a name in a column of articles is a page's."""
    return name.startswith("/")


def _is_private(segment: str) -> bool:
    found = "@" in segment or _NUMBER.fullmatch(segment) or _UUID.search(segment) or _TOKEN.search(segment)
    return bool(found)

"""Slugs of names in URLs: one rule for ingest and render. Pure."""

import re
from functools import lru_cache

from slugify import slugify

SLUG_CHARACTERS_MAX = 60
NAMES_KEPT_MAX = 32_768
"""Names whose slugs are remembered, 300 bytes each: slugify takes 40 µs, and many pages have the same tags. Lists of
tags read those of a whole site one after the other, so a memory for fewer than there are would forget them all."""
_SIGNS = re.compile(r"(?<=[^\W_])[+#]+(?!\w)")
_SIGN_NAMES = {"+": "plus", "#": "sharp"}


@lru_cache(NAMES_KEPT_MAX)
def name_slug(name: str) -> str:
    """Return the slug of a tag's or a person's name; "" if it has no letter or digit. C++ and C# are two tags."""
    named = _SIGNS.sub(lambda one: "".join(f" {_SIGN_NAMES[sign]} " for sign in one[0]), name)
    return slugify(named, max_length=SLUG_CHARACTERS_MAX)

"""Slugs of names in URLs: one rule for ingest and render. Pure."""

import re
from functools import lru_cache

from slugify import slugify

from shared.text import fold_diacritics

SLUG_CHARACTERS_MAX = 60
NAMES_KEPT_MAX = 32_768
"""Names whose slugs are remembered, 300 bytes each, of those that need slugify, which takes 40 µs. Lists of tags read
those of a whole site one after the other, so a memory for fewer than there are would forget them all."""
_LATIN = re.compile("[A-Za-z0-9 .()\u00c0-\u024f\u0300-\u0309\u031b\u0323\u1e00-\u1eff-]*")
"""Letters, and marks of decomposed ones, of which no one is transliterated by slugify in another way than folded."""
_PLAIN = re.compile("[a-z0-9 .()-]{0,60}")
_WORD = re.compile(r"[a-z0-9]+")
_SIGNS = re.compile(r"(?<=[^\W_])[+#]+(?!\w)")
_SIGN_NAMES = {"+": "plus", "#": "sharp"}


def name_slug(name: str) -> str:
    """Return the slug of a tag's or a person's name; "" if it has no letter or digit. C++ and C# are two tags."""
    if _LATIN.fullmatch(name) and _PLAIN.fullmatch(folded := fold_diacritics(name)):
        return "-".join(_WORD.findall(folded))
    return transliterated_slug(name)


@lru_cache(NAMES_KEPT_MAX)
def transliterated_slug(name: str) -> str:
    """Return the same, in the way that transliterates any script."""
    named = _SIGNS.sub(lambda one: "".join(f" {_SIGN_NAMES[sign]} " for sign in one[0]), name)
    return slugify(named, max_length=SLUG_CHARACTERS_MAX)

"""Which items are the same article: an import never overwrites one article with another. Pure.

Most formats have an ID of their own. Pages have an address or a file name only, which several may share: portals that
give one address on each page, folders in which each file is called index.html.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.articles import Article
from shared.text import fold_diacritics

DIGEST_CHARACTERS = 16


def own_id(external_id: str, fields: Mapping[str, Any]) -> str:
    """Return an ID for an item whose ID another article has: the same content has the same ID in each run."""
    content = msgspec.json.encode([fields["title"], fields["lead"], fields["body"]])
    return f"{external_id}#{hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]}"


def is_same_article(stored: Article, fields: Mapping[str, Any], *, is_address: bool) -> bool:
    """Return whether an item with the ID of a stored article is a new version of it, not another article.

    They have the same title. With the same file name only, they also have a part of the text in common.
    """
    if fold_diacritics(stored.title) != fold_diacritics(fields["title"]):
        return False
    blocks = {msgspec.json.encode(block) for block in stored.body}
    return is_address or not blocks or any(msgspec.json.encode(block) in blocks for block in fields["body"])

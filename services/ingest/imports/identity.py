"""Which items are the same article: an import never overwrites one article with another.

Most formats have an ID of their own. Pages have an address or a file name only, which several may share: portals that
give one address on each page, folders in which each file is called index.html.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from services.ingest.imports.item import FormatError
from services.ingest.imports.upsert import ImportedDraft
from services.ingest.imports.warnings import make_warning
from services.ingest.queries import SQL
from shared.articles import Article
from shared.postgres import Connection
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


@dataclass
class ImportRun:
    """What a run has read so far, over all its files."""

    ids: dict[bytes, tuple[bytes, str]] = field(default_factory=dict)
    """Checksum and place of the first item with each key of a source system and an external ID."""
    error: FormatError | None = None
    """The error at which the file ended; raised when the items before are saved."""

    def first_with_id(self, draft: ImportedDraft, place: str) -> tuple[bool, str]:
        """Return whether the first item with the ID of a draft has its content, and its place; it may be the draft."""
        key = hashlib.sha256(f"{draft.source_system}\0{draft.external_id}".encode()).digest()[:DIGEST_CHARACTERS]
        checksum = draft.checksum()[:DIGEST_CHARACTERS]
        known, first = self.ids.setdefault(key, (checksum, place))
        return known == checksum, first


def with_own_id(draft: ImportedDraft, reason: str) -> ImportedDraft:
    """Return a draft with an ID of its own and a warning with the reason."""
    message = f"{reason}, so it is imported as an article of its own; --external-id makes it a new version"
    fields = {**draft.fields, "old_urls": []}  # they are those of the other article
    warnings = [*draft.warnings, make_warning("identity", message)]
    return replace(draft, external_id=own_id(draft.external_id, fields)[-255:], fields=fields, warnings=warnings)


async def with_stored_id(connection: Connection, draft: ImportedDraft) -> ImportedDraft:
    """Return the draft with the ID of its article; an ID of its own if another article has its address or file name."""
    source = (draft.site, draft.source_system)
    known = await connection.fetchrow(SQL["imported_article"], *source, draft.external_id)
    if known is None or known["checksum"] == draft.checksum():
        return draft
    other = with_own_id(draft, "another article has the same address or file name")
    if await connection.fetchrow(SQL["imported_article"], *source, other.external_id) is None:
        contents = await connection.fetch(SQL["imported_contents"], known["id"])
        stored = [msgspec.json.decode(row["content"], type=Article) for row in contents]
        is_address = draft.external_id.startswith(("/", "http://", "https://"))
        if any(is_same_article(one, draft.fields, is_address=is_address) for one in stored):
            return draft
    return other

"""The contract of previews between ingest and render."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.articles import Article
from shared.previews import HEADER, PATH, PreviewedVersion


def test_previewed_version_survives_its_encoding() -> None:
    """What ingest sends is what render reads; the gateway does not pass the path to ingest."""
    at = datetime(2026, 11, 24, tzinfo=UTC)
    given: dict[str, Any] = {"id": "a", "number": 1, "site": "s", "version": 1, "state": "published", "title": "T"}
    more: dict[str, Any] = {"slug": "t", "section": "x", "language": "vi", "body": [], "modified_at": at}
    sent = PreviewedVersion(Article(**given, **more, first_published_at=None), True, at)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=PreviewedVersion) == sent
    assert not PATH.startswith("/api")
    assert HEADER.lower() == HEADER

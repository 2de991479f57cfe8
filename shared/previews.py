"""The preview of an article's version, as render asks ingest for it on its internal port."""

from datetime import datetime

import msgspec

from shared.articles import Article

PATH = "/previews"
"""Of ingest's internal port; the gateway does not pass it on."""
HEADER = "x-presstally-preview"
"""Carries the link's signed value, so that it is in no path that could be logged."""


class PreviewedVersion(msgspec.Struct):
    """A version of an article that a valid link shows."""

    article: Article
    """As its page would show it if it were published now."""
    follows: bool
    """The link shows the working version, whichever it is."""
    expires_at: datetime

"""The preview of an article's version, or of a static page, as render asks ingest for it on its internal port."""

from datetime import datetime

import msgspec

from shared.articles import Article
from shared.site_structure import StaticPage

PATH = "/previews"
"""Of ingest's internal port; the gateway does not pass it on."""
HEADER = "x-presstally-preview"
"""Carries the link's signed value, so that it is in no path that could be logged."""


class PreviewedVersion(msgspec.Struct):
    """What a valid link shows: a version of an article, or a static page. One of the two is null."""

    article: Article | None
    """As its page would show it if it were published now."""
    follows: bool
    """The link shows the working version, whichever it is."""
    expires_at: datetime
    page: StaticPage | None = None
    """Its working copy."""

    @property
    def site(self) -> str:
        """The site of what is shown."""
        shown = self.page if self.article is None else self.article
        assert shown is not None, "it shows one of the two"
        return shown.site

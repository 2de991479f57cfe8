"""Responses of `/api/front-page`."""

from datetime import datetime

import msgspec

from services.ingest.articles.front_page import Reason, Source
from shared.articles import State


class FrontPageArticle(msgspec.Struct, kw_only=True):
    """An article as the front page shows it."""

    id: str
    number: int
    title: str
    section: str
    state: State
    """Of the working version."""
    published_at: datetime | None
    url: str | None
    """Null: it is not public at that time."""
    picture: str | None


class FrontPageEntry(msgspec.Struct, kw_only=True):
    """A slot. The first one that is shown is the lead story."""

    id: str
    article: FrontPageArticle | None
    """Null: there is no such article any more."""
    until: datetime
    is_shown: bool
    reason: Reason | None
    """Why it is not shown at that time."""


class BreakingEntry(msgspec.Struct):
    """The breaking-news bar."""

    text: str
    article: FrontPageEntry | None
    url: str
    until: datetime
    is_shown: bool
    reason: Reason | None


class FrontPagePosition(msgspec.Struct, kw_only=True):
    """An article above the sections, and why it is there."""

    source: Source
    article: FrontPageArticle


class FrontPageResponse(msgspec.Struct, kw_only=True):
    """The front page of a site; `version` is 0 before it was arranged, and the ETag."""

    site: str
    version: int
    at: datetime
    """The time for which it is shown."""
    slots: list[FrontPageEntry]
    breaking: BreakingEntry | None
    order: list[FrontPagePosition]
    """What visitors get above the sections: the slots, then articles that are pinned or featured by their own fields,
    then the newest ones. The first is the lead story."""
    left_out: list[str]
    """Of a change: entries that had ended, and were left out."""


FRONT_PAGE_TYPES = (FrontPageResponse,)

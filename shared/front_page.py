"""The front page of a site as its newsroom arranges it: articles in slots and the breaking-news bar. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.articles import UNDATED, Article, sort_time
from shared.events import ArticleId

SLOTS_MAX = 9
"""The lead story and eight more."""
BREAKING_CHARACTERS_MAX = 200
URL_CHARACTERS_MAX = 2_000
FEATURED_MAX = 4
"""Articles that come before the newest ones by their own `pinned_until` and `featured_until`."""
HOME_SIZE, HOME_SIZE_OF_FULL = 13, 17
"""Articles above the sections: with up to four slots beside the lead story, and with more."""
CARDS, CARDS_OF_FULL = 4, 8
"""Of them, those with pictures beside the lead story."""


class FrontPageSlot(msgspec.Struct, frozen=True, kw_only=True):
    """An article with a place on the front page."""

    article: ArticleId
    until: datetime


class BreakingNews(msgspec.Struct, frozen=True, kw_only=True):
    """The bar above the front page. With an article it is shown while that one is public."""

    text: Annotated[str, Meta(min_length=1, max_length=BREAKING_CHARACTERS_MAX)]
    article: ArticleId | None = None
    url: Annotated[str, Meta(max_length=URL_CHARACTERS_MAX)] = ""
    until: datetime


class FrontPage(msgspec.Struct, frozen=True, kw_only=True):
    """The order of the front page: the first slot with a public article is the lead story.

    An article that is not public leaves its slot to the next one. After the slots come articles that are pinned or
    featured by their own fields, then the newest ones.
    """

    version: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Of the structure in which it last changed."""
    slots: Annotated[list[FrontPageSlot], Meta(max_length=SLOTS_MAX)] = []
    breaking: BreakingNews | None = None

    def ends(self) -> list[datetime]:
        """Return the times at which the front page changes although nobody changes it."""
        return sorted({one.until for one in (*self.slots, self.breaking) if one is not None})

    def at(self, now: datetime) -> "FrontPage":
        """Return what is valid at a time."""
        breaking = self.breaking if self.breaking is not None and self.breaking.until > now else None
        return msgspec.structs.replace(self, slots=[one for one in self.slots if one.until > now], breaking=breaking)


def home_size(slots: int) -> tuple[int, int]:
    """Return how many articles are above the sections, and how many have pictures, with a number of filled slots."""
    return (HOME_SIZE, CARDS) if slots <= CARDS + 1 else (HOME_SIZE_OF_FULL, CARDS_OF_FULL)


def featured(articles: Iterable[Article], now: datetime) -> list[Article]:
    """Return the articles that come before the newest ones by their own fields, in their order."""
    found = [one for one in articles if max(one.pinned_until or UNDATED, one.featured_until or UNDATED) > now]
    newest_first = sorted(found, key=lambda one: (sort_time(one), one.number), reverse=True)
    ordered = sorted(newest_first, key=lambda one: (not _is_pinned(one, now), one.priority))
    return ordered[:FEATURED_MAX]


def _is_pinned(article: Article, now: datetime) -> bool:
    return article.pinned_until is not None and article.pinned_until > now

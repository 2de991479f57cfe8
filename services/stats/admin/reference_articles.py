"""Which article ids have counts, in the reference model. Pure.

A view of an id that is not known makes it known, unless 2,000 ids of the site became known on the partition on the same
day before: then it counts for the site alone. The day is the UTC day of the window in which the record arrived.

Where the log has lost records, nobody can say any more which views near its beginning repeat a lost one. Up to 50 hours
from there it is taken from what is stored which ids are known, and the log only has to have the views.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

NEW_ARTICLES_MAX = 2_000
UNCERTAIN_MS = 50 * 3_600_000
"""A late event may be a duplicate of one that arrived 49 hours before."""
WINDOWS_PER_DAY = 48


class ArticleKey(NamedTuple):
    """An article of a site."""

    site: str
    article: str


class Acceptance(NamedTuple):
    """The view that made an article known."""

    offset: int
    day: int | None
    """Days since 1970; None if the article was known before this log or this rule, and is known from the offset on."""


class StoredArticles(NamedTuple):
    """What is stored of a partition, for a log that may have lost records."""

    articles: Mapping[ArticleKey, Acceptance]
    log_begin: int
    is_trimmed: bool
    """Whether the log may have lost counted records."""
    counted_until: int = 0
    """Counted records that arrived until then may be gone, too: milliseconds since 1970 UTC."""

    def is_of_the_log(self, one: Acceptance) -> bool:
        """Return whether a view in the log must have made an article known."""
        return one.day is not None and (one.offset >= self.log_begin or not self.is_trimmed)


ALL_IN_THE_LOG = StoredArticles({}, 0, False)


class KnownArticles:
    """The known articles of one partition."""

    def __init__(self, stored: StoredArticles, new_articles_max: int) -> None:
        self._stored = stored
        self._new_articles_max = new_articles_max
        self._known = {key: one.offset for key, one in stored.articles.items() if not stored.is_of_the_log(one)}
        self._accepted = Counter((key.site, stored.articles[key].day) for key in self._known)
        """(site, day) → ids that became known."""
        self._certain_from: int | None = None if stored.is_trimmed else -1
        self._is_certain = not stored.is_trimmed
        self.in_log: dict[ArticleKey, Acceptance] = {}
        """Articles that became known by views in the log."""

    def advance(self, arrived: int) -> None:
        """Take notice of the next record's arrival."""
        if self._certain_from is None:
            self._certain_from = max(arrived, self._stored.counted_until) + UNCERTAIN_MS
        self._is_certain |= arrived >= self._certain_from

    def counts(self, key: ArticleKey, offset: int, window_index: int) -> bool:
        """Return whether a counted view of an article counts for it."""
        if key in self._known:
            return self._known[key] <= offset
        day = window_index // WINDOWS_PER_DAY
        if self._is_certain:
            accepted = self._accepted[key.site, day] < self._new_articles_max
        else:
            stored = self._stored.articles.get(key)
            accepted = stored is not None and stored.offset == offset
        if accepted:
            self._known[key] = offset
            self._accepted[key.site, day] += 1
            self.in_log[key] = Acceptance(offset, day)
        return accepted

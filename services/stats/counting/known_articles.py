"""Article ids, and pages of views without one (`pages`), that have numbers of their own. Pure.

Everybody can send views of ids and paths that do not exist. So an id is known on a partition once a view of it was
accepted, and a site's views can make only so many ids known there on one day, and so many pages. A view of any other
one counts for the site alone. The day is the UTC day of the window in which the record arrived (`state`), so the
decision depends on the log alone.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.stats.counting.decoding import VIEW, EventBatch, Integers
from services.stats.counting.pages import is_page

NEW_ARTICLES_MAX = 2_000
"""Ids of a site that become known on a partition on one day: many times what a newsroom publishes."""
NEW_PAGES_MAX = 1_000
"""Pages of a site that become known on a partition on one day. They have a limit of their own, so that invented paths
keep no article out."""
CACHED_MAX = 50_000
"""Ids of a partition in memory; further ones replace all of them, and are read from Postgres when they are viewed."""
NEVER = 2**62


class AcceptedArticle(NamedTuple):
    """An article id that became known."""

    site: str
    article: str
    accepted_at_offset: int
    day: int
    """Days since 1970."""


class CountedArticles(NamedTuple):
    """The decision about some views."""

    article: Integers
    """The articles for which they count: numbers of the batch's articles, 0 for none."""
    accepted: list[AcceptedArticle]
    uncounted: Counter[str]
    """Site → views that count for the site alone, although they name an article."""


@dataclass(slots=True)
class KnownArticles:
    """The known articles of one partition: a cache of what is stored, and the ids accepted on the newest day.

    The caller that folds a batch first adds what is stored of `missing(batch)`; an id that is not here then is unknown.
    """

    decided_before: int = 0
    """Views before this offset were decided earlier: they count for ids that were accepted by then."""
    day: int = -1
    """The newest day on which an id was accepted."""
    accepted_on_day: Counter[str] = field(default_factory=Counter)
    """By `limit_key`."""
    new_articles_max: int = field(default_factory=lambda: NEW_ARTICLES_MAX)
    new_pages_max: int = field(default_factory=lambda: NEW_PAGES_MAX)
    accepted_at: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """Site → id → offset of the view with which it was accepted."""

    def missing(self, batch: EventBatch) -> list[tuple[str, str]]:
        """Return the (site, article) of a batch's views that are not in memory; first forget all if they are many."""
        if sum(map(len, self.accepted_at.values())) > CACHED_MAX:
            self.accepted_at.clear()
        rows = np.flatnonzero((batch.kind == VIEW) & (batch.bot == 0) & (batch.article > 0))
        return [(site, article) for _, site, article in _articles(batch, rows) if article not in self.accepted_at[site]]

    def add(self, site: str, article: str, accepted_at_offset: int) -> None:
        """Add an id that was accepted."""
        self.accepted_at[sys.intern(site)][sys.intern(article)] = accepted_at_offset

    def decide(self, batch: EventBatch, rows: Integers, day: int) -> CountedArticles:
        """Decide for which articles views count, and accept new ids.

        Args:
            batch: With the views.
            rows: Of counted views that name an article, in order.
            day: Of their arrival, in days since 1970.
        """
        offsets, codes, begin = batch.offset[rows], _codes(batch, rows), int(batch.offset[rows[0]])
        accepted_at = {site.slug: self.accepted_at[site.slug] for site in batch.sites}
        accepted_from = {
            code: offset
            for code, site, article in _articles(batch, rows)
            if (offset := accepted_at[site].get(article, NEVER)) > begin
        }
        if not accepted_from:
            return CountedArticles(batch.article[rows], [], Counter())
        accepted = self._accept(batch, rows, [code for code, offset in accepted_from.items() if offset == NEVER], day)
        accepted_from |= {code: one.accepted_at_offset for code, one in accepted.items()}
        begins = np.zeros(int(codes.max()) + 1, np.int64)
        begins[list(accepted_from)] = list(accepted_from.values())
        is_counted = offsets >= begins[codes]
        slugs = [site.slug for site in batch.sites]
        uncounted = np.bincount(batch.site[rows[~is_counted]]).tolist()
        return CountedArticles(
            np.where(is_counted, batch.article[rows], 0),
            list(accepted.values()),
            Counter({slugs[site]: views for site, views in enumerate(uncounted) if views}),
        )

    def _accept(self, batch: EventBatch, rows: Integers, unknown: list[int], day: int) -> dict[int, AcceptedArticle]:
        """Accept unknown ids, in the order of their first views, until the day is full."""
        rows = rows[batch.offset[rows] >= self.decided_before]
        if not unknown or not len(rows):
            return {}
        if day > self.day:
            self.day = day
            self.accepted_on_day.clear()
        codes = _codes(batch, rows)
        first = np.full(max(int(codes.max()), *unknown) + 1, len(rows))
        first[codes[::-1]] = np.arange(len(rows))[::-1]
        accepted: dict[int, AcceptedArticle] = {}
        for code in sorted(unknown, key=first.tolist().__getitem__):
            site, article = _names(batch, code)
            place = int(first[code])
            key = limit_key(site, article)
            most = self.new_pages_max if is_page(article) else self.new_articles_max
            if place < len(rows) and self.accepted_on_day[key] < most:
                accepted[code] = AcceptedArticle(site, article, int(batch.offset[rows[place]]), self.day)
                self.accepted_on_day[key] += 1
                self.add(*accepted[code][:3])
        return accepted


def limit_key(site: str, article: str) -> str:
    """Return the key under which an accepted id counts to its day's limit: articles and pages have one each."""
    return f"{site}/" if is_page(article) else site


def _codes(batch: EventBatch, rows: Integers) -> Integers:
    """Return a number for the site and article of each row."""
    return batch.site[rows] * len(batch.articles) + batch.article[rows]


def _names(batch: EventBatch, code: int) -> tuple[str, str]:
    return batch.sites[code // len(batch.articles)].slug, batch.articles[code % len(batch.articles)]


def _articles(batch: EventBatch, rows: Integers) -> Iterator[tuple[int, str, str]]:
    """Yield (code, site, article) for each article of the rows, once."""
    if not len(rows):
        return
    slugs, names = [site.slug for site in batch.sites], batch.articles
    for code in np.flatnonzero(np.bincount(_codes(batch, rows))).tolist():
        site, article = divmod(code, len(names))
        yield code, slugs[site], names[article]

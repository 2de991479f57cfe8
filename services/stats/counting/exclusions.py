"""Visitors who are excluded, because they turned out to be programs: their events count as those of bots. Pure.

Which ones they are is found when counts are rebuilt, from the log and the exclusions; counters only look them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID, uuid5

import numpy as np

from services.stats.counting.decoding import VIEW, EventBatch, Unsigned

EXCLUDED = "excluded"
"""The reason in the ledger."""
REVERSALS = UUID("5b0c5f5c-5d0b-4c39-9a55-6d5d6a1f3f0e")
"""Namespace of the ids of reversals."""
SHARED_NETWORK = 10
"""Visitors whose pages answered, for each program: in a network with more of them, programs are taken for people."""
DAY_SECONDS_MAX = 25 * 3_600
"""A day with the end of summer time: networks have other hashes on other days."""
MERGE_ROWS = 200_000
_NETWORK = np.uint64(0xFFFFFFFF)
Excluded = Mapping[str, Unsigned]
"""Site → its excluded visitor IDs, sorted."""


class Exclusion(NamedTuple):
    """An exclusion that was entered: a row of `stats.adjustments`."""

    id: str
    site: str
    agent: int
    begin: int
    end: int
    """Seconds since 1970 UTC, as `begin`."""
    at: int
    """When it was made, in milliseconds."""


def reversal_id(adjustment_id: str) -> str:
    """Return the id that the reversal of an adjustment has."""
    return str(uuid5(REVERSALS, adjustment_id))


def with_exclusions(batch: EventBatch, excluded: Excluded) -> EventBatch:
    """Return the batch with the events of excluded visitors as those of bots."""
    bot, code = batch.bot, len(batch.bots)
    if EXCLUDED in batch.bots:
        code = batch.bots.index(EXCLUDED)
    for number, site in enumerate(batch.sites):
        ids = excluded.get(site.slug)
        if ids is None or not len(ids):
            continue
        rows = np.flatnonzero((batch.site == number) & (batch.bot == 0) & batch.has_visitor)
        found = np.minimum(np.searchsorted(ids, batch.visitor[rows]), len(ids) - 1)
        rows = rows[ids[found] == batch.visitor[rows]]
        if len(rows):
            bot = bot.copy()
            bot[rows] = code
    if bot is batch.bot:
        return batch
    return replace(batch, bot=bot, bots=batch.bots if code < len(batch.bots) else [*batch.bots, EXCLUDED])


@dataclass
class ExclusionSearch:
    """Finds the visitors of exclusions in a log, batch by batch, in any order.

    A visitor is excluded who, before the exclusion was made, opened one page as one of the group, in the span, and sent
    no ping or leave. Those stay whose network is one of people: there are more than SHARED_NETWORK visitors whose pages
    answered in it for each such one of the group. So people with the agent of a fleet mostly stay.
    """

    exclusions: Sequence[Exclusion]

    def __post_init__(self) -> None:
        self._found = {one.id: _Group(one) for one in self.exclusions}

    def add(self, batch: EventBatch) -> None:
        """Add decoded records."""
        sites = {site.slug: number for number, site in enumerate(batch.sites)}
        for one in self._found.values():
            one.add(batch, sites.get(one.exclusion.site, -1))

    def found(self) -> dict[str, Unsigned]:
        """Return the visitor IDs of each exclusion, by its id."""
        return {name: one.visitors() for name, one in self._found.items()}


class _Group:
    """What the log says of one exclusion."""

    def __init__(self, exclusion: Exclusion) -> None:
        self.exclusion = exclusion
        self._seen, self._answered = _Rows(1), _Rows(1)
        self._views = _Rows(3)
        """(visitor, id of a view)."""
        self._networks, self._answers = _Rows(2), _Rows(2)
        """(network, visitor) of its views, and of pages of anybody that answered."""

    def add(self, batch: EventBatch, site: int) -> None:
        one = self.exclusion
        is_person = (batch.site == site) & batch.has_visitor & batch.has_client & (batch.bot == 0)
        is_person &= batch.arrived < one.at
        is_of_group = is_person & (batch.client >> np.uint64(32) == one.agent)
        is_view, network = batch.kind == VIEW, batch.client & _NETWORK
        views = is_of_group & is_view
        self._seen.add(batch.visitor[views & (batch.at >= one.begin * 1000) & (batch.at < one.end * 1000)])
        self._answered.add(batch.visitor[is_of_group & ~is_view])
        self._views.add(batch.visitor[views], batch.id_hash[views], batch.id_low[views])
        self._networks.add(network[views], batch.visitor[views])
        begin, end = one.begin - DAY_SECONDS_MAX, one.end + DAY_SECONDS_MAX
        answers = is_person & ~is_view & (batch.at >= begin * 1000) & (batch.at < end * 1000)
        self._answers.add(network[answers], batch.visitor[answers])

    def visitors(self) -> Unsigned:
        viewers, views = np.unique(self._views.distinct()[:, 0], return_counts=True)
        found = np.intersect1d(self._seen.distinct()[:, 0], viewers[views == 1])
        found = np.setdiff1d(found, self._answered.distinct()[:, 0])
        pairs = self._networks.distinct()
        pairs = pairs[np.isin(pairs[:, 1], found)]
        networks, programs = np.unique(pairs[:, 0], return_counts=True)
        of_people, people = np.unique(self._answers.distinct()[:, 0], return_counts=True)
        place = np.minimum(np.searchsorted(of_people, networks), max(0, len(of_people) - 1))
        is_known = of_people[place] == networks if len(of_people) else np.zeros(len(networks), np.bool_)
        is_shared = is_known.copy()
        is_shared[is_known] = people[place[is_known]] > SHARED_NETWORK * programs[is_known]
        return np.setdiff1d(found, pairs[np.isin(pairs[:, 0], networks[is_shared]), 1])


class _Rows:
    """Distinct rows of a few columns, in bounded memory."""

    def __init__(self, columns: int) -> None:
        self._parts = [np.zeros((0, columns), np.uint64)]
        self._rows, self._distinct = 0, 0

    def add(self, *columns: Unsigned) -> None:
        if not len(columns[0]):
            return
        self._parts.append(_unique(np.stack(columns, axis=1)))
        self._rows += len(self._parts[-1])
        if self._rows > 2 * self._distinct + MERGE_ROWS:
            self.distinct()

    def distinct(self) -> Unsigned:
        if len(self._parts) > 1:
            self._parts = [_unique(np.concatenate(self._parts))]
        self._rows = self._distinct = len(self._parts[0])
        return self._parts[0]


def _unique(rows: Unsigned) -> Unsigned:
    """Return the distinct rows. By columns: `np.unique` of rows compares them as bytes, ten times as slowly."""
    rows = rows[np.lexsort(rows.T)]
    is_new = np.ones(len(rows), np.bool_)
    is_new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[is_new]

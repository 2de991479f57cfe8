"""Visitors who are excluded, because they turned out to be programs: their events count as those of bots. Pure.

Which ones they are is found when counts are rebuilt, from the log and the exclusions; counters only look them up.
"""

from collections import defaultdict
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

    A visitor is excluded if it has a view of the group in the span, and no ping or leave that arrived before the
    exclusion was made.
    """

    exclusions: Sequence[Exclusion]

    def __post_init__(self) -> None:
        self._seen: defaultdict[str, list[Unsigned]] = defaultdict(list)
        self._answered: defaultdict[str, list[Unsigned]] = defaultdict(list)

    def add(self, batch: EventBatch) -> None:
        """Add decoded records."""
        sites = {site.slug: number for number, site in enumerate(batch.sites)}
        for one in self.exclusions:
            is_of_group = (
                (batch.site == sites.get(one.site, -1)) & batch.has_visitor & batch.has_client & (batch.bot == 0)
            )
            is_of_group &= (batch.client >> np.uint64(32) == one.agent) & (batch.arrived < one.at)
            is_view = batch.kind == VIEW
            is_in_span = (batch.at >= one.begin * 1000) & (batch.at < one.end * 1000)
            self._seen[one.id].append(np.unique(batch.visitor[is_of_group & is_view & is_in_span]))
            self._answered[one.id].append(np.unique(batch.visitor[is_of_group & ~is_view]))

    def found(self) -> dict[str, Unsigned]:
        """Return the visitor IDs of each exclusion, by its id."""
        return {
            one.id: np.setdiff1d(_joined(self._seen[one.id]), _joined(self._answered[one.id]))
            for one in self.exclusions
        }


def _joined(parts: Sequence[Unsigned]) -> Unsigned:
    return np.concatenate([np.zeros(0, np.uint64), *parts])

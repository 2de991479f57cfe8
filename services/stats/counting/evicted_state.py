"""What a partition's state evicted when a window began: event ids and activities, for events that arrive late. Pure.

Evicted activities are never changed. One that changes becomes part of the state again, and is evicted again: it spans
the former one and replaces it. Of two with the same span the one without a visit is the later one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.stats.counting.decoding import Integers, Unsigned

ACTIVITY = np.dtype(
    [
        ("visitor", "<u8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("previous", "<u8"),
        ("source", "<i4"),
        ("window_seq", "<i4"),
    ]
)
"""See `activities.ActivityTable`. `window_seq`: window of the last change."""
Activities = NDArray[np.void]
NO_VISIT = -1


class Source(NamedTuple):
    """Where a visit began and came from."""

    article: str
    host: str


class PastActivity(NamedTuple):
    """An activity that was evicted; without `source` it has no visit."""

    visitor: int
    start: int
    end: int
    previous: int
    source: Source | None


class SiteActivities:
    """The evicted activities of one site, sorted by visitor ID."""

    def __init__(self, rows: Activities, sources: list[Source]) -> None:
        """Take rows in any order; `sources` are those of their numbers."""
        self.rows = rows[np.lexsort((rows["start"], rows["visitor"]))]
        self.sources = sources
        self.visitors: Unsigned = np.ascontiguousarray(self.rows["visitor"])
        self.newest_end = int(rows["end"].max(initial=0))
        links = np.flatnonzero((self.visitors != self.rows["previous"]) & (self.rows["source"] != NO_VISIT))
        links = links[np.argsort(self.rows["previous"][links])]
        self.linked_to: Unsigned = self.rows["previous"][links]
        self.linking: Unsigned = self.visitors[links]

    def of(self, visitors: Unsigned) -> Iterable[PastActivity]:
        """Return the activities of visitor IDs."""
        for visitor, start, end, previous, source, _ in self.rows[_find(self.visitors, visitors)].tolist():
            yield PastActivity(visitor, start, end, previous, self.sources[source] if source != NO_VISIT else None)


@dataclass
class EvictedState:
    """What the state evicted when a window began."""

    evicted_at_offset: int
    """Offset of the first record at which it is no longer in the state."""
    window_index: int
    """The window in which it was last seen: time of arrival divided by 30 minutes."""
    id_hash: Unsigned
    id_low: Unsigned
    activities: bytes
    """By site, encoded by `encode_activities`."""

    @cached_property
    def by_site(self) -> dict[str, SiteActivities]:
        """The activities."""
        if not self.activities:
            return {}
        sites = msgspec.msgpack.decode(self.activities, type=dict[str, tuple[bytes, list[Source]]])
        return {site: SiteActivities(np.frombuffer(rows, ACTIVITY), sources) for site, (rows, sources) in sites.items()}


def encode_activities(sites: dict[str, tuple[Activities, list[Source]]]) -> bytes:
    """Return activities of sites as bytes; the source numbers of a site's rows are positions in its list."""
    encoded = {}
    for site, (rows, sources) in sites.items():
        if len(rows):
            used = np.unique(rows["source"])
            used = used[used != NO_VISIT]
            number = np.full(len(sources) + 1, NO_VISIT, np.int32)  # the last one is for NO_VISIT
            number[used] = np.arange(len(used))
            rows["source"] = number[rows["source"]]
            encoded[site] = (rows.tobytes(), [sources[one] for one in used.tolist()])
    return msgspec.msgpack.encode(encoded) if encoded else b""


class EvictedActivities:
    """The evicted activities of one site, as an event finds them."""

    def __init__(self, evicted: list[EvictedState], site: str, offset: int) -> None:
        """Use what was evicted up to the record of an offset."""
        self._evicted = evicted
        self._site = site
        self._offset = offset

    @cached_property
    def _by_window(self) -> list[SiteActivities]:
        states = {one.evicted_at_offset: one for one in self._evicted if one.evicted_at_offset <= self._offset}
        return [one.by_site[self._site] for one in states.values() if self._site in one.by_site]

    def of(self, visitors: Unsigned, ended_from: int) -> dict[int, list[PastActivity]]:
        """Return the activities of visitor IDs (sorted) that ended at a time or later, in order."""
        found: list[PastActivity] = []
        if len(visitors):
            for window in self._by_window:
                if window.newest_end >= ended_from:
                    found += window.of(visitors)
        found.sort(key=lambda one: (one.visitor, one.start, -one.end, one.source is not None))
        resolved: dict[int, list[PastActivity]] = {}
        for one in found:
            theirs = resolved.setdefault(one.visitor, [])
            if one.end >= ended_from and not (theirs and one.start <= theirs[-1].end):  # otherwise it was replaced
                theirs.append(one)
        return resolved

    def linked_to(self, visitors: Unsigned) -> Unsigned:
        """Return the visitor IDs whose visits' first views name one of these (sorted) as the ID of the day before."""
        found = [window.linking[_find(window.linked_to, visitors)] for window in self._by_window]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)


def _find(column: Unsigned, wanted: Unsigned) -> Integers:
    """Return the rows of a sorted column that have one of the wanted values."""
    begin, end = np.searchsorted(column, wanted, "left"), np.searchsorted(column, wanted, "right")
    counts = end - begin
    before = np.cumsum(counts) - counts
    return np.repeat(begin - before, counts) + np.arange(int(counts.sum()))

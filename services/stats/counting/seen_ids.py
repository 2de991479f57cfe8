"""The ids of recent events, in sorted numpy columns: they show which events of a batch are duplicates. Pure."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.stats.counting.decoding import Flags, Integers, Unsigned

Int32s = NDArray[np.int32]


def empty_integers() -> Integers:
    """Return an empty column of int64."""
    return np.zeros(0, np.int64)


def empty_int32() -> Int32s:
    """Return an empty column of int32."""
    return np.zeros(0, np.int32)


def empty_unsigned() -> Unsigned:
    """Return an empty column of uint64."""
    return np.zeros(0, np.uint64)


class Insertion(NamedTuple):
    """Where further rows are inserted into columns: the rows of the result that are old, and those that are new."""

    old: Integers
    new: Integers

    @classmethod
    def at(cls, places: Integers, size: int) -> "Insertion":
        """Insert rows before those of some places, which ascend, of columns of a size."""
        new = places + np.arange(len(places))
        is_old = np.ones(size + len(places), np.bool_)
        is_old[new] = False
        return cls(np.flatnonzero(is_old), new)

    def into(self, column: NDArray[Any], values: Any) -> NDArray[Any]:
        """Return a column with the new rows."""
        result = np.empty(len(self.old) + len(self.new), column.dtype)
        result[self.old], result[self.new] = column, values
        return result


@dataclass(slots=True)
class SeenIds:
    """Event ids of the newest windows, sorted by hash."""

    hash: Unsigned = field(default_factory=empty_unsigned)
    low: Unsigned = field(default_factory=empty_unsigned)
    window_seq: Int32s = field(default_factory=empty_int32)
    """Sequence number of the window in which an id was last seen."""

    def add(self, id_hash: Unsigned, id_low: Unsigned, window_seq: int) -> Flags:
        """Add the ids of a batch; return which of them repeat a known one or an earlier one of the batch."""
        order = np.argsort(id_hash)
        hashes, lows = id_hash[order], id_low[order]
        same_hash = hashes[1:] == hashes[:-1]
        if same_hash.any():  # only then the slower sort is needed, which keeps the order of the log
            order = np.lexsort((id_low, id_hash))
            hashes, lows = id_hash[order], id_low[order]
            same_hash = hashes[1:] == hashes[:-1]
        other_low = lows[1:] != lows[:-1]
        first = np.ones(len(order), np.bool_)
        first[1:] = ~same_hash | other_low
        places = np.searchsorted(self.hash, hashes[first])
        rows = find_ids(self.hash, self.low, hashes[first], lows[first], places)
        known = rows >= 0
        self.window_seq[rows[known]] = window_seq
        repeated = ~first
        repeated[first] = known
        is_duplicate = np.empty(len(order), np.bool_)
        is_duplicate[order] = repeated
        new = np.flatnonzero(first)[~known]
        insertion = Insertion.at(places[~known], len(self.hash))
        self.hash = insertion.into(self.hash, hashes[new])
        self.low = insertion.into(self.low, lows[new])
        self.window_seq = insertion.into(self.window_seq, window_seq)
        return is_duplicate

    def evict(self, before_window_seq: int) -> tuple[Unsigned, Unsigned]:
        """Remove the ids that were last seen before a window, and return their two columns."""
        old = self.window_seq < before_window_seq
        evicted = self.hash[old], self.low[old]
        self.hash, self.low, self.window_seq = self.hash[~old], self.low[~old], self.window_seq[~old]
        return evicted


def find_ids(
    hashes: Unsigned, lows: Unsigned, wanted_hash: Unsigned, wanted_low: Unsigned, places: Integers | None = None
) -> Integers:
    """Return the row of each wanted id in the sorted columns, or -1; `places` are those of `np.searchsorted`."""
    row = np.searchsorted(hashes, wanted_hash) if places is None else places.copy()
    found = np.full(len(row), -1, np.int64)
    pending = np.arange(len(row))
    while len(pending):  # more than once only if two ids have the same hash
        at = row[pending]
        inside = at < len(hashes)
        pending, at = pending[inside], at[inside]
        same_hash = hashes[at] == wanted_hash[pending]
        pending, at = pending[same_hash], at[same_hash]
        hit = lows[at] == wanted_low[pending]
        found[pending[hit]] = at[hit]
        pending = pending[~hit]
        row[pending] += 1
    return found

"""The ids of recent events, in numpy tables: which of a batch were seen before. Pure."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.stats.counting.decoding import Flags, Integers, Keys

Small = NDArray[np.int32]


def _integers() -> Integers:
    return np.zeros(0, np.int64)


def _small() -> Small:
    return np.zeros(0, np.int32)


def _keys() -> Keys:
    return np.zeros(0, np.uint64)


@dataclass(slots=True)
class PastIds:
    """Ids that left memory when a half-hour began."""

    closed_at: int
    """Offset of the first record that they are not remembered at."""
    slot: int
    """The half-hour in which they were last seen."""
    id_hash: Keys
    id_low: Keys


@dataclass(slots=True)
class Ids:
    """Remembered event ids, sorted by hash."""

    hash: Keys = field(default_factory=_keys)
    low: Keys = field(default_factory=_keys)
    turn: Small = field(default_factory=_small)

    def see(self, id_hash: Keys, id_low: Keys, turn: int) -> Flags:
        """Remember the ids of a batch, and tell which are repetitions of one remembered or earlier in the batch."""
        order = np.argsort(id_hash, kind="stable")
        hashes, lows = id_hash[order], id_low[order]
        same_hash, other_low = hashes[1:] == hashes[:-1], lows[1:] != lows[:-1]
        if (same_hash & other_low).any():  # two ids of one hash: only then the slower sort is needed
            order = np.lexsort((id_low, id_hash))
            hashes, lows = id_hash[order], id_low[order]
            same_hash, other_low = hashes[1:] == hashes[:-1], lows[1:] != lows[:-1]
        first = np.ones(len(order), np.bool_)
        first[1:] = ~same_hash | other_low
        place = find(self.hash, self.low, hashes[first], lows[first])
        known = place >= 0
        self.turn[place[known]] = turn
        repeated = ~first
        repeated[first] = known
        seen = np.empty(len(order), np.bool_)
        seen[order] = repeated
        new = np.flatnonzero(first)[~known]
        where = np.searchsorted(self.hash, hashes[new])
        self.hash = np.insert(self.hash, where, hashes[new])
        self.low = np.insert(self.low, where, lows[new])
        self.turn = np.insert(self.turn, where, turn)
        return seen

    def forget(self, before_turn: int) -> tuple[Keys, Keys]:
        """Drop what was last seen before a turn, and return it."""
        old = self.turn < before_turn
        gone = self.hash[old], self.low[old]
        self.hash, self.low, self.turn = self.hash[~old], self.low[~old], self.turn[~old]
        return gone


def find(hashes: Keys, lows: Keys, wanted_hash: Keys, wanted_low: Keys) -> Integers:
    """Return where each wanted id stands in the sorted columns, or -1."""
    place = np.searchsorted(hashes, wanted_hash)
    found = np.full(len(place), -1, np.int64)
    looking = np.arange(len(place))
    while len(looking):  # more than once only if two ids have the same hash
        at = place[looking]
        inside = at < len(hashes)
        looking, at = looking[inside], at[inside]
        same_hash = hashes[at] == wanted_hash[looking]
        looking, at = looking[same_hash], at[same_hash]
        hit = lows[at] == wanted_low[looking]
        found[looking[hit]] = at[hit]
        looking = looking[~hit]
        place[looking] += 1
    return found

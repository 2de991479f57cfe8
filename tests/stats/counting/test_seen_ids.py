"""Event ids in sorted columns: duplicates, eviction, and ids that share a hash."""

import numpy as np
from numpy.typing import NDArray

from services.stats.counting.seen_ids import SeenIds, find_ids


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def test_add_ids_returns_duplicates_of_the_state_and_of_the_batch() -> None:
    """An id is a duplicate if it is known, or if the same batch had it before."""
    seen = SeenIds()
    assert seen.add(ids(5, 3, 5), ids(1, 1, 1), 1).tolist() == [False, False, True]
    assert seen.add(ids(3, 4), ids(1, 1), 1).tolist() == [True, False]
    assert seen.hash.tolist() == [3, 4, 5]


def test_add_ids_with_one_hash_are_distinct() -> None:
    """Two ids with the same hash differ by their low half, in one batch and over two."""
    seen = SeenIds()
    assert seen.add(ids(7, 7, 7), ids(2, 1, 2), 1).tolist() == [False, False, True]
    assert seen.add(ids(7, 7), ids(3, 1), 1).tolist() == [False, True]
    assert sorted(zip(seen.hash.tolist(), seen.low.tolist(), strict=True)) == [(7, 1), (7, 2), (7, 3)]


def test_evict_ids_returns_those_not_seen_since() -> None:
    """Eviction removes the ids last seen before a window; a duplicate has renewed its id."""
    seen = SeenIds()
    seen.add(ids(1, 2, 3), ids(1, 2, 3), 1)
    seen.add(ids(2), ids(2), 2)
    hashes, lows = seen.evict(2)
    assert (hashes.tolist(), lows.tolist()) == ([1, 3], [1, 3])
    assert seen.hash.tolist() == [2]
    assert seen.add(ids(1), ids(1), 3).tolist() == [False]


def test_find_ids_returns_rows_or_minus_one() -> None:
    """The row of each wanted id is returned, -1 for unknown ones, also beyond the last hash."""
    hashes, lows = ids(1, 4, 4, 9), ids(1, 1, 2, 1)
    assert find_ids(hashes, lows, ids(4, 4, 4, 9, 10, 1), ids(2, 1, 3, 1, 1, 2)).tolist() == [2, 1, -1, 3, -1, -1]
    assert find_ids(ids(), ids(), ids(1), ids(1)).tolist() == [-1]

"""Sums and order of rows by the values of their columns. Pure."""

from itertools import repeat
from operator import add

import numpy as np

from services.stats.counting.decoding import Integers

FEW_ROWS = 24
"""Up to so many rows a dictionary is faster: numpy takes as long for one row as for a thousand."""


def group_sums(*columns: Integers, extra: Integers | None = None) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Group rows by columns: [(their values, (number of rows, sum of `extra`))], sorted by the values."""
    if len(columns[0]) <= FEW_ROWS:
        return _few_sums(columns, extra)
    code, sizes, values = np.zeros(len(columns[0]), np.int64), [], []
    for column in columns:
        found, index = dense_index(column)
        code = code * len(found) + index
        sizes.append(len(found))
        values.append(found)
    groups, index = dense_index(code)
    totals = [np.bincount(index, minlength=len(groups))]
    if extra is not None:
        totals.append(np.bincount(index, weights=extra, minlength=len(groups)).astype(np.int64))
    present = np.flatnonzero(totals[0])
    groups = groups[present]
    keys: list[list[int]] = []
    for size, found in zip(reversed(sizes), reversed(values), strict=True):
        keys.append(found[groups % size].tolist())
        groups = groups // size
    sums = zip(*(total[present].tolist() for total in totals), strict=True)
    return list(zip(zip(*reversed(keys), strict=True), sums, strict=True))


def _few_sums(columns: tuple[Integers, ...], extra: Integers | None) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    amounts = repeat(()) if extra is None else zip(extra.tolist(), strict=True)
    sums: dict[tuple[int, ...], tuple[int, ...]] = {}
    for key, amount in zip(zip(*(column.tolist() for column in columns), strict=True), amounts, strict=False):
        before = sums.get(key)
        sums[key] = (1, *amount) if before is None else tuple(map(add, before, (1, *amount)))
    return sorted(sums.items())


def dense_index(column: Integers) -> tuple[Integers, Integers]:
    """Return values, and the index of each row's value among them. Values that are close together need no sorting."""
    lowest = column.min()
    if column.max() - lowest <= 4 * len(column):
        return np.arange(lowest, column.max() + 1), column - lowest
    return np.unique(column, return_inverse=True)


def stable_order(column: Integers) -> Integers:
    """Return the order of rows by their values, those of one value as they were.

    Args:
        column: Of numbers from 0 to below 2**31, such as places in another column.
    """
    rows = np.arange(len(column))
    return np.asarray(np.sort(column << 32 | rows) & 0xFFFFFFFF)  # numbers sort several times faster than indexes

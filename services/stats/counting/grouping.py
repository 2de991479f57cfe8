"""Sums of rows by the values of their columns. Pure."""

import numpy as np

from services.stats.counting.decoding import Integers


def group_sums(*columns: Integers, extra: Integers | None = None) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Group rows by columns: [(their values, (number of rows, sum of `extra`))]."""
    code, sizes, values = np.zeros(len(columns[0]), np.int64), [], []
    for column in columns:
        found, index = _dense_index(column)
        code = code * len(found) + index
        sizes.append(len(found))
        values.append(found)
    groups, index = _dense_index(code)
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


def _dense_index(column: Integers) -> tuple[Integers, Integers]:
    """Return values, and the index of each row's value among them. Values that are close together need no sorting."""
    lowest = column.min()
    if column.max() - lowest <= 4 * len(column):
        return np.arange(lowest, column.max() + 1), column - lowest
    return np.unique(column, return_inverse=True)

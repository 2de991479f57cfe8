"""Sums of rows by the values of their columns."""

from collections import Counter, defaultdict
from random import Random

import numpy as np

from services.stats.counting.grouping import group_sums


def test_group_sums_equals_a_plain_count() -> None:
    """Each combination of values has its number of rows and the sum of the extra column, also for distant values."""
    random = Random(1)
    for values in ((0, 1, 2), (0, 10**15), (-5, 7)):
        rows = [(random.choice(values), random.choice(values), random.randrange(3)) for _ in range(50)]
        numbers, sums = Counter(row[:2] for row in rows), defaultdict(int)
        for first, second, extra in rows:
            sums[first, second] += extra
        columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
        found = dict(group_sums(columns[0], columns[1], extra=columns[2]))
        assert found == {key: (number, sums[key]) for key, number in numbers.items()}
        assert dict(group_sums(columns[0], columns[1])) == {key: (number,) for key, number in numbers.items()}

"""Sums by the values of columns: the way for few rows and the one for many agree."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.counting import grouping
from services.stats.counting.grouping import FEW_ROWS, group_sums

VALUES = st.one_of(st.integers(0, 3), st.integers(-5, 10**6), st.integers(0, 2**40))


def plain_sums(columns: list[list[int]], extra: list[int] | None) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
    for number, key in enumerate(zip(*columns, strict=True)):
        sums[key][0] += 1
        sums[key][1] += extra[number] if extra else 0
    return [(key, tuple(both) if extra is not None else (both[0],)) for key, both in sorted(sums.items())]


@given(st.data(), st.integers(1, 3 * FEW_ROWS), st.integers(1, 3), st.booleans())
def test_sums_are_those_of_a_plain_loop(data: st.DataObject, rows: int, width: int, has_extra: bool) -> None:
    """For any number of rows and columns: the same groups, in the order of their values, with the same sums."""
    column = st.lists(VALUES if width == 1 else st.integers(-9, 999), min_size=rows, max_size=rows)
    columns = [data.draw(column) for _ in range(width)]
    extra = data.draw(st.lists(st.integers(-3, 1), min_size=rows, max_size=rows)) if has_extra else None
    arrays = [np.array(one, np.int64) for one in columns]
    amounts = None if extra is None else np.array(extra, np.int64)
    assert group_sums(*arrays, extra=amounts) == plain_sums(columns, extra)


@pytest.mark.parametrize("rows", [1, FEW_ROWS, FEW_ROWS + 1])
def test_sums_have_the_same_types_on_both_sides_of_the_bound(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and sums are plain integers: they go into dictionaries and to Postgres."""
    column, extra = np.arange(rows) % 2, np.ones(rows, np.int64)
    few = group_sums(column, extra=extra)
    monkeypatch.setattr(grouping, "FEW_ROWS", 0)
    assert few == group_sums(column, extra=extra)
    assert {type(number) for key, sums in few for number in (*key, *sums)} == {int}

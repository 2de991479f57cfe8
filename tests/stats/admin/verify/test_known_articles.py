"""`verify` compares the known articles with the log and with the counts."""

from collections.abc import Callable
from typing import Any

import pytest

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_values import PartitionValues, Totals
from services.stats.admin.verify.known_articles import compare_known_articles
from services.stats.admin.verify.values import Gap, StoredValues, VerifyReport

A, B = ArticleKey("haihau", "a"), ArticleKey("haihau", "b")
Change = Callable[[StoredValues], Any]


def stored() -> StoredValues:
    """Return two known articles: one of a view in the log, one of a former version."""
    values = StoredValues()
    values.known_articles[0] = {A: Acceptance(3, 20_000), B: Acceptance(-1, None)}
    values.counts[0] = {Bucket(*key, "total", 0): Totals(1) for key in (A, B)}
    return values


def drifts(values: StoredValues, log_begin: int = 0) -> list[tuple[str, str, int, int]]:
    report = VerifyReport()
    must = PartitionValues(known_articles={A: Acceptance(3, 20_000)})
    compare_known_articles(report, values, must, 0, log_begin)
    return [(one.article, one.measure, one.expected, one.stored) for one in report.drifts]


def test_correct_known_articles_have_no_drift() -> None:
    """Articles of the log and of a former version pass."""
    assert drifts(stored()) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda one: one.known_articles[0].pop(A), [("a", "rows, as it has counts", 1, 0), ("a", "rows", 1, 0)]),
        (lambda one: one.known_articles[0].pop(B), [("b", "rows, as it has counts", 1, 0)]),
        (lambda one: one.counts[0].clear(), [(key, "rows, as it has counts", 0, 1) for key in "ab"]),
        (lambda one: one.known_articles[0].update({A: Acceptance(4, 20_000)}), [("a", "accepted_at_offset", 3, 4)]),
        (lambda one: one.known_articles[0].update({A: Acceptance(3, 20_001)}), [("a", "day", 20_000, 20_001)]),
        (lambda one: one.known_articles[0].update({A: Acceptance(3, None)}), [("a", "day", 20_000, -1)]),
        (lambda one: one.known_articles[0].update({B: Acceptance(5, 20_000)}), [("b", "rows", 0, 1)]),
        (lambda one: one.known_articles[0].update({B: Acceptance(5, None)}), [("b", "rows", 0, 1)]),
        (lambda one: one.known_articles[0].update({B: Acceptance(-1, 20_000)}), [("b", "rows", 0, 1)]),
    ],
)
def test_each_change_of_known_articles_is_named(change: Change, named: list[tuple[str, str, int, int]]) -> None:
    """A row that is deleted, added or changed is named, and so are counts without a row."""
    values = stored()
    change(values)
    assert drifts(values) == named


def test_articles_of_deleted_records_are_excused() -> None:
    """Before the log's beginning there are no views to compare with; after it there must be."""
    values = stored()
    values.known_articles[0][B] = Acceptance(2, 20_000)
    assert drifts(values, log_begin=3) == []
    values.known_articles[0][B] = Acceptance(4, 20_000)
    assert drifts(values, log_begin=3) == [("b", "rows", 0, 1)]


def test_articles_of_a_former_log_are_known_where_the_new_one_begins() -> None:
    """After `--new-log` or `--lost-records` articles without a day have the offset of that place."""
    values = stored()
    values.gaps = [Gap(0, 7, 7)]
    values.known_articles[0][B] = Acceptance(7, None)
    assert drifts(values) == []
    values.known_articles[0][B] = Acceptance(8, None)
    assert drifts(values) == [("b", "rows", 0, 1)]

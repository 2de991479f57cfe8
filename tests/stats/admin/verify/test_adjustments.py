"""Adjustments against their topic."""

import json
from typing import Any

from services.stats.admin.verify.adjustments import AdjustmentRow, compare_adjustments, expected_adjustments
from tests.stats.admin.test_reference_model import NOON
from tests.stats.admin.verify.test_comparison import drifts


def adjustment(number: int, **fields: Any) -> bytes:
    given = {"id": f"{number:036}", "site": "haihau", "article": None, "measure": "visits", "amount": 5, "who": "an"}
    return json.dumps({**given, "why": "opening balance", "at": NOON, **fields}).encode()


def test_adjustments_are_compared_with_their_topic() -> None:
    """The first record of an id counts; changed, added and deleted rows are named, and so is each sum."""
    values = [
        adjustment(1),
        adjustment(1, amount=9),
        adjustment(2, article="bai-1"),
        None,
        b"{",
        adjustment(3, why="\0"),
    ]
    expected = expected_adjustments(values)
    assert [(one.article, one.amount) for one in expected.values()] == [("", 5), ("bai-1", 5)]
    first, second = expected
    assert not compare_adjustments(dict(expected), expected).drifts
    forged = {"f": AdjustmentRow("haihau", "", "views", 1_000, "x", "x", expected[first].created_at)}
    changed = {first: expected[first]._replace(amount=5_000, who="x")} | forged
    assert drifts(compare_adjustments(changed, expected)) == [
        ("", f"adjustment {first}", "fields that differ and amount and who", 0, 2),
        ("bai-1", f"adjustment {second}", "rows", 1, 0),
        ("", "adjustment f", "rows", 0, 1),
        ("", "adjustments", "views", 0, 1_000),
        ("", "adjustments", "visits", 5, 5_000),
        ("bai-1", "adjustments", "visits", 5, 0),
    ]

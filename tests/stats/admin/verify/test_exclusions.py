"""What the counts know of exclusions, compared with what was entered and with the log."""

from datetime import UTC

import pytest

from services.stats.admin.reference_exclusions import ExclusionRow
from services.stats.admin.verify.exclusions import COMPLETE_AFTER_SECONDS, compare_exclusions
from services.stats.admin.verify.values import StoredExclusion, VerifyReport

DAY = 20_000 * 86_400
ROW = ExclusionRow("x", "haihau", 7, DAY + 3_600, DAY + 7_200, DAY * 1000)
ANN, BOB = ("haihau", "a" * 16), ("haihau", "b" * 16)


def drifts(one: StoredExclusion, lost_until: int = 0, newest: int = DAY) -> list[str]:
    report = VerifyReport()
    compare_exclusions(report, [one], lost_until=lost_until, newest=newest, zone=lambda _: UTC)
    return [drift.measure for drift in report.drifts]


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (StoredExclusion(ROW, True, True, 1, {ANN}, {ANN}), []),
        (StoredExclusion(ROW, False, False, 1, set()), []),
        (
            StoredExclusion(ROW, True, None, 0, set(), {ANN}),
            ["rows (run `stats rebuild`)", "out of the counts (run `stats rebuild`)"],
        ),
        (
            StoredExclusion(ROW, False, True, 1, {ANN}),
            ["out of the counts (run `stats rebuild`)", "visitor IDs that are not in the log"],
        ),
        (StoredExclusion(ROW, True, True, 2, {ANN}, {ANN}), ["visitors"]),
        (StoredExclusion(ROW, True, True, 1, {BOB}, {ANN}), ["visitor IDs", "visitor IDs that are not in the log"]),
    ],
)
def test_differences_of_an_exclusion_are_named(stored: StoredExclusion, found: list[str]) -> None:
    """One that was entered or reversed and not applied, another number of visitors, and other visitors are drift."""
    assert drifts(stored) == found


def test_exclusion_of_a_day_that_the_log_lacks_is_not_compared() -> None:
    """What cannot be counted again stays as it is, and expired visitor IDs are no drift."""
    other = StoredExclusion(ROW, True, None, 0, set(), {ANN})
    assert drifts(other, lost_until=DAY - COMPLETE_AFTER_SECONDS + 1) == []
    assert drifts(other, lost_until=DAY - COMPLETE_AFTER_SECONDS) != []
    assert drifts(StoredExclusion(ROW, True, True, 1, set(), {ANN}), newest=DAY + 13 * 86_400) == []

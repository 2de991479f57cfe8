"""Stored evidence compared with the log: what differs, and what is no longer compared."""

from services.stats.admin.verify.comparison import compare
from services.stats.admin.verify.evidence import KEPT_SECONDS
from services.stats.admin.verify.values import LogSpan
from tests.stats.admin.test_reference_model import MINUTE, NOON, SITES, fold, record
from tests.stats.admin.verify.test_comparison import stored_of, whole


def test_drift_of_evidence_names_the_group_and_the_window() -> None:
    """A changed number, another network, a missing and an additional row of evidence are found."""
    seen = [record(n, at=NOON + n * 40 * MINUTE, client="2" + "0" * 15, visitor=f"{n:016x}") for n in range(3)]
    expected = fold(*seen)
    stored = stored_of(expected)
    assert not compare(stored, expected, whole(expected), SITES).drifts
    first, second = sorted(stored.evidence[0])
    stored.evidence[0][first] = stored.evidence[0][first]._replace(arrivals=3, networks="0" * 512)
    stored.evidence[0][second._replace(agent=7)] = stored.evidence[0].pop(second)
    report = compare(stored, expected, whole(expected), SITES)
    before, after = f"of window {first.window_index}", f"of window {second.window_index}"
    measures = ("views", "arrivals", "home_views", "direct_views")
    assert [(one.article, one.measure, one.expected, one.stored) for one in report.drifts] == [
        ("agent 536870912", f"arrivals {before}", 1, 3),
        ("agent 536870912", f"networks {before} that differ", 0, 1),
        *(("agent 7", f"{name} {after}", 0, 1) for name in measures),
        ("agent 7", f"networks {after} that differ", 0, 1),
        *(("agent 536870912", f"{name} {after}", 1, 0) for name in measures),
        ("agent 536870912", f"networks {after} that differ", 0, 1),
    ]


def test_evidence_of_days_that_the_log_lacks_or_that_expired_is_not_compared() -> None:
    """Days that began before a loss of counted records are not compared, nor are rows that may be deleted."""
    seen = [record(n, at=NOON + n * 40 * MINUTE, client="2" + "0" * 15, visitor=f"{n:016x}") for n in range(3)]
    expected = fold(*seen)
    stored = stored_of(expected)
    stored.evidence[0].clear()
    assert compare(stored, expected, whole(expected), SITES).drifts
    progress = stored.partitions[0]
    stored.partitions[0] = progress._replace(next_offset=progress.next_offset + 1)
    cut = {0: LogSpan(1, NOON, {})}
    assert not [one for one in compare(stored, expected, cut, SITES).drifts if one.kind == "evidence"]
    stored.partitions[0] = progress._replace(newest_arrived=NOON + (KEPT_SECONDS + 2 * 3_600) * 1_000)
    report = compare(stored, expected, whole(expected), SITES)
    assert not [one for one in report.drifts if one.kind == "evidence"]


def test_evidence_that_begins_after_the_counted_records_is_drift() -> None:
    """The offset from which on events are evidence is one of those that are counted."""
    expected = fold(record(0))
    stored = stored_of(expected)
    stored.partitions[0] = stored.partitions[0]._replace(evidence_from=2)
    (drift,) = compare(stored, expected, whole(expected), SITES).drifts
    assert (drift.kind, drift.measure, drift.stored, drift.at_most) == ("offsets", "evidence_from", 2, 1)

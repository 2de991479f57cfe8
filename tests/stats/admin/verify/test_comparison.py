"""The comparison of `verify`: what differs is named, and what Kafka has deleted is compared by bounds and sums."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_model import recount
from services.stats.admin.reference_values import Expected, LedgerKey, PresenceKey, Totals
from services.stats.admin.verify.comparison import compare
from services.stats.admin.verify.values import Gap, LogSpan, PartitionProgress, StoredValues, VerifyReport
from tests.stats.admin.test_reference_model import DAY, HOUR, MINUTE, NOON, SITES, Record, fold, instant, record

TODAY = instant("2026-11-24T00:00+07:00") // 1000


def stored_of(expected: Expected) -> StoredValues:
    """What is stored if every rule was followed; a visitor is stored with the first partition."""
    stored = StoredValues(clock_ms=NOON + 400 * DAY)
    stored.daily_visitors = {key: set(visitors) for key, visitors in expected.daily_visitors.items()}
    for number, values in expected.partitions.items():
        stored.partitions[number] = PartitionProgress(values.records, values.newest_arrived, 0, "")
        stored.counts[number] = {bucket: replace(totals) for bucket, totals in values.counts.items()}
        stored.ledger[number] = dict(values.ledger)
        stored.referrers[number] = dict(values.referrers)
        stored.presence[number] = dict(values.presence)
        stored.known_articles[number] = dict(values.known_articles)
        stored.evidence[number] = dict(values.evidence)
    for bucket, totals in expected.counts.items():
        number = next((number for number, values in expected.partitions.items() if bucket in values.counts), 0)
        stored.counts[number].setdefault(bucket, Totals()).visitors = totals.visitors
    return stored


def whole(expected: Expected) -> dict[int, LogSpan]:
    return {number: LogSpan(0, NOON, {}) for number in expected.partitions}


def drifts(report: VerifyReport) -> list[tuple[str, str, str, int, int]]:
    return [(one.article, one.kind, one.measure, one.expected, one.stored) for one in report.drifts]


def test_drift_names_the_value() -> None:
    """Comparing finds every number that is too high, too low or missing, and nothing else."""
    expected = fold(record(0, article="bai-1"), record(1, bot="crawler"))
    stored = stored_of(expected)
    report = compare(stored, expected, whole(expected), SITES)
    counts, ledger, referrers, online, visitor_days, offsets, articles = 6 * 3, 2, 1, 2, 2, 4, 3
    assert report == VerifyReport(counters=counts + ledger + referrers + online + visitor_days + offsets + articles)
    stored.counts[0][Bucket("haihau", "bai-1", "total", 0)].views += 1
    stored.counts[0][Bucket("haihau", "bai-2", "total", 0)] = Totals(visits=2)
    stored.ledger[0][LedgerKey("haihau", TODAY, "bot", "crawler")] = 0
    stored.ledger[0][LedgerKey("haihau", TODAY, "bot", "fetcher")] = 1
    stored.referrers[0].clear()
    assert drifts(compare(stored, expected, whole(expected), SITES)) == [
        ("bai-1", "total", "views", 1, 2),
        ("bai-2", "total", "visits", 0, 2),
        ("", "ledger", "bot crawler", 1, 0),
        ("", "ledger", "bot fetcher", 0, 1),
        ("", "referrers", "visits from nowhere", 1, 0),
        ("bai-2", "known_articles", "rows, as it has counts", 1, 0),
    ]


def test_visitor_of_two_partitions_may_be_in_either_place() -> None:
    """Which partition's view made a visitor is not drift; a visitor too many is."""
    expected = recount({0: [record(0, article="bai-1")], 1: [record(0, article="bai-2")]}, SITES)
    stored = stored_of(expected)
    for grain, start in (("day", TODAY), ("total", 0)):
        stored.counts[0][Bucket("haihau", "bai-1", grain, start)].visitors = 0  # type: ignore[arg-type]
        stored.counts[1][Bucket("haihau", "bai-2", grain, start)].visitors = 1  # type: ignore[arg-type]
    assert not compare(stored, expected, whole(expected), SITES).drifts
    stored.counts[1][Bucket("haihau", "bai-2", "total", 0)].visitors = 2
    assert drifts(compare(stored, expected, whole(expected), SITES)) == [("bai-2", "total", "visitors", 0, 2)]


Change = Callable[[StoredValues], object]
SITE_ONLINE = PresenceKey("haihau", "", (NOON + 119 * HOUR) // 5000)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda stored: stored.presence[0].update({SITE_ONLINE: 10}), ("", "online", "visitors", 1, 10)),
        (lambda stored: stored.presence[0].clear(), ("", "online", "visitors", 1, 0)),
        (
            lambda stored: stored.presence[7].update({SITE_ONLINE._replace(article="x"): 1}),
            ("x", "online", "visitors", 0, 1),
        ),
        (lambda stored: stored.daily_visitors.clear(), ("", "visitor_days", "visitor IDs", 1, 0)),
        (
            lambda stored: stored.daily_visitors["haihau", TODAY + 4 * 86_400].add(77),
            ("", "visitor_days", "visitor IDs that are not in the log", 0, 1),
        ),
    ],
)
def test_online_and_visitors_are_compared(change: Change, named: tuple[Any, ...]) -> None:
    """Online and visitor IDs that were changed, deleted or added are named; before, they passed."""
    expected = fold(*days_of_views())
    stored = stored_of(expected)
    assert not compare(stored, expected, whole(expected), SITES).drifts
    change(stored)
    assert named in drifts(compare(stored, expected, whole(expected), SITES))


def days_of_views() -> list[Record]:
    """A view each hour for five days, by a visitor of the day."""
    return [record(n, at=NOON + n * HOUR, visitor=f"{n // 24:016x}") for n in range(5 * 24)]


def trimmed(first: int) -> tuple[StoredValues, Expected, dict[int, LogSpan]]:
    """Everything is counted, and Kafka has deleted the records before the first one that is left."""
    records = days_of_views()
    stored = stored_of(fold(*records))
    expected = recount({0: records[first:]}, SITES, stored={0: stored.articles_of(0, first)})
    return stored, expected, {0: LogSpan(first, records[first][1], {})}


def test_deleted_records_are_within_bounds_and_sums() -> None:
    """Without the log's beginning nothing differs, and a change is named by a bound, by a sum, or exactly."""
    stored, expected, spans = trimmed(10)
    assert not compare(stored, expected, spans, SITES).drifts
    hour = Bucket("haihau", "", "hour", (NOON + 11 * HOUR) // 1000)
    day = Bucket("haihau", "", "day", TODAY)
    for bucket, amount, named in (
        (hour, 1, ("", "hour", "views", 1, 2)),  # 11 hours after noon: the log has it, and the day only in part
        (day, 1, ("", "day", "views as the sum of its hours", 12, 13)),
        (day, 1_000_000, ("", "day", "views", 0, 1_000_012)),
        (day._replace(grain="total", start=0), 1, ("", "total", "views as the sum of its days", 120, 121)),
    ):
        stored.counts[0][bucket].views += amount
        assert named in drifts(compare(stored, expected, spans, SITES)), named
        stored.counts[0][bucket].views -= amount
    stored.ledger[0][LedgerKey("haihau", TODAY, "counted", "")] += 1
    assert ("", "offsets", "ledger entries", 120, 121) in drifts(compare(stored, expected, spans, SITES))


def test_gap_excuses_its_records_only() -> None:
    """A row in stats.gaps hides nothing: a million views too many are named, and so is a gap that the log refutes."""
    expected = fold(*days_of_views())
    stored = stored_of(expected)
    gap = Gap(0, 3, 5)
    stored.gaps = [gap]
    spans = {0: LogSpan(0, NOON, {gap: 2})}
    for bucket in stored.counts[0]:
        if bucket.start == TODAY or bucket.grain == "total":
            stored.counts[0][bucket].views += 1_000_000
    assert drifts(compare(stored, expected, spans, SITES)) == [
        ("", "gap 3 to 5", "records in the log", 0, 2),
        ("", "day", "views", 12, 1_000_012),
        ("", "total", "views", 120, 1_000_120),
        ("/", "day", "views", 12, 1_000_012),
        ("/", "total", "views", 120, 1_000_120),
    ]


def test_gap_in_a_trimmed_log_needs_offsets_without_record() -> None:
    """Offsets of a gap are without a ledger entry: a gap that was only written down does not fit."""
    stored, expected, spans = trimmed(10)
    stored.gaps = [Gap(0, 2, 9)]
    assert drifts(compare(stored, expected, spans, SITES)) == [("", "offsets", "offsets_without_record", 7, 0)]


def test_new_log_keeps_earlier_counts_within_bounds() -> None:
    """After `rebuild --new-log` the counts of the earlier log stay, its gaps do not matter, and sums must agree."""
    stored, _, _ = trimmed(10)
    gap = Gap(0, 0, 5)
    stored.gaps = [gap, Gap(0, 0, 0)]
    stored.known_articles[0] = {ArticleKey("haihau", "/"): Acceptance(0, None)}
    expected = recount({0: days_of_views()[10:]}, SITES, stored={0: stored.articles_of(0, 0)})
    stored.partitions[0] = PartitionProgress(110, stored.partitions[0].newest_arrived, -10, "")
    spans = {0: LogSpan(0, NOON + 10 * HOUR, {gap: 5})}
    assert not compare(stored, expected, spans, SITES).drifts
    stored.counts[0][Bucket("haihau", "", "total", 0)].visits += 11
    assert ("", "total", "visits", 0, 131) in drifts(compare(stored, expected, spans, SITES))


def test_moved_offsets_are_named() -> None:
    """An offset that was moved does not fit the ledger."""
    expected = fold(*days_of_views())
    stored = stored_of(expected)
    stored.partitions[0] = stored.partitions[0]._replace(offsets_without_record=1, newest_arrived=5)
    assert drifts(compare(stored, expected, whole(expected), SITES))[:3] == [
        ("", "offsets", "ledger entries", 119, 120),
        ("", "offsets", "offsets_without_record", 0, 1),
        ("", "offsets", "newest_arrived", NOON + 119 * HOUR, 5),
    ]


def test_expired_buckets_are_not_missed() -> None:
    """5m buckets of more than 40 days and visitor IDs of more than 12 days ago may be deleted."""
    expected = fold(record(0), record(1, at=NOON + 41 * DAY))
    stored = stored_of(expected)
    del stored.counts[0][Bucket("haihau", "", "5m", NOON // 1000)]
    del stored.daily_visitors["haihau", TODAY]
    assert not compare(stored, expected, whole(expected), SITES).drifts


def test_record_stamped_far_ahead_excuses_no_bucket() -> None:
    """The age of buckets is judged by Postgres' clock if a record is stamped 400 days ahead."""
    expected = fold(record(0), record(1, at=NOON + 400 * DAY))
    stored = stored_of(expected)
    stored.clock_ms = NOON + MINUTE
    del stored.counts[0][Bucket("haihau", "", "5m", NOON // 1000)]
    assert ("", "5m", "views", 1, 0) in drifts(compare(stored, expected, whole(expected), SITES))

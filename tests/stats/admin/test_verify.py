"""The comparison of stored and expected values."""

from datetime import UTC, datetime

from services.stats.admin.reference_model import Bucket, Expected, LedgerKey, ReferrerKey, Tolerance, Totals
from services.stats.admin.verify import Drift, PartitionProgress, StoredCounts, _message, compare
from shared.sites import Site, Sites

SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
DAY = int(datetime.fromisoformat("2026-11-24T00:00+07:00").timestamp())
TOTAL, TODAY = Bucket("haihau", "", "total", 0), Bucket("haihau", "", "day", DAY)


def stored(**fields: dict[Bucket, Totals]) -> StoredCounts:
    return StoredCounts(
        partitions={0: PartitionProgress(5, (DAY + 3_600) * 1000, "topic", False)},
        counts=fields.get("counts", {TODAY: Totals(3, 2, 1), TOTAL: Totals(3, 2, 1)}),
        ledger={LedgerKey("haihau", DAY, "counted", ""): 3},
        referrers={ReferrerKey("haihau", DAY, "zalo.me"): 2},
    )


def expected() -> Expected:
    one = Expected()
    one.counts.update({TODAY: Totals(3, 2, 1), TOTAL: Totals(3, 2, 1)})
    one.ledger[LedgerKey("haihau", DAY, "counted", "")] = 3
    one.referrers[ReferrerKey("haihau", DAY, "zalo.me")] = 2
    return one


def test_compare_equal_values_finds_no_drift() -> None:
    """Every measure, ledger entry and referrer is compared, and none differs."""
    report = compare(stored(), expected(), SITES, None)
    assert (report.counters, report.drifts) == (2 * 3 + 1 + 1, [])


def test_compare_missing_and_surplus_values_finds_each() -> None:
    """A value that is missing on either side, or differs, is a drift with both numbers."""
    here = stored(counts={TOTAL: Totals(5, 2, 1)})
    here.ledger[LedgerKey("haihau", DAY, "bot", "crawler")] = 1
    here.referrers.clear()
    drifts = compare(here, expected(), SITES, None).drifts
    assert {(one.grain, one.measure, one.expected, one.stored) for one in drifts} == {
        ("total", "views", 3, 5),
        ("day", "views", 3, 0),
        ("day", "visits", 2, 0),
        ("day", "visitors", 1, 0),
        ("ledger", "bot crawler", 0, 1),
        ("referrers", "visits from zalo.me", 2, 0),
    }


def test_compare_within_tolerance_is_no_drift() -> None:
    """Visitors may differ within the tolerance, other measures may not."""
    here = stored(counts={TODAY: Totals(3, 2, 2), TOTAL: Totals(3, 2, 1)})
    one = expected()
    one.tolerance[TODAY] = Tolerance(fewer=0, more=1)
    assert compare(here, one, SITES, None).drifts == []
    here.counts[TODAY].visitors = 3
    assert [drift.measure for drift in compare(here, one, SITES, None).drifts] == ["visitors"]


def test_compare_after_lost_records_ignores_incomplete_days() -> None:
    """Days that the log has only in part are not compared; totals are compared with the sum of the stored days."""
    lost_until = (DAY - 10 * 3_600) * 1000
    yesterday = Bucket("haihau", "", "day", DAY - 86_400)
    counts = {yesterday: Totals(90, 90, 90), TODAY: Totals(3, 2, 1), TOTAL: Totals(93, 92, 91)}
    assert compare(stored(counts=counts), expected(), SITES, lost_until).drifts == []
    counts[TOTAL] = Totals(94, 92, 91)
    drifts = compare(stored(counts=counts), expected(), SITES, lost_until).drifts
    assert [(one.measure, one.expected, one.stored) for one in drifts] == [("views", 93, 94)]


def test_message_of_a_drift_has_the_local_time() -> None:
    """The message names the counter, its local time, both values and the difference."""
    assert _message(Drift("haihau", "bai-1", "day", DAY, "views", 3, 5), SITES) == (
        "haihau bai-1 day 2026-11-24T00:00:00+07:00 views: expected 3, stored 5, drift +2"
    )
    assert _message(Drift("elsewhere", "", "total", 0, "views", 3, 1), SITES) == (
        "elsewhere (site) total views: expected 3, stored 1, drift -2"
    )
    assert datetime.fromtimestamp(DAY, UTC).hour == 17

"""Deltas of a rebuild: days that are kept are not counted again."""

from datetime import datetime

from services.stats.admin.kept_days import next_day, without_kept_days
from services.stats.counting.decoding import DeadLetter
from services.stats.counting.rules import BucketCount, CountDeltas, DayCount, NewDailyVisitor, PresenceSnapshot
from shared.sites import Site, Sites

SITES = Sites(
    haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"),
    kathmandu=Site(slug="kathmandu", name="K", origins=["https://k.example"], timezone="Asia/Kathmandu"),
)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


FIRST_DAY = seconds("2026-11-24T00:00+05:45")


def deltas(site: str = "kathmandu") -> CountDeltas:
    found = CountDeltas(
        day_counts=[DayCount(site, "", day, 1, 1) for day in (FIRST_DAY - 86_400, FIRST_DAY)],
        bucket_counts=[BucketCount(site, "hour", FIRST_DAY + offset, 1, 1) for offset in (-7_200, -3_600, 0)],
        daily_visitors=[NewDailyVisitor(site, day, 1, "", day, day) for day in (FIRST_DAY - 86_400, FIRST_DAY)],
        presence=[PresenceSnapshot(site, "", 1, [1])],
        dead_letters=[DeadLetter(1, "schema", b"")],
    )
    for day in (FIRST_DAY - 86_400, FIRST_DAY):
        found.ledger[site, day, "counted", ""] = 1
        found.referrers[site, day, "zalo.me"] = 1
    return found


def test_without_kept_days_removes_earlier_days_and_dead_letters() -> None:
    """Only days from the first counted one on stay, with their hours; dead letters were sent before."""
    found = without_kept_days(deltas(), {"kathmandu": FIRST_DAY}, {"kathmandu": FIRST_DAY})
    assert [one.day for one in found.day_counts] == [FIRST_DAY]
    assert [one.bucket_start for one in found.bucket_counts] == [FIRST_DAY]
    assert [one.day for one in found.daily_visitors] == [FIRST_DAY]
    assert [key[1] for key in found.ledger] == [FIRST_DAY]
    assert [key[1] for key in found.referrers] == [FIRST_DAY]
    assert (len(found.presence), found.dead_letters) == (1, [])


def test_without_kept_days_of_a_site_without_kept_days_keeps_all() -> None:
    """A site that is not in the mapping is counted from its first record on."""
    found = without_kept_days(deltas("haihau"), {"kathmandu": FIRST_DAY}, {"kathmandu": FIRST_DAY})
    assert (len(found.day_counts), len(found.bucket_counts), len(found.ledger)) == (2, 3, 2)


def test_next_day_is_the_first_local_day_at_or_after_an_instant() -> None:
    """An instant at midnight is its own day; any later one gives the next local day."""
    midnight = seconds("2026-11-24T00:00+07:00")
    assert next_day(midnight * 1000, SITES["haihau"].zone) == midnight
    assert next_day(midnight * 1000 + 1, SITES["haihau"].zone) == midnight + 86_400
    assert next_day((FIRST_DAY - 60) * 1000, SITES["kathmandu"].zone) == FIRST_DAY

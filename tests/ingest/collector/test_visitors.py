"""Visitor IDs and partition hashes."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.collector import visitors
from services.ingest.collector.visitors import (
    DerivedIds,
    LocalDays,
    RecentClients,
    derive_partition_hash,
    derive_visitor_id,
    local_days,
)

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("instant", "days"),
    [
        ("2026-11-24T23:59:59+07:00", LocalDays(date(2026, 11, 24), None)),
        ("2026-11-25T00:00:01+07:00", LocalDays(date(2026, 11, 25), date(2026, 11, 24))),
        ("2026-11-25T00:59:59+07:00", LocalDays(date(2026, 11, 25), date(2026, 11, 24))),
        ("2026-11-25T01:00:01+07:00", LocalDays(date(2026, 11, 25), None)),
        ("2026-11-25T06:59:00+07:00", LocalDays(date(2026, 11, 25), None)),
        ("2026-11-25T07:01:00+07:00", LocalDays(date(2026, 11, 25), None)),
    ],
)
def test_local_days_follow_the_site_time_zone(instant: str, days: LocalDays) -> None:
    """The day changes at local midnight and overlaps with the previous one for an hour; 00:00 UTC changes nothing."""
    assert local_days(ms(instant), HANOI) == days


@pytest.mark.parametrize(
    "zone",
    [
        *("Africa/Cairo", "Asia/Beirut", "America/Havana", "Atlantic/Azores", "America/Santiago", "America/Asuncion"),
        *("Europe/Berlin", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh"),
    ],
)
def test_local_days_overlap_for_the_first_hour_of_each_day_of_a_year(zone: str) -> None:
    """Also where summer time skips midnight, so that the day begins at 01:00, its first hour has the day before."""
    quarter = 15 * 60_000
    first, last = ms("2026-01-01T00:00:00+00:00"), ms("2027-01-01T00:00:00+00:00")
    previous, begun = None, 0
    for instant in range(first, last, quarter):
        today = datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).date()
        if previous is None or today != previous[0]:
            previous, begun = (today, previous[0] if previous else None), instant
        if previous[1] is not None:
            yesterday = previous[1] if instant - begun < 4 * quarter else None
            assert local_days(instant, ZoneInfo(zone)) == LocalDays(today, yesterday)


def test_derive_visitor_id_differs_by_each_input() -> None:
    """Salt, site, address and user agent each change the ID; the same four give the same 16 hex digits."""
    same = (b"salt", "haihau", "192.0.2.1", CHROME)
    ids = {derive_visitor_id(*same)}
    ids.add(derive_visitor_id(b"next", *same[1:]))
    ids.add(derive_visitor_id(b"salt", "other", *same[2:]))
    ids.add(derive_visitor_id(b"salt", "haihau", "192.0.2.2", CHROME))
    ids.add(derive_visitor_id(b"salt", "haihau", "192.0.2.1", CHROME + " "))
    ids.add(derive_visitor_id(b"salt", "haiha", "u192.0.2.1", CHROME))
    assert len(ids) == 6
    assert derive_visitor_id(*same) in ids
    assert all(len(visitor_id) == 16 and int(visitor_id, 16) >= 0 for visitor_id in ids)


def test_derive_partition_hash_spreads_visitors_over_partitions() -> None:
    """A thousand visitors use every partition, and each visitor always the same one."""
    partitions = [derive_partition_hash(b"secret", "haihau", f"192.0.2.{n}", CHROME) % 12 for n in range(1000)]
    assert set(partitions) == set(range(12))
    assert max(partitions.count(partition) for partition in range(12)) < 150
    assert partitions[0] == derive_partition_hash(b"secret", "haihau", "192.0.2.0", CHROME) % 12


def test_recent_clients_have_the_ids_that_are_derived_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that decides an ID decides it for clients that are known, too, before and after all are forgotten."""
    monkeypatch.setattr(visitors, "RECENT_CLIENTS_MAX", 5)
    recent = RecentClients()
    clients = [
        (salt, secret, site, address, agent)
        for salt in (b"day 1", b"day 2")
        for secret in (b"s", b"t")
        for site in ("haihau", "haih")
        for address, agent in (("192.0.2.1", CHROME), ("192.0.2.11", CHROME), ("192.0.2.1", "1" + CHROME))
    ]
    for salt, secret, *client in clients * 3:
        expected = DerivedIds(derive_visitor_id(salt, *client), derive_partition_hash(secret, *client))
        for _ in range(2):
            assert recent.derive(salt, secret, *client) == expected

"""Visitor IDs and partition hashes."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.collector.visitors import (
    LocalDays,
    client_class,
    derive_client,
    derive_partition_hash,
    derive_visitor_id,
    local_days,
)
from shared.events import CLIENT_CLASSES

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


SALT = b"s" * 32


def test_derive_client_groups_by_agent_and_by_network() -> None:
    """Clients of one agent share the first half, those of one network the second one; a day or a site has its own."""
    client = derive_client(SALT, "haihau", "203.0.113.7", CHROME)
    other_place = derive_client(SALT, "haihau", "198.51.100.7", CHROME)
    other_agent = derive_client(SALT, "haihau", "203.0.113.200", CHROME + " OPR/1")
    assert len(client) == 16
    assert client[:8] == other_place[:8] != other_agent[:8]
    assert client[8:] == other_agent[8:] != other_place[8:]
    for salt, site in ((b"t" * 32, "haihau"), (SALT, "kathmandu")):
        another = derive_client(salt, site, "203.0.113.7", CHROME)
        assert (another[1:8] != client[1:8], another[8:] != client[8:]) == (True, True)
    v6 = [derive_client(SALT, "haihau", f"2001:db8:{place}::1", CHROME)[8:] for place in ("7:1", "7:2", "8:1")]
    assert v6[0] == v6[1] != v6[2]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (CHROME, "chrome-computer"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/130.0.0.0 Mobile Safari/537.36", "chrome-phone"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Version/17.5 Mobile/15E148 Safari/604.1", "safari-phone"),
        (
            "Mozilla/5.0 (Linux; Android 13; wv) Version/4.0 Chrome/129.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/484]",
            "app",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) coc_coc_browser/130.0 Chrome/124.0 Safari/537.36", "coccoc"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:132.0) Gecko/20100101 Firefox/132.0", "firefox-computer"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "edge"),
        ("SomethingElse/1.0", "other"),
    ],
)
def test_client_class_is_that_of_the_browser(agent: str, name: str) -> None:
    """A class is named by what the agent says, apps first: their views contain the name of a browser."""
    assert CLIENT_CLASSES[client_class(agent)] == name

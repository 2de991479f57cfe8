"""Visitor keys, partitions and bots."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.collector.bots import bot_reason
from services.ingest.collector.payloads import normalise_path, referrer_host
from services.ingest.collector.visitors import LocalDays, Sender, local_days, place_of, visitor_key
from services.ingest.content.conversion import make_slug

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def at(text: str) -> int:
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
def test_keys_follow_the_sites_own_day(instant: str, days: LocalDays) -> None:
    """The day's key changes at local midnight, is joined to yesterday's for an hour, and 00:00 UTC changes nothing."""
    assert local_days(at(instant), HANOI) == days


def test_a_key_tells_readers_apart_and_nothing_else() -> None:
    """Each of salt, site, address and agent makes another key; the same four make the same 16 hex digits."""
    same = (b"salt", "haihau", "192.0.2.1", CHROME)
    keys = {visitor_key(*same)}
    keys.add(visitor_key(b"next", *same[1:]))
    keys.add(visitor_key(b"salt", "other", *same[2:]))
    keys.add(visitor_key(b"salt", "haihau", "192.0.2.2", CHROME))
    keys.add(visitor_key(b"salt", "haihau", "192.0.2.1", CHROME + " "))
    keys.add(visitor_key(b"salt", "haiha", "u192.0.2.1", CHROME))
    assert len(keys) == 6
    assert visitor_key(*same) in keys
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)


def test_readers_spread_over_all_partitions() -> None:
    """A thousand readers use every partition, and each reader always the same one."""
    places = [place_of(b"secret", "haihau", f"192.0.2.{n}", CHROME) % 12 for n in range(1000)]
    assert set(places) == set(range(12))
    assert max(places.count(place) for place in range(12)) < 150
    assert places[0] == place_of(b"secret", "haihau", "192.0.2.0", CHROME) % 12


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (CHROME, None),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler"),
        ("curl/8.5.0", "crawler"),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), "headless"),
        ("", "no-user-agent"),
        ("  ", "no-user-agent"),
    ],
)
def test_programs_are_told_from_people(agent: str, reason: str | None) -> None:
    """A user agent is a person's unless it says otherwise, and then the reason is told."""
    assert bot_reason(Sender("", agent)) == reason


def test_a_sample_site_may_count_headless_browsers() -> None:
    """Where a site says so, a browser that drives itself is a person; a crawler never is."""
    assert bot_reason(Sender("", CHROME.replace("Chrome/", "HeadlessChrome/")), count_headless=True) is None
    assert bot_reason(Sender("", "Googlebot/2.1"), count_headless=True) == "crawler"


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/tin.html?utm=1#x", "/tin.html"),
        ("tin.html", "/tin.html"),
        ("//evil.example/x", "/evil.example/x"),
        ("?q=1", "/"),
        ("/" + "a" * 600, "/" + "a" * 511),
    ],
)
def test_paths_are_normalised(path: str, normal: str) -> None:
    """A path has no query, no fragment, one leading slash and at most 512 characters."""
    assert normalise_path(path) == normal


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("https://www.Google.com/search?q=secret", "www.google.com"),
        ("google.com", "google.com"),
        ("", None),
        (None, None),
        ("http://[::1", None),
        ("about:blank", "about"),
    ],
)
def test_of_a_referrer_only_the_host_is_kept(referrer: str | None, host: str | None) -> None:
    """What a referrer says beside its host is dropped at the door."""
    assert referrer_host(referrer) == host


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Đổi mới phương thức lãnh đạo", "doi-moi-phuong-thuc-lanh-dao"),
        ("Đường Đê", "duong-de"),
        ("!!!", "bai-viet"),
        ("một " * 40, "-".join(["mot"] * 20)),
    ],
)
def test_slugs_are_readable_vietnamese(title: str, slug: str) -> None:
    """đ becomes d, marks fall away, words stay whole, and a title without letters has a slug too."""
    assert make_slug(title) == slug

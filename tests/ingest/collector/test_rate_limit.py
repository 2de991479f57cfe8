"""Rate limits by address and site."""

import pytest

from services.ingest.collector import rate_limit as module
from services.ingest.collector.rate_limit import RateLimiter, rate_limit_key


def test_acquire_burst_and_sustained_rate_are_allowed_beyond_is_delayed() -> None:
    """A burst of 2,000 and then 100/s are allowed from one address; beyond that, the returned delay is sufficient."""
    rates = RateLimiter(100, 2_000)
    assert all(rates.acquire("haihau", "203.0.113.7", 1, 0.0) == 0 for _ in range(2_000))
    wait = rates.acquire("haihau", "203.0.113.7", 1, 0.0)
    assert wait == pytest.approx(0.01)
    assert rates.acquire("haihau", "203.0.113.7", 1, wait + 0.001) == 0
    taken = sum(rates.acquire("haihau", "203.0.113.7", 1, 1 + n / 1_000) == 0 for n in range(10_000))
    assert 1_000 < taken <= 1_101


def test_acquire_other_address_or_site_has_its_own_bucket() -> None:
    """A flood from one address on one site does not affect another address or site."""
    rates = RateLimiter(1, 1)
    assert rates.acquire("haihau", "203.0.113.7", 1, 0.0) == 0
    assert rates.acquire("haihau", "203.0.113.7", 1, 0.0) > 0
    assert rates.acquire("giao-thuy", "203.0.113.7", 1, 0.0) == 0
    assert rates.acquire("haihau", "203.0.113.8", 1, 0.0) == 0


def test_acquire_rejected_request_takes_nothing() -> None:
    """A rejected request does not lengthen the delay."""
    rates = RateLimiter(1, 10)
    assert rates.acquire("haihau", "203.0.113.7", 11, 0.0) > 0
    assert rates.acquire("haihau", "203.0.113.7", 10, 0.0) == 0


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("unknown", "unknown"),
    ],
)
def test_rate_limit_key_of_address_is_its_prefix(address: str, prefix: str | None) -> None:
    """IPv4 addresses are limited one by one and IPv6 by /64; loopback has no limit."""
    assert rate_limit_key(address) == prefix


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "203.0.113.7", "unknown", ""])
def test_rate_limit_key_of_inexact_address_is_never_unlimited(address: str) -> None:
    """What a proxy did not say exactly is limited, even on loopback."""
    assert rate_limit_key(address, is_exact=False) is not None


def test_buckets_above_the_limit_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of buckets is bounded, and busy addresses stay limited while there is room."""
    monkeypatch.setattr(module, "BUCKETS_MAX", 1_000)
    rates = RateLimiter(1, 5)
    for n in range(20_000):
        rates.acquire("haihau", f"2001:db8:{n % 65536:x}:1::1", 1, n / 100)
    assert len(rates._full_at) <= 1_000
    assert rates.acquire("haihau", "192.0.2.1", 5, 200.0) == 0
    assert rates.acquire("haihau", "192.0.2.1", 1, 200.0) > 0


def test_acquire_with_rate_zero_is_unlimited() -> None:
    """A rate of 0 means no limit."""
    rates = RateLimiter(0, 500)
    assert all(rates.acquire("haihau", "203.0.113.7", 500, 0.0) == 0 for _ in range(100))

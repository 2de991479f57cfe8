"""How fast one address may send."""

import pytest

from services.ingest.collector import rate_limit as module
from services.ingest.collector.rate_limit import Rates, prefix_of


def test_a_school_is_counted_and_a_flood_is_not() -> None:
    """A burst of 2,000 and 100/s pass from one address; what is faster waits, and passes after the told time."""
    rates = Rates(100, 2_000)
    assert all(rates.take("haihau", "203.0.113.7", 1, 0.0) == 0 for _ in range(2_000))
    wait = rates.take("haihau", "203.0.113.7", 1, 0.0)
    assert wait == pytest.approx(0.01)
    assert rates.take("haihau", "203.0.113.7", 1, wait + 0.001) == 0
    taken = sum(rates.take("haihau", "203.0.113.7", 1, 1 + n / 1_000) == 0 for n in range(10_000))
    assert 1_000 < taken <= 1_101


def test_buckets_are_apart_for_addresses_and_sites() -> None:
    """One address's flood on one site takes nothing from another address or site."""
    rates = Rates(1, 1)
    assert rates.take("haihau", "203.0.113.7", 1, 0.0) == 0
    assert rates.take("haihau", "203.0.113.7", 1, 0.0) > 0
    assert rates.take("giao-thuy", "203.0.113.7", 1, 0.0) == 0
    assert rates.take("haihau", "203.0.113.8", 1, 0.0) == 0


def test_a_refused_request_takes_nothing() -> None:
    """What was refused does not lengthen the wait."""
    rates = Rates(1, 10)
    assert rates.take("haihau", "203.0.113.7", 11, 0.0) > 0
    assert rates.take("haihau", "203.0.113.7", 10, 0.0) == 0


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("unknown", None),
    ],
)
def test_what_is_limited_together(address: str, prefix: str | None) -> None:
    """An IPv4 address stands for itself and IPv6 for its /64; loopback is the operator's own."""
    assert prefix_of(address) == prefix


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of addresses fits into the bound, and the busy ones stay limited while there is room."""
    monkeypatch.setattr(module, "BUCKETS_MAX", 1_000)
    rates = Rates(1, 5)
    for n in range(20_000):
        rates.take("haihau", f"2001:db8:{n % 65536:x}:1::1", 1, n / 100)
    assert len(rates._full_at) <= 1_000
    assert rates.take("haihau", "192.0.2.1", 5, 200.0) == 0
    assert rates.take("haihau", "192.0.2.1", 1, 200.0) > 0


def test_no_limit_is_no_limit() -> None:
    """A rate of 0 lets everything pass."""
    rates = Rates(0, 500)
    assert all(rates.take("haihau", "203.0.113.7", 500, 0.0) == 0 for _ in range(100))

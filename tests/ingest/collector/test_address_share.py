"""The share of recent views from one address."""

import pytest

from services.ingest.collector.address_share import VIEWS_MAX, VIEWS_MIN, AddressShare


def test_share_of_few_views_is_zero() -> None:
    """Fewer views than the minimum say nothing."""
    share = AddressShare()
    for _ in range(VIEWS_MIN - 1):
        share.add("203.0.113.7")
    assert share.largest_share() == 0
    share.add("203.0.113.7")
    assert share.largest_share() == 1


def test_share_of_many_addresses_is_small() -> None:
    """Views from many addresses, of which one has a tenth."""
    share = AddressShare()
    for number in range(VIEWS_MAX):
        share.add("203.0.113.7" if number % 10 == 0 else f"198.51.100.{number % 200}")
    assert share.largest_share() == pytest.approx(0.1)


def test_share_forgets_old_views() -> None:
    """Only the last views count, and memory is bounded."""
    share = AddressShare()
    for _ in range(VIEWS_MAX):
        share.add("203.0.113.7")
    for number in range(VIEWS_MAX):
        share.add(f"2001:db8::{number:x}")
    assert share.largest_share() == 1 / VIEWS_MAX
    assert len(share._counts) == len(share._recent) == VIEWS_MAX

"""Addresses and networks of a site's own traffic."""

import pytest

from shared.own_addresses import InvalidNetworkError, errors_of_networks, is_own_address, parse_network


@pytest.mark.parametrize(
    ("networks", "address", "is_own"),
    [
        (("203.0.113.0/24",), "203.0.113.7", True),
        (("203.0.113.0/24",), "203.0.114.7", False),
        (("203.0.113.7",), "203.0.113.7", True),
        (("203.0.113.7",), "203.0.113.70", False),
        (("::ffff:203.0.113.0/120",), "203.0.113.7", True),
        (("::ffff:203.0.113.7",), "::ffff:203.0.113.7", True),
        (("203.0.113.7",), "::ffff:cb00:7107", True),
        (("2001:db8:5::/48",), "2001:DB8:5:0::1", True),
        (("2001:db8:5::/48",), "2001:db8:6::1", False),
        (("2001:db8::1",), "2001:db8:0:0:0:0:0:1", True),
        (("10.0.0.0/8", "fc00::/7"), "fd12::1", True),
        (("10.0.0.0/8",), "::10.0.0.1", False),
        (("10.0.0.0/8",), "64:ff9b::a00:1", False),
        (("10.0.0.0/8",), "unknown", False),
        (("10.0.0.0/8",), "", False),
        ((), "10.0.0.1", False),
    ],
)
def test_is_own_address_compares_addresses_in_one_form(networks: tuple[str, ...], address: str, is_own: bool) -> None:
    """IPv4, IPv6 in any spelling, and IPv4 that is mapped into IPv6, on both sides."""
    assert is_own_address(address, networks) is is_own


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is no address"),
        ("office", "is no address"),
        ("203.0.113", "is no address"),
        ("203.0.113.256", "is no address"),
        ("203.0.113.07", "is no address"),
        ("203.0.113.7/33", "is no address"),
        ("203.0.113.7/-1", "is no address"),
        ("203.0.113.0/255.255.255.0", "is no address"),
        ("203.0.113.0/0.0.0.255", "is no address"),
        (" 203.0.113.7", "is no address"),
        ("203.0.113.7, 203.0.113.8", "is no address"),
        ("203.0.113.7-9", "is no address"),
        ("203.0.113.*", "is no address"),
        ("２03.0.113.7", "is no address"),
        ("fe80::1%eth0", "is no address"),
        ("[2001:db8::1]", "is no address"),
        ("https://203.0.113.7", "is no address"),
        ("203.0.113.7:80", "is no address"),
        ("2001:db8::g", "is no address"),
        ("203.0.113.7/24", "has bits after its prefix; the network is 203.0.113.0/24"),
        ("2001:db8::1/64", "has bits after its prefix; the network is 2001:db8::/64"),
        ("0.0.0.0/0", "is too wide: at least /8"),
        ("128.0.0.0/1", "is too wide: at least /8"),
        ("::/0", "is too wide: at least /7"),
        ("2000::/3", "is too wide: at least /7"),
        ("::ffff:0:0/96", "is too wide: at least /8"),
        ("::fffe:0:0/95", "has mapped IPv4 addresses in it; write it as a network of IPv4"),
        ("::/64", "has mapped IPv4 addresses in it; write it as a network of IPv4"),
    ],
)
def test_wrong_network_is_refused_with_the_reason(text: str, error: str) -> None:
    """What could be misread, never matches, or would take everybody out of the numbers is an error."""
    with pytest.raises(InvalidNetworkError, match=f"^{error}"):
        parse_network(text)
    assert len(errors_of_networks([text, "203.0.113.7"])) == 1

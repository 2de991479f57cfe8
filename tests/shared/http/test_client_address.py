"""Whose request it is, behind proxies."""

from ipaddress import IPv4Network, ip_network

import pytest
from pydantic import TypeAdapter

from shared.http.client_address import TrustedProxies, client_address, is_proxy

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("::1/128"), ip_network("2001:db8:f::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # nobody's proxy: its word is not believed
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        # Chains of two and three proxies, in both families and mixed.
        ("127.0.0.1", ["198.51.100.1, 10.0.0.9, 10.0.0.8"], "198.51.100.1"),
        ("::1", ["2001:DB8:0::A1, 2001:db8:f::9, 2001:db8:f:1::8"], "2001:db8::a1"),
        ("::1", ["203.0.113.7, 2001:db8:f::9, 10.0.0.8"], "203.0.113.7"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.1, ::ffff:10.0.0.9"], "198.51.100.1"),
        # With ports, brackets and zones, as some proxies write them.
        ("127.0.0.1", ["198.51.100.1:5678"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1:5678, 10.0.0.9:80"], "198.51.100.1"),
        ("::1", ["[2001:db8::1]:80"], "2001:db8::1"),
        ("::1", ["[2001:db8::1], [2001:db8:f::9]:443"], "2001:db8::1"),
        ("::1", ["fe80::1%eth0"], "fe80::1"),
        ("::1", ["[fe80::1%25eth0]:80"], "fe80::1"),
        # Strangers' inventions before the first trusted proxy are not read at all.
        ("127.0.0.1", ["unknown, 127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["127.0.0.1, 10.0.0.1, 198.51.100.1, 10.0.0.9"], "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_set_the_address(peer: str, forwarded: list[str], address: str) -> None:
    """X-Forwarded-For is read from the right, as far as our own proxies wrote it."""
    assert client_address(peer, forwarded, TRUSTED) == (address, True)


@pytest.mark.parametrize(
    "hop",
    [
        *("", " ", "unknown", "_hidden", "?", "-", "localhost", "203.0.113", "203.0.113.7.9", "203.0.113.256"),
        *("203.0.113.7:", "203.0.113.7:port", "203.0.113.7:123456", "203.0.113.07", "3405803783", "0xcb007107"),
        *("[203.0.113.7", "[2001:db8::1", "2001:db8::1]:80", "[2001:db8::1]80", "2001:db8::g", ":::1", "[]", "[]:80"),
        *(
            '"203.0.113.7"',
            "for=203.0.113.7",
            "for=203.0.113.7;proto=https",
            "203.0.113.7/32",
            "203.0.113.7 203.0.113.8",
        ),
        *("203.0.113.7\0", "\u0662\u0660\u0663.0.113.7", "1" * 10_000, "a" * 10_000),
    ],
)
@pytest.mark.parametrize("before", ["", "198.51.100.9, "])
def test_unreadable_hop_leaves_the_proxy_that_wrote_it(before: str, hop: str) -> None:
    """No other text is taken for an address: limits apply to the proxy, and the result says that it is inexact."""
    assert client_address("127.0.0.1", [f"{before}{hop}, 10.0.0.9"], TRUSTED) == ("10.0.0.9", False)
    assert client_address("127.0.0.1", [f"{before}{hop}"], TRUSTED) == ("127.0.0.1", False)


@pytest.mark.parametrize(
    ("address", "is_a_proxy"),
    [
        ("10.0.0.9", True),
        ("::ffff:10.0.0.9", True),
        ("2001:db8:f::9", True),
        ("198.51.100.1", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("", False),
        ("unix", False),
    ],
)
def test_proxy_is_a_trusted_address_that_is_not_this_machine(address: str, is_a_proxy: bool) -> None:
    """A browser on the server itself has an address of its own, although it is trusted."""
    assert is_proxy(address, TRUSTED) is is_a_proxy


def test_peer_without_address_is_inexact() -> None:
    """A connection without a readable peer is trusted for nothing."""
    assert client_address("", ["198.51.100.1"], TRUSTED) == ("", False)


def test_trusted_proxies_are_networks() -> None:
    """A setting lists networks, separated by commas or spaces; anything else is rejected."""
    adapter = TypeAdapter(TrustedProxies)
    wanted = TRUSTED[:2]
    for text in ("10.0.0.0/8, 127.0.0.1/32,", "10.0.0.0/8 127.0.0.1/32 ", " 10.0.0.0/8\n127.0.0.1"):
        assert adapter.validate_python(text) == wanted
    with pytest.raises(ValueError, match="does not appear to be"):
        adapter.validate_python("10.0.0.0/8, proxy")


def test_trusted_proxies_in_mapped_notation_are_ipv4() -> None:
    """`::ffff:10.0.0.0/104` is `10.0.0.0/8`: addresses are compared in their canonical form."""
    networks = TypeAdapter(TrustedProxies).validate_python("::ffff:10.0.0.0/104 ::ffff:192.0.2.1 2001:db8::/32 ::/0")
    assert [str(one) for one in networks] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::/0"]
    assert client_address("10.1.2.3", ["203.0.113.9"], networks).address == "203.0.113.9"


def test_networks_of_the_settings_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request looks its proxy up; to hash the networks for that takes longer than everything else."""
    trusted = TypeAdapter(TrustedProxies).validate_python("10.0.0.0/8, 127.0.0.0/8")
    assert trusted == (ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"))
    hashed: list[IPv4Network] = []
    real = IPv4Network.__hash__
    monkeypatch.setattr(IPv4Network, "__hash__", lambda network: hashed.append(network) or real(network))
    for number in range(3):
        assert client_address("127.0.0.1", [f"198.51.100.{number}"], trusted).address == f"198.51.100.{number}"
    assert len(hashed) == len(trusted)

"""Whose request it is, behind proxies."""

from ipaddress import ip_network

import pytest
from pydantic import TypeAdapter

from shared.http.client_address import TrustedProxies, client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # nobody's proxy: its word is not believed
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_only_trusted_proxies_set_the_address(peer: str, forwarded: list[str], address: str) -> None:
    """X-Forwarded-For is read from the right, as far as our own proxies wrote it."""
    assert client_address(peer, forwarded, TRUSTED) == address


def test_trusted_proxies_are_networks() -> None:
    """A setting lists networks with commas between; anything else is rejected."""
    adapter = TypeAdapter(TrustedProxies)
    assert adapter.validate_python("10.0.0.0/8, 127.0.0.1/32,") == TRUSTED
    with pytest.raises(ValueError, match="does not appear to be"):
        adapter.validate_python("10.0.0.0/8, proxy")

"""Addresses and networks whose views are a site's own traffic, as its configuration names them. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from shared.http.client_address import Network, parse_address, unmapped

ADDRESSES_MAX = 200
"""Of a site: each is compared with the address of a client that is seen for the first time."""
PREFIX_MIN = {4: 8, 6: 7}
"""The widest networks: 10.0.0.0/8 and fc00::/7 are for private use. A wider one would have much of the world in it."""
MAPPED = ip_network("::ffff:0:0/96")
_NETWORK = re.compile(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?")


class InvalidNetworkError(ValueError):
    """It is no network; the message says what is wrong with it, after its name."""


def parse_network(text: str) -> Network:
    """Return an address or a network: "192.0.2.7", "2001:db8::/32"; one that is mapped into IPv6 is one of IPv4.

    Raises:
        InvalidNetworkError: it is neither, or has more addresses than can be somebody's own.
    """
    if not _NETWORK.fullmatch(text):
        raise InvalidNetworkError("is no address or network (such as 192.0.2.7 or 2001:db8:5::/48)")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InvalidNetworkError("is no address or network (such as 192.0.2.7 or 2001:db8:5::/48)") from None
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise InvalidNetworkError(f"has bits after its prefix; the network is {network}")
    own = unmapped(network)
    if isinstance(own, IPv6Network) and own.overlaps(MAPPED) and own.prefixlen > PREFIX_MIN[6]:
        raise InvalidNetworkError("has mapped IPv4 addresses in it; write it as a network of IPv4")
    if own.prefixlen < PREFIX_MIN[own.version]:
        raise InvalidNetworkError(f"is too wide: at least /{PREFIX_MIN[own.version]}")
    return own


def errors_of_networks(texts: Iterable[str]) -> list[str]:
    """Return a sentence for each text that is no network."""
    errors = []
    for text in texts:
        try:
            parse_network(text)
        except InvalidNetworkError as error:
            errors.append(f"own_addresses: {text!r} {error}")
    return errors


@lru_cache(maxsize=10_000)
def is_own_address(address: str, networks: tuple[str, ...]) -> bool:
    """Return whether an address is in one of the networks of a site's checked configuration."""
    ip = parse_address(address)
    return ip is not None and any(ip in network for network in _parsed(networks))


@lru_cache(maxsize=1_000)
def _parsed(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(parse_network(text) for text in networks)

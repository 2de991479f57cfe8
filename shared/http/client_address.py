"""The address of a client behind proxies.

Only X-Forwarded-For is read, never `Forwarded` (RFC 7239) or X-Real-IP: a proxy that maintains one of these headers
passes the others on as the client sent them.
"""

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

Network = IPv4Network | IPv6Network
HOP_CHARACTERS_MAX = 64
"""A longer element of X-Forwarded-For is no address."""
_HOP = re.compile(
    r"(?P<v4>[\d.]+)(?::\d{1,5})?|\[(?P<bracketed>[0-9a-fA-F:.]+)(?:%[^\]]*)?\](?::\d{1,5})?|(?P<v6>[0-9a-fA-F:.]+)(?:%.*)?"
)


class ClientAddress(NamedTuple):
    """The address of a client as far as it is known."""

    address: str
    """In its canonical form; an IPv4 address that is mapped into IPv6 is an IPv4 address."""
    is_exact: bool = True
    """False if a trusted proxy named no readable address: then `address` is the proxy's, and limits apply to it."""


def _networks(value: object) -> object:
    if isinstance(value, str):
        return tuple(unmapped(ip_network(part)) for part in value.replace(",", " ").split())
    return value


def unmapped(network: Network) -> Network:
    """Return the IPv4 network of one that is mapped into IPv6, as the addresses are compared."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


class Networks(tuple[Network, ...]):  # noqa: SLOT001 - it keeps its hash
    """Networks that are hashed once: to hash one takes longer than to look up what is known of an address in them."""

    def __hash__(self) -> int:
        """Return what a tuple of them would."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()


TrustedProxies = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks), AfterValidator(Networks)]
"""A setting: networks whose X-Forwarded-For is trusted, separated by commas or spaces."""


def client_address(peer: str, forwarded: Sequence[str], trusted: tuple[Network, ...]) -> ClientAddress:
    """Return the address that a request came from.

    Args:
        peer: Address of the connection's other end.
        forwarded: The X-Forwarded-For headers as they came. Every proxy adds its own peer on the right, so they
            are read from the right, for as long as the sender is a trusted proxy.
        trusted: Networks of trusted proxies.
    """
    found = _named(peer)
    if found is None:
        return ClientAddress(peer, is_exact=False)
    for hop in reversed(",".join(forwarded).split(",")) if forwarded else ():
        if not _is_trusted(found.exact.address, trusted):
            break
        before = _named(hop)
        if before is None:
            return found.inexact
        found = before
    return found.exact


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in an element of X-Forwarded-For: bare, or with a port; None if there is none.

    `1.2.3.4:5678`, `[2001:db8::1]:80` and `[2001:db8::1]` are read, and a zone (`fe80::1%eth0`) is dropped. `unknown`,
    an obfuscated identifier (`_hidden`) and everything else is no address.
    """
    found = _named(text)
    return found.ip if found else None


class _Named(NamedTuple):
    ip: IPv4Address | IPv6Address
    exact: ClientAddress
    inexact: ClientAddress


def _named(text: str) -> _Named | None:
    text = text.strip()
    return _parsed(text) if len(text) <= HOP_CHARACTERS_MAX else None


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> _Named | None:
    hop = _HOP.fullmatch(text)
    if hop is None:
        return None
    try:
        ip = ip_address(hop["v4"] or hop["bracketed"] or hop["v6"])
    except ValueError:
        return None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return _Named(ip, ClientAddress(str(ip)), ClientAddress(str(ip), is_exact=False))


def is_proxy(address: str, trusted: tuple[Network, ...]) -> bool:
    """Return whether an address is that of a trusted proxy: one that named nobody. Loopback is this machine."""
    ip = parse_address(address)
    return ip is not None and not ip.is_loopback and _is_trusted(str(ip), trusted)


def address_prefix(address: str) -> str:
    """Return the unit of limits per address: an IPv4 address, or the IPv6 /64 that a provider gives to one customer."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((ip, 64), strict=False))


@lru_cache(maxsize=10_000)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    ip = ip_address(address)
    return any(ip in network for network in trusted)

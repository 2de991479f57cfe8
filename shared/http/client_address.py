"""The address of a client behind proxies."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    if isinstance(value, str):
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    return value


TrustedProxies = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
"""A setting: networks whose X-Forwarded-For is trusted, comma-separated."""


def client_address(peer: str, forwarded: Sequence[str], trusted: tuple[Network, ...]) -> str:
    """Return the address that a request came from.

    Args:
        peer: Address of the connection's other end.
        forwarded: The X-Forwarded-For headers as they came. Every proxy adds its own peer on the right, so they
            are read from the right, for as long as the sender is a trusted proxy.
        trusted: Networks of trusted proxies.
    """
    address = peer
    for hop in reversed(",".join(forwarded).split(",")):
        if not hop.strip() or not _is_trusted(address, trusted):
            break
        address = hop.strip()
    return address


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
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)

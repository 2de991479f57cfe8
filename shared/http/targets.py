"""Whom an outgoing request may reach: the parts of its URL, and which addresses are public. Pure.

URLs come from imported files, from people and from configuration, so others choose what this machine connects to.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

URL_CHARACTERS_MAX = 2_000
DEFAULT_PORTS = {"http": 80, "https": 443}
_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All addresses of the internet that IANA has given out."""
_REFUSED = tuple(
    map(
        ip_network,
        (
            # IANA's registries of special-purpose addresses; Python's own list differs between its releases.
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
            "2002::/16",  # 6to4: leads to an IPv4 address
            "168.63.129.16/32",  # the metadata service of a cloud, at a public address
        ),
    )
)


class RequestError(Exception):
    """A request that is not made, or not answered; the message is the reason, as the end of a sentence."""


@dataclass(frozen=True)
class Target:
    """The parts of a URL that a request needs; all are ASCII."""

    scheme: str
    host: str
    """A name or an address, in lower case, without brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def url(self) -> str:
        """Return the URL, in ASCII and without a fragment."""
        return f"{self.scheme}://{self.host_header}{self.path}"

    @property
    def host_header(self) -> str:
        """Return the value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Return the parts of an absolute HTTP URL.

    Raises:
        RequestError: it is not one, or has a user name, a password or an unusable character.
    """
    if len(url) > URL_CHARACTERS_MAX:
        raise RequestError(f"its URL has more than {URL_CHARACTERS_MAX:,} characters")
    if _UNUSABLE.search(url):  # urlsplit would remove some of them
        raise RequestError("its URL has a blank, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RequestError("its URL is not valid") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise RequestError(f"its URL starts with {parts.scheme[:20] or 'no scheme'}, not with http or https")
    if "@" in parts.netloc:
        raise RequestError("its URL has a user name or a password")
    host = normalized_host(parts.hostname or "")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else ""
    return Target(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, path + query)


def normalized_host(host: str) -> str:
    """Return a host in ASCII and lower case, without a final dot.

    Raises:
        RequestError: it is neither a name nor an address.
    """
    if ":" in host:
        try:
            return str(IPv6Address(host)) if "%" not in host else _refuse_host(host)
        except ValueError:
            return _refuse_host(host)
    try:
        name = host.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        return _refuse_host(host)
    return name if _HOST.fullmatch(name) else _refuse_host(host)


def _refuse_host(host: str) -> str:
    raise RequestError(f"its URL has the invalid host {host[:100]!r}")


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet: not of this machine, its networks or its cloud."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(IPv4Address(int(ip) & 0xFFFF_FFFF)))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _REFUSED)

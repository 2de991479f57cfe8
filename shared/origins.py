"""Origins and hosts as browsers send them: the one place where both sides of a comparison are normalised. Pure.

A browser serialises an origin by the URL standard: scheme and host in lower case, the host in ASCII (UTS 46, which is
how browsers apply IDNA 2008), an IPv6 address compressed, the scheme's default port left out. `idna` has the tables of
UTS 46; its own `encode` follows IDNA 2008 strictly, and refuses hosts that browsers open, such as `a_b.example`.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
PORT_MAX = 65_535
HOST_CHARACTERS_MAX = 253
LABEL_CHARACTERS_MAX = 63
TEXT_CHARACTERS_MAX = 500
"""Longer headers are not normalised: no origin that can be declared is so long."""
CACHED_MAX = 4_096
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#\\]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\"#%/:<>?@\[\\\]^`{|}*]")
"""In no host: the forbidden domain code points of the URL standard, and what it escapes; `*` is no wildcard there."""
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class InvalidOriginError(ValueError):
    """No browser sends such an origin; the message says what is wrong with it, after its name."""


def normalize_origin(text: str) -> str:
    """Return a declared origin as browsers send it: "https://xn--hihu-ooa.example:8443".

    A slash at its end and the dot at the end of a host are dropped.

    Raises:
        InvalidOriginError: it can never be equal to what a browser sends.
    """
    if re.search(r"\s", text):
        raise InvalidOriginError("has a space")
    found = _ORIGIN.fullmatch(text)
    if found is None or found["scheme"].lower() not in DEFAULT_PORTS:
        raise InvalidOriginError("must begin with http:// or https://")
    scheme, authority, rest = found["scheme"].lower(), found["authority"], found["rest"]
    if "@" in authority:
        raise InvalidOriginError("has a user name, which browsers do not send")
    if rest not in ("", "/"):
        raise InvalidOriginError("has a path or query, but browsers send only scheme, host and port")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise InvalidOriginError("has no valid host (an IPv6 address is written in brackets)")
    host, port = _host(parts["host"]), _port(parts["port"])
    return f"{scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}")


@lru_cache(CACHED_MAX)
def _sent_origin(text: str) -> str | None:
    try:
        return normalize_origin(text)
    except InvalidOriginError:
        return None


def sent_origin(header: str) -> str | None:
    """Return the origin in an `Origin` header, normalised; None for `null` and for what is no origin."""
    return _sent_origin(header) if len(header) <= TEXT_CHARACTERS_MAX else None


def origin_of_url(url: str) -> str | None:
    """Return the origin of a URL, such as a `Referer` header has; None if it has none."""
    found = _ORIGIN.match(url)
    if found is None:
        return None
    return sent_origin(f"{found['scheme']}://{found['authority'].rpartition('@')[2]}")


def host_of_origin(origin: str) -> str:
    """Return the host of a normalised origin, with its port unless that is the default."""
    return origin.partition("://")[2]


def without_port(host: str) -> str:
    """Return a normalised host without its port."""
    return re.sub(r":\d+$", "", host)


@lru_cache(CACHED_MAX)
def _sent_host(text: str) -> str | None:
    try:
        return host_of_origin(normalize_origin(f"http://{text}")).removesuffix(":443")
    except InvalidOriginError:
        return None


def sent_host(header: str) -> str | None:
    """Return the host in a `Host` header, normalised; None if it has none.

    The ports 80 and 443 are dropped: whether the browser used TLS is not known behind a proxy.
    """
    return _sent_host(header) if len(header) <= TEXT_CHARACTERS_MAX else None


def is_loopback(origin: str) -> bool:
    """Return whether a normalised origin is an address of every machine, which no visitor elsewhere can open."""
    return without_port(host_of_origin(origin)) in LOOPBACK


def _port(text: str | None) -> int | None:
    if not text:  # browsers ignore a colon without a port
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PORT_MAX or len(text) > len("65535"):
        raise InvalidOriginError(f"has a port that is not a number from 1 to {PORT_MAX}")
    return int(text)


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text)
    if "*" in text:
        raise InvalidOriginError("has a wildcard, but each origin must be named")
    try:
        mapped = (text.lower() if text.isascii() else _uts46(text)).removesuffix(".")
    except UnicodeError as error:  # IDNAError is one
        raise InvalidOriginError(f"has a host that no browser opens: {error}") from error
    if not mapped:
        raise InvalidOriginError("has no host")
    host = ".".join(_label(label) for label in mapped.split("."))
    if len(host) > HOST_CHARACTERS_MAX:
        raise InvalidOriginError(f"has a host of more than {HOST_CHARACTERS_MAX} characters")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):  # browsers read it as an IPv4 address
        return _ipv4(host)
    return host


def _uts46(text: str) -> str:
    import idna  # its tables take megabytes, and most hosts are ASCII

    return idna.uts46_remap(text, std3_rules=False, transitional=False)


def _label(label: str) -> str:
    if not label:
        raise InvalidOriginError("has a host with an empty part")
    if _FORBIDDEN.search(label):
        raise InvalidOriginError("has a host with a character that no host has")
    try:
        if label.startswith("xn--"):
            decoded = label.removeprefix("xn--").encode("ascii").decode("punycode")
            if not decoded or decoded.isascii() or _uts46(decoded) != decoded:
                raise InvalidOriginError(f"has {label!r} in its host, which is not Punycode of a name")
        elif not label.isascii():
            import idna

            idna.check_initial_combiner(label)
            if not all(idna.valid_contextj(label, at) for at, one in enumerate(label) if one in "\u200c\u200d"):
                raise InvalidOriginError(f"has {label!r} in its host, with an invisible character that no host has")
            label = "xn--" + label.encode("punycode").decode("ascii")
    except (UnicodeError, OverflowError) as error:  # IDNAError is a UnicodeError
        raise InvalidOriginError(f"has {label!r} in its host, which no browser opens: {error}") from error
    if len(label) > LABEL_CHARACTERS_MAX:
        raise InvalidOriginError(f"has a part of more than {LABEL_CHARACTERS_MAX} characters in its host")
    return label


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        raise InvalidOriginError("has an IPv4 address that is not written like 192.0.2.1") from None


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host[1:-1])
    except AddressValueError:
        raise InvalidOriginError("has an invalid IPv6 address") from None
    if address.scope_id is not None:
        raise InvalidOriginError("has an IPv6 address with a zone, which browsers do not open")
    mapped = address.ipv4_mapped
    if mapped is not None:  # the URL standard has no dots here
        return f"[::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}]"
    return f"[{address.compressed}]"

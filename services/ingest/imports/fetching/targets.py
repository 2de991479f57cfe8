"""Hosts from which an import may fetch images. Pure.

Addresses of images come from the imported file, so its author chooses what this machine connects to.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.http.targets import DEFAULT_PORTS, RequestError, Target, normalized_host, parse_target


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts from which images may be fetched."""

    rules: frozenset[tuple[str, int | None]]
    """Host, or `*.` and the end of its name; port, or None for 80 and 443."""

    def check(self, target: Target) -> None:
        """Raise RequestError if the host or the port is not allowed."""
        ports = {port for rule, port in self.rules if _matches(rule, target.host)}
        if not ports:
            raise RequestError(f"the host {target.host} is not allowed: see --fetch-hosts")
        if target.port not in ports and not (None in ports and target.port in DEFAULT_PORTS.values()):
            raise RequestError(f"the port {target.port} of {target.host} is not allowed: see --fetch-hosts")


def _matches(rule: str, host: str) -> bool:
    return host.endswith(rule[1:]) if rule.startswith("*.") else host == rule


def parse_hosts(text: str) -> AllowedHosts:
    """Return the hosts of a list such as `cu.example,*.anh.example,cu.example:8080`.

    Raises:
        RequestError: a part is not a host.
    """
    rules: set[tuple[str, int | None]] = set()
    for part in filter(None, (one.strip().lower() for one in text.split(","))):
        wildcard = "*." if part.startswith("*.") else ""
        if re.search(r"[/?#@]", part):
            raise RequestError(f"{part[:100]!r} is not a host: expected cu.example, *.cu.example or cu.example:8080")
        try:
            parts = urlsplit(f"//{part.removeprefix('*.')}")
            rules.add((wildcard + normalized_host(parts.hostname or ""), parts.port))
        except (ValueError, RequestError) as error:
            raise RequestError(f"{part[:100]!r} is not a host") from error
    if not rules:
        raise RequestError("names no host")
    return AllowedHosts(frozenset(rules))


def hosts_of(urls: Iterable[str]) -> AllowedHosts:
    """Return the hosts of URLs, each with and without `www.`; what is no URL of a page is ignored."""
    rules: set[tuple[str, int | None]] = set()
    for url in urls:
        try:
            target = parse_target(url)
        except RequestError:
            continue
        name = target.host.removeprefix("www.")
        rules |= {(name, None), (f"www.{name}", None)}
    return AllowedHosts(frozenset(rules))

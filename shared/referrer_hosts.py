"""Hosts of referrers, as they are counted: in lower case, in ASCII, without "www." and a last dot. Pure."""

import re
from collections.abc import Container
from functools import lru_cache

from shared.origins import sent_host, without_port

COUNTED_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9}")
"""What is counted under its own name; all other hosts are one."""


@lru_cache(maxsize=4_096)
def referrer_host(host: str) -> str | None:
    """Return a host as statistics name it; None for what no browser opens.

    Args:
        host: As a page, a list or a configuration has it; it may have a port.
    """
    sent = sent_host(host)
    return None if sent is None else without_port(sent).removeprefix("www.") or None


def is_within(host: str, hosts: Container[str]) -> bool:
    """Return whether a host, or a domain that it belongs to, is among hosts: a.spam.example is in spam.example."""
    while host:
        if host in hosts:
            return True
        host = host.partition(".")[2]
    return False

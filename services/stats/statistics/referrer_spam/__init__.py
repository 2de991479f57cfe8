"""Which referrers are spam: the kept list, and what a site's configuration adds and removes.

Hosts are marked when statistics are read. What is counted and stored does not depend on any list, so a changed list
or configuration shows at once, for all of the past, and a rebuild has nothing to do with it.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from services.stats.counting.referrers import DIRECT, OTHER_HOSTS
from shared.referrer_hosts import referrer_host
from shared.sites import Site


class Referrers(NamedTuple):
    """Visits by where they came from; the parts add up to all visits."""

    hosts: Sequence[tuple[str, int]]
    """Most visits first."""
    spam: Sequence[tuple[str, int]]
    """The same, for marked hosts."""
    direct: int
    other: int
    """Of hosts that have no row of their own."""

    @property
    def spam_visits(self) -> int:
        """The visits of all marked hosts."""
        return sum(visits for _, visits in self.spam)

    @property
    def visits(self) -> int:
        """All visits."""
        return self.direct + self.other + self.spam_visits + sum(visits for _, visits in self.hosts)


@cache
def kept_hosts() -> frozenset[str]:
    """Return the hosts of the kept list."""
    lines = files(__package__).joinpath("hosts.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


@lru_cache(maxsize=1_000)
def _compared(hosts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(host for text in hosts if (host := referrer_host(text)))


def is_spam(host: str, site: Site) -> bool:
    """Return whether a stored host is marked: it, or the nearest domain that it belongs to and that is named.

    The nearest one decides, so that a site can trust one host below a named domain, and the other way round.
    """
    trusted, own, kept = _compared(tuple(site.trusted_referrers)), _compared(tuple(site.spam_referrers)), kept_hosts()
    while host:
        if host in trusted:
            return False
        if host in own or host in kept:
            return True
        host = host.partition(".")[2]
    return False


def split_referrers(counted: Iterable[tuple[str, int]], site: Site) -> Referrers:
    """Split counted hosts.

    Args:
        counted: (host, visits), most first, as stored.
        site: Whose configuration adds and removes hosts.
    """
    hosts: list[tuple[str, int]] = []
    spam: list[tuple[str, int]] = []
    direct = other = 0
    for host, visits in counted:
        if host == DIRECT:
            direct += visits
        elif host == OTHER_HOSTS:
            other += visits
        else:
            (spam if is_spam(host, site) else hosts).append((host, visits))
    return Referrers(hosts, spam, direct, other)

"""The host to which a visit is attributed, from the referrer of its first view. Pure."""

import re
from urllib.parse import urlsplit

from shared.sites import Site

DIRECT = ""
"""The host of a visit without a referrer, or from a page of the site itself."""
OTHER_HOSTS = "(other)"
"""The host of referrers that are no host name, and of the hosts beyond HOSTS_MAX."""
HOSTS_MAX = 200
"""Hosts of a site's local day on a partition that have a row of their own: senders can make up any number."""
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9}")


def own_hosts(site: Site) -> frozenset[str]:
    """Return the host names of the site itself, without "www."."""
    return frozenset((urlsplit(origin).hostname or "").removeprefix("www.") for origin in site.origins)


def visit_host(referrer: str | None, own: frozenset[str]) -> str:
    """Return the host to which a visit is attributed."""
    if referrer is None:
        return DIRECT
    host = referrer.lower().removeprefix("www.")
    if host in own:
        return DIRECT
    return host if _HOST.fullmatch(host) else OTHER_HOSTS

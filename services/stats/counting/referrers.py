"""The hosts to which visits are attributed, from the referrers of their first views. Pure."""

from collections import Counter
from urllib.parse import urlsplit

import numpy as np

from services.stats.counting.decoding import EventBatch, Flags, Integers
from shared.referrer_hosts import COUNTED_HOST
from shared.sites import Site

DIRECT = ""
"""The host of a visit without a referrer, or from a page of the site itself."""
OTHER_HOSTS = "(other)"
"""The host of referrers that are no host name, and of the hosts beyond HOSTS_MAX."""
HOSTS_MAX = 200
"""Hosts of a site's local day on a partition that have a row of their own: senders can make up any number."""


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
    return host if COUNTED_HOST.fullmatch(host) else OTHER_HOSTS


def referrer_visits(
    batch: EventBatch, views: Integers, starts_visit: Flags, days: Integers
) -> Counter[tuple[str, int, str]]:
    """Return (site, local day, host) → visits, in the order in which views named the hosts; also 0.

    Args:
        batch: With the views.
        views: Rows of counted views with a visitor, in order.
        starts_visit: Which rows of the batch start a visit: it comes from the referrer of that view.
        days: Start of the local day of each row.
    """
    found: Counter[tuple[str, int, str]] = Counter()
    if not len(views):
        return found
    visits = starts_visit[views]
    site, referrer = batch.site[views], batch.referrer[views]
    local, day = days[views], np.zeros(len(views), np.int64)
    day_starts = local[:1]
    if local.min() != local.max():
        day_starts, day = np.unique(local, return_inverse=True)
    code = (site * len(day_starts) + day) * len(batch.referrers) + referrer
    size = len(batch.sites) * len(day_starts) * len(batch.referrers)
    first = np.full(size, len(views))
    first[code[::-1]] = np.arange(len(views))[::-1]
    totals = np.bincount(code[visits], minlength=size)
    used = np.flatnonzero(first < len(views))
    own = [own_hosts(one) for one in batch.sites]
    for number in used[np.argsort(first[used])].tolist():
        place, name = divmod(number, len(batch.referrers))
        site_number, day_number = divmod(place, len(day_starts))
        host = visit_host(batch.referrers[name], own[site_number])
        found[batch.sites[site_number].slug, int(day_starts[day_number]), host] += int(totals[number])
    return found

"""How fast one address may send: a token bucket for each address prefix and site. Pure: the time is handed in.

An IPv4 address counts as itself, IPv6 by its /64, which is what one house gets. Written as GCRA: one number a bucket
says when it will be full again. Why not a library: docs/decisions/collector.md, "Rate limits by address and site".
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from shared.http.client_address import address_prefix

BUCKETS_MAX = 200_000
"""Buckets in memory; when there are more, the full ones go first. A bucket is about 150 bytes."""


class Rates:
    """The buckets of one collector.

    Args:
        per_second: Events that an address may send for ever; 0 means no limit.
        burst: Events that it may send at once, after a silence.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval_seconds = 1 / per_second if per_second else 0.0
        self._burst_seconds = burst * self._interval_seconds
        self._full_at: dict[tuple[str, str], float] = {}

    def take(self, site: str, address: str, events: int, now_seconds: float) -> float:
        """Take events out of the bucket; return 0, or after how many seconds there will be enough.

        A machine's own loopback has no limit: whoever sends from there is its operator.
        """
        if not self._interval_seconds:
            return 0.0
        prefix = prefix_of(address)
        if prefix is None:
            return 0.0
        key = (site, prefix)
        full_at = max(self._full_at.get(key, 0.0), now_seconds) + events * self._interval_seconds
        missing_seconds = full_at - now_seconds - self._burst_seconds
        if missing_seconds > 1e-6:
            return missing_seconds
        if len(self._full_at) >= BUCKETS_MAX and key not in self._full_at:
            self._make_room(now_seconds)
        self._full_at[key] = full_at
        return 0.0

    def _make_room(self, now_seconds: float) -> None:
        kept = {key: full_at for key, full_at in self._full_at.items() if full_at > now_seconds}
        self._full_at = kept if len(kept) < BUCKETS_MAX else dict(list(kept.items())[BUCKETS_MAX // 2 :])


@lru_cache(maxsize=50_000)
def prefix_of(address: str) -> str | None:
    """Return what is limited together: an IPv4 address, or an IPv6 /64; None for loopback and what is no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return None if (mapped or ip).is_loopback else address_prefix(address)

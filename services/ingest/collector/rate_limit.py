"""Rate limits: a token bucket per site and address prefix. Pure: the caller passes the time.

IPv4 addresses are limited one by one, IPv6 addresses by /64, the usual prefix of a household. Implemented as GCRA: each
bucket is the time at which it will be full again. Why no library: "Rate limits by address and site" in
docs/decisions/collector.md.
"""

from functools import lru_cache

from shared.http.client_address import address_prefix, parse_address

BUCKETS_MAX = 200_000
"""Limit of buckets in memory; above it, full ones are evicted first. A bucket takes about 150 bytes."""


class RateLimiter:
    """The buckets of one collector process.

    Args:
        per_second: Sustained rate of events per address; 0 means no limit.
        burst: Events that an idle address may send at once.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval_seconds = 1 / per_second if per_second else 0.0
        self._burst_seconds = burst * self._interval_seconds
        self._full_at: dict[tuple[str, str], float] = {}

    def acquire(self, site: str, prefix: str | None, events: int, now_seconds: float) -> float:
        """Take events from a bucket; return 0.0, or the seconds to wait if the bucket does not have enough.

        Args:
            site: Slug of the site.
            prefix: See `rate_limit_key`.
            events: Number of events.
            now_seconds: Monotonic time.
        """
        if not self._interval_seconds:
            return 0.0
        if prefix is None:
            return 0.0
        key = (site, prefix)
        full_at = max(self._full_at.get(key, 0.0), now_seconds) + events * self._interval_seconds
        missing_seconds = full_at - now_seconds - self._burst_seconds
        if missing_seconds > 1e-6:
            return missing_seconds
        if len(self._full_at) >= BUCKETS_MAX and key not in self._full_at:
            self._evict(now_seconds)
        self._full_at[key] = full_at
        return 0.0

    def _evict(self, now_seconds: float) -> None:
        kept = {key: full_at for key, full_at in self._full_at.items() if full_at > now_seconds}
        self._full_at = kept if len(kept) < BUCKETS_MAX else dict(list(kept.items())[BUCKETS_MAX // 2 :])


@lru_cache(maxsize=50_000)
def rate_limit_key(address: str, *, is_exact: bool = True) -> str | None:
    """Return the unit of limits: an IPv4 address, or the /64 of an IPv6 address; None for no limit.

    Loopback addresses have no limit: they belong to the operator. That of a proxy that named no visitor has one, like
    everything that is not known exactly.
    """
    return None if is_exact and _is_loopback(address) else address_prefix(address)


def _is_loopback(address: str) -> bool:
    ip = parse_address(address)
    return ip is not None and ip.is_loopback

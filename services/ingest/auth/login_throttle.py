"""Limits on failed log-ins that keep nobody out of their own account.

Guesses are counted by address, by network and by account, in Postgres, so that all replicas share them. For an account
only guesses from browsers in which its owner has not logged in are counted: however many there are, the owner's own
browsers have counts of their own, and a link that is sent to the owner's address opens the account in a new one.

Accounts that do not exist are counted like others, so that a refusal says nothing about them.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

import asyncpg

from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem


@dataclass(frozen=True)
class Limit:
    """How many failures within some seconds are allowed."""

    kind: str
    failures_max: int
    seconds: float


ADDRESS = Limit("address", 20, 900)
"""Of an IPv4 address or an IPv6 /64."""
NETWORK = Limit("network", 200, 900)
"""Of an IPv4 /24 or an IPv6 /48."""
ACCOUNT = Limit("account", 20, 3600)
"""Of an account, from unknown browsers."""
DEVICE = Limit("device", 10, 900)
"""Of a known browser."""
LINK = Limit("link", 10, 900)
"""With a link that was sent to the owner."""
MAIL_TO_ACCOUNT = Limit("mail to account", 5, 3600)
MAIL_FROM_ADDRESS = Limit("mail from address", 20, 3600)
MAIL_FROM_NETWORK = Limit("mail from network", 60, 3600)
PROVIDER = Limit("log-in at the provider", 60, 900)
"""Requests of an address that begin a log-in by OpenID Connect."""


def network_of(address: str) -> str:
    """Return the network of a client: an IPv4 /24 or an IPv6 /48; of what is no address, the text itself."""
    try:
        ip = ip_address(address.partition("/")[0])
    except ValueError:
        return address[:60]
    return str(ip_network((ip, 24 if isinstance(ip, IPv4Address) else 48), strict=False))


def attempt_key(limit: Limit, value: str) -> bytes:
    """Return the key under which failures are counted: a hash, so that the table names nobody."""
    return hashlib.sha256(f"{limit.kind}\0{value}".encode()).digest()


class LoginThrottle:
    """Counts attempts before they are made, and forgets those that succeed.

    Args:
        pool: Connected as the role presstally_ingest.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(self, *limits: tuple[Limit, str]) -> list[bytes]:
        """Count an attempt under each limit, in this order, and return the keys for `forget`.

        Raises:
            Problem: 429 if one of them is exceeded; the limits after it do not count the attempt.
        """
        keys = []
        for limit, value in limits:
            key = attempt_key(limit, value)
            row = await self._pool.fetchrow(ACCOUNTS["count_attempt"], key, limit.seconds)
            assert row is not None
            if row["failures"] > limit.failures_max:
                seconds = max(1, int(row["seconds"]) + 1)
                raise Problem(
                    429,
                    "Too many attempts. Wait, use a browser in which you have logged in before, or have a log-in link "
                    "sent to your e-mail address.",
                    headers={"retry-after": str(seconds)},
                    code="too_many_attempts",
                    retry_after_seconds=seconds,
                )
            keys.append(key)
        return keys

    async def forget(self, keys: list[bytes]) -> None:
        """Do not count an attempt that was none: it succeeded, or only lacked its second step."""
        await self._pool.execute(ACCOUNTS["forget_attempt"], keys)

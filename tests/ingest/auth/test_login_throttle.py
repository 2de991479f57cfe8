"""Limits on failed log-ins."""

import asyncpg
import pytest

from services.ingest.auth.login_throttle import Limit, LoginThrottle, network_of
from shared.http.problems import Problem

SMALL = Limit("small", 2, 60)
OTHER = Limit("other", 5, 60)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("", ""),
        ("unknown", "unknown"),
        ("x" * 100, "x" * 60),
    ],
)
def test_network_of_an_address_has_one_provider(address: str, network: str) -> None:
    """An IPv4 /24 or an IPv6 /48, from an address or its prefix; other texts stay, bounded."""
    assert network_of(address) == network


async def test_throttle_counts_until_its_time_has_passed(pool: asyncpg.Pool) -> None:
    """Beyond the limit it is 429 with the time left; the time begins with the first failure, and then all is new."""
    throttle = LoginThrottle(pool)
    for _ in range(2):
        await throttle.begin((SMALL, "x"))
    with pytest.raises(Problem) as refused:
        await throttle.begin((SMALL, "x"))
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["retry-after"]) <= 61
    await throttle.begin((SMALL, "y"), (OTHER, "x"))
    await pool.execute("UPDATE ingest.login_attempts SET until = clock_timestamp() - interval '1 s'")
    keys = await throttle.begin((SMALL, "x"))
    await throttle.forget(keys)
    assert await pool.fetchval("SELECT failures FROM ingest.login_attempts WHERE key = $1", keys[0]) == 0


async def test_throttle_stops_at_the_first_limit(pool: asyncpg.Pool) -> None:
    """An address that is refused already does not use up the count of an account."""
    throttle = LoginThrottle(pool)
    for _ in range(10):
        try:
            await throttle.begin((SMALL, "address"), (OTHER, "account"))
        except Problem:
            continue
    for _ in range(3):
        await throttle.begin((OTHER, "account"))
    with pytest.raises(Problem):
        await throttle.begin((OTHER, "account"))


async def test_throttle_stores_no_address(pool: asyncpg.Pool) -> None:
    """The table names neither accounts nor addresses."""
    await LoginThrottle(pool).begin((SMALL, "lan@haihau.example"))
    row = await pool.fetchrow("SELECT * FROM ingest.login_attempts")
    assert row is not None
    assert b"lan" not in row["key"]

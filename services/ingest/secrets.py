"""What all collectors share through Postgres: the partition secret and each site's salt of the day."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import asyncpg

from shared.postgres import read_queries

SQL = read_queries(__package__)
SALT_BYTES = 32
CACHED_DAYS = timedelta(days=3)


class SharedSecrets:
    """Reads each secret once and keeps it for as long as it may be needed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._salts: dict[tuple[str, date], bytes] = {}

    async def partition_secret(self) -> bytes:
        """Return the lasting secret that places readers on partitions.

        Raises:
            asyncpg.PostgresError, OSError: Postgres is away.
        """
        return await self._share(
            lambda: self._pool.fetchval(SQL["share_secret"], "partition", secrets.token_bytes(SALT_BYTES))
        )

    async def salt(self, site: str, day: date) -> bytes:
        """Return the site's salt of a local day; the first collector to ask makes it.

        Raises:
            asyncpg.PostgresError, OSError: it is not cached and Postgres is away.
        """
        known = self._salts.get((site, day))
        if known is not None:
            return known
        salt = await self._share(
            lambda: self._pool.fetchval(SQL["share_salt"], site, day, secrets.token_bytes(SALT_BYTES))
        )
        self._salts[site, day] = salt
        return salt

    async def drop_old(self) -> None:
        """Forget salts that are 48 hours old: from then on their keys stand for nobody."""
        newest = max((day for _, day in self._salts), default=None)
        if newest is not None:
            self._salts = {key: salt for key, salt in self._salts.items() if key[1] > newest - CACHED_DAYS}
        await self._pool.execute(SQL["drop_old_salts"])

    @staticmethod
    async def _share(read: Callable[[], Awaitable[bytes | None]]) -> bytes:
        # A statement sees the world as it began: the loser of a race finds nothing once, then the winner's.
        while (value := await read()) is None:
            pass
        return bytes(value)

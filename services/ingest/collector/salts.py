"""What all collectors share through Postgres: the partition secret and each site's salt of the day.

They are asked for ahead of time, and kept on the disk beside the spool (readable by the service's account alone),
so that collecting goes on, and begins, without Postgres. If it is away for so long that a salt is missing all the
same, one made here is used, and offered to the others when Postgres is back. A salt is dropped 48 hours after its day
began.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg

from services.ingest.collector.visitors import local_days
from services.ingest.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done, run_periodically
from shared.sites import Site

SALT_BYTES = 32
KEPT = timedelta(hours=48)
REFRESH_SECONDS = 60.0
LOOK_UP_SECONDS = 1.0
REFRESHING = "read the collectors' secrets"


class SharedSecrets:
    """Knows each secret before it is needed, and keeps it for as long as it may be needed.

    Args:
        pool: May not be connected yet.
        file: Where they are kept while Postgres is away.
        sites: Whose salts are asked for ahead of time.
    """

    def __init__(self, pool: asyncpg.Pool, file: Path, sites: Iterable[Site]) -> None:
        self._pool = pool
        self._file = file
        self._sites = list(sites)
        self._salts: dict[tuple[str, date], tuple[bytes, datetime]] = {}
        self._unshared: set[tuple[str, date]] = set()
        """Kept or made here while Postgres was away. They are offered to it; what it has already wins."""
        self._partition: bytes | None = None
        self._partition_shared = False
        self.problem: str | None = None

    async def start(self) -> None:
        """Read the secrets: those kept here, at once; otherwise wait for Postgres."""
        await asyncio.to_thread(self._read_file)
        if self._partition is None:
            await retry_until_done(
                self._refresh_now, on=POSTGRES_UNAVAILABLE, what=REFRESHING, on_waiting=self._set_problem
            )

    async def keep_fresh(self) -> None:
        """Ask for what will be needed and drop what is too old, for as long as the process lives."""
        await run_periodically(
            self._refresh_now,
            every_seconds=REFRESH_SECONDS,
            on=POSTGRES_UNAVAILABLE,
            what=REFRESHING,
            on_waiting=self._set_problem,
        )

    async def _refresh_now(self) -> None:
        await self.refresh(datetime.now(UTC))

    def _set_problem(self, waiting_reason: str | None) -> None:
        self.problem = "the salts of the day cannot be read from Postgres" if waiting_reason else None

    @property
    def partition_secret(self) -> bytes:
        """The lasting secret that places readers on partitions."""
        assert self._partition is not None, "start() has waited for it"
        return self._partition

    def salt(self, site: str, day: date) -> bytes | None:
        """Return the site's salt of a local day, if it is known here; otherwise ask `find_salt`."""
        known = self._salts.get((site, day))
        return known[0] if known else None

    async def find_salt(self, site: str, day: date) -> bytes:
        """Return the site's salt of any local day; when Postgres is away, one that is made here."""
        known = self.salt(site, day)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                await self._share_salt(site, day, datetime.now(UTC))
        except POSTGRES_UNAVAILABLE as error:
            log.warning("A salt is made here, for Postgres is away", site=site, day=str(day), reason=repr(error))
            self._salts[site, day] = (secrets.token_bytes(SALT_BYTES), datetime.now(UTC))
            self._unshared.add((site, day))
            self.problem = "a salt of the day could not be shared"
        return self._salts[site, day][0]

    async def refresh(self, now: datetime) -> None:
        """Share what is needed now and within a day, and drop what is older than 48 hours.

        Raises:
            asyncpg.PostgresError, OSError: Postgres is away; what is known stays.
        """
        before = (self._partition, dict(self._salts))
        self._salts = {key: known for key, known in self._salts.items() if known[1] > now - KEPT}
        self._unshared &= self._salts.keys()
        if not self._partition_shared:
            self._partition = await self._share_partition()
            self._partition_shared = True
        for key in sorted(self._unshared):
            await self._share_salt(*key, now)
        self._unshared.clear()
        for site in self._sites:
            days = local_days(int(now.timestamp() * 1000), site.zone)
            for day in (days.yesterday, days.today, days.today + timedelta(days=1)):
                if day is not None and (site.slug, day) not in self._salts:
                    begins = datetime(day.year, day.month, day.day, tzinfo=site.zone).astimezone(UTC)
                    await self._share_salt(site.slug, day, max(now, begins))
        await self._pool.execute(SQL["drop_old_salts"])
        if (self._partition, self._salts) != before:
            await asyncio.to_thread(self._write_file)

    async def _share_salt(self, site: str, day: date, begins: datetime) -> None:
        candidate = self._salts.get((site, day), (secrets.token_bytes(SALT_BYTES), begins))
        # A statement sees the world as it began: the loser of a race finds nothing once, then the winner's.
        while (row := await self._pool.fetchrow(SQL["share_salt"], site, day, *candidate)) is None:
            pass
        self._salts[site, day] = (bytes(row["salt"]), row["created_at"])

    async def _share_partition(self) -> bytes:
        candidate = self._partition or secrets.token_bytes(SALT_BYTES)
        while (secret := await self._pool.fetchval(SQL["share_secret"], "partition", candidate)) is None:
            pass
        return bytes(secret)

    def _read_file(self) -> None:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self._partition = bytes.fromhex(kept["partition"])
            for site, day, salt, begins in kept["salts"]:
                if time.time() < begins + KEPT.total_seconds():
                    self._salts[site, date.fromisoformat(day)] = (
                        bytes.fromhex(salt),
                        datetime.fromtimestamp(begins, UTC),
                    )
            self._unshared = set(self._salts)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("The kept secrets cannot be read; asking Postgres", reason=repr(error))

    def _write_file(self) -> None:
        assert self._partition is not None, "it is read first"
        kept = {
            "partition": self._partition.hex(),
            "salts": [
                [site, day.isoformat(), salt.hex(), begins.timestamp()]
                for (site, day), (salt, begins) in sorted(self._salts.items())
            ],
        }
        unfinished = self._file.with_suffix(f".{os.getpid()}")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        unfinished.replace(self._file)

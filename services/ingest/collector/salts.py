"""Secrets that all collectors share through Postgres: the partition secret and the daily salts of each site.

They are fetched ahead of time and cached on disk next to the spool (readable by the service's account only), so that
collectors can run and start without Postgres. If an outage lasts so long that a salt is missing, a local one is created
and published when Postgres is back. A salt is deleted 48 hours after the start of its day.
"""

import asyncio
import secrets
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg

from services.ingest.auth.shared_secrets import get_or_create_secret
from services.ingest.collector.disk_cache import DiskCache
from services.ingest.collector.own_traffic import own_traffic_key
from services.ingest.collector.visitors import local_days
from services.ingest.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done, run_periodically
from shared.sites import Sites

SALT_BYTES = 32
PARTITION_SECRET = "partition"  # noqa: S105 - its name
SALT_RETENTION = timedelta(hours=48)
LONGEST_DAY = timedelta(hours=25)
"""The day on which summer time ends."""
REFRESH_SECONDS = 60.0
LOOKUP_TIMEOUT_SECONDS = 1.0
REFRESHING = "read the collectors' secrets"


class SaltStore:
    """Fetches the secrets before they are needed, and caches them for SALT_RETENTION.

    Args:
        pool: Not necessarily connected yet.
        file: Cache on disk, for when Postgres is unavailable.
        sites: Sites whose salts are fetched ahead of time.
    """

    def __init__(self, pool: asyncpg.Pool, file: Path, sites: Sites) -> None:
        self._pool = pool
        self._disk = DiskCache(file)
        self._sites = sites
        self._salts: dict[tuple[str, date], tuple[bytes, datetime]] = {}
        self._unpublished: set[tuple[str, date]] = set()
        """Salts read from disk or created locally. Published later; one that Postgres already has wins."""
        self._partition: bytes | None = None
        self._partition_published = False
        self._own_traffic: bytes | None = None
        self.problem: str | None = None

    async def start(self) -> None:
        """Load the secrets from disk, or else wait for Postgres."""
        await asyncio.to_thread(self._read_file)
        if self._partition is None:
            await retry_until_done(
                self._refresh_now, on=POSTGRES_UNAVAILABLE, what=REFRESHING, on_waiting=self._set_problem
            )

    async def run_refresh(self) -> None:
        """Fetch the secrets that will be needed and delete expired ones, until cancelled."""
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
        self.problem = "cannot read the daily salts from Postgres" if waiting_reason else None

    @property
    def partition_secret(self) -> bytes:
        """The permanent secret of the partition hashes."""
        assert self._partition is not None, "start() waits for it"
        return self._partition

    @property
    def own_traffic_key(self) -> bytes:
        """The permanent key of links and cookies of own traffic."""
        if self._own_traffic is None:
            self._own_traffic = own_traffic_key(self.partition_secret)
        return self._own_traffic

    def salt(self, site: str, day: date) -> bytes | None:
        """Return the cached salt of a site and local day, or None: then use `get_or_create_salt`."""
        known = self._salts.get((site, day))
        return known[0] if known else None

    async def get_or_create_salt(self, site: str, day: date) -> bytes:
        """Return the salt of a site and any local day; while Postgres is unavailable, a locally created one."""
        known = self.salt(site, day)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_SECONDS):
                await self._publish_salt(site, day, self._kept_from(site, day, datetime.now(UTC)))
        except POSTGRES_UNAVAILABLE as error:
            log.warning("created a local salt: Postgres is unavailable", site=site, day=str(day), reason=repr(error))
            self._salts[site, day] = (secrets.token_bytes(SALT_BYTES), self._kept_from(site, day, datetime.now(UTC)))
            self._unpublished.add((site, day))
            self.problem = "a locally created salt is not published yet"
        return self._salts[site, day][0]

    async def refresh(self, now: datetime) -> None:
        """Publish or fetch the secrets needed within a day, and delete salts older than SALT_RETENTION.

        Raises:
            asyncpg.PostgresError, OSError: Postgres is unavailable; cached secrets stay.
        """
        self._salts = {key: known for key, known in self._salts.items() if known[1] > now - SALT_RETENTION}
        self._unpublished &= self._salts.keys()
        if not self._partition_published:
            self._partition = await get_or_create_secret(self._pool, PARTITION_SECRET, self._partition)
            self._own_traffic = None
            self._partition_published = True
        for key in sorted(self._unpublished):
            await self._publish_salt(*key, self._kept_from(*key, now))
            self._unpublished.discard(key)  # and no others: requests may have made some meanwhile
        for site in self._sites.values():
            days = local_days(int(now.timestamp() * 1000), site.zone)
            for day in (days.yesterday, days.today, days.today + timedelta(days=1)):
                if day is not None and (site.slug, day) not in self._salts:
                    await self._publish_salt(site.slug, day, self._kept_from(site.slug, day, now))
        await self._pool.execute(SQL["delete_old_salts"])
        assert self._partition is not None, "it was published above, or before"
        salts = [
            [site, day.isoformat(), salt.hex(), begins.timestamp()]
            for (site, day), (salt, begins) in sorted(self._salts.items())
        ]
        await self._disk.write({"partition": self._partition.hex(), "salts": salts})

    def _kept_from(self, slug: str, day: date, now: datetime) -> datetime:
        """Return when the SALT_RETENTION of a salt begins that is made now.

        It is the start of its day, however late the salt is made. If that day's salt is deleted already, events of the
        day may still arrive for a day: another salt lasts as long, so that a visitor does not get one ID for each.
        """
        site = self._sites.get(slug)
        begins = datetime(day.year, day.month, day.day, tzinfo=site.zone if site else UTC).astimezone(UTC)
        return begins if now < begins + SALT_RETENTION else begins + LONGEST_DAY

    async def _publish_salt(self, site: str, day: date, kept_from: datetime) -> None:
        candidate = self._salts.get((site, day), (secrets.token_bytes(SALT_BYTES), kept_from))
        # A statement uses one snapshot: the loser of a race gets no row the first time, then the winner's.
        while (row := await self._pool.fetchrow(SQL["get_or_create_salt"], site, day, *candidate)) is None:
            pass
        self._salts[site, day] = (bytes(row["salt"]), row["created_at"])

    def _read_file(self) -> None:
        cached = self._disk.read()
        if cached is None:
            return
        try:
            self._partition = bytes.fromhex(cached["partition"])
            for site, day, salt, begins in cached["salts"]:
                if time.time() < begins + SALT_RETENTION.total_seconds():
                    self._salts[site, date.fromisoformat(day)] = (
                        bytes.fromhex(salt),
                        datetime.fromtimestamp(begins, UTC),
                    )
            self._unpublished = set(self._salts)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("cannot read the cached secrets; waiting for Postgres", reason=repr(error))

"""Shared secrets of the collectors: Postgres, the cache on disk, and outages."""

import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from services.ingest.collector.salts import SALT_BYTES, SALT_RETENTION, SaltStore
from shared.sites import Site, Sites


@pytest.fixture
def day(site: Site) -> date:
    """Yesterday, whose salt is not fetched ahead of time; that of the day before is deleted already."""
    return datetime.now(site.zone).date() - timedelta(days=1)


def store_of(pool: asyncpg.Pool, folder: Path, site: Site) -> SaltStore:
    return SaltStore(pool, folder / "secrets.json", Sites({site.slug: site}))


async def test_start_shares_secrets_between_collectors(pool: asyncpg.Pool, tmp_path: Path, site: Site) -> None:
    """Two collectors get the same partition secret, and the same salts of today and tomorrow."""
    one, other = store_of(pool, tmp_path, site), store_of(pool, tmp_path / "other", site)
    (tmp_path / "other").mkdir()
    await one.start()
    await other.start()
    assert one.partition_secret == other.partition_secret
    assert len(one.partition_secret) == SALT_BYTES
    today = datetime.now(site.zone).date()
    salts = [one.salt("haihau", today + timedelta(days=days)) for days in (0, 1)]
    assert salts == [other.salt("haihau", today + timedelta(days=days)) for days in (0, 1)]
    assert None not in salts
    assert salts[0] != salts[1]


async def test_start_without_postgres_uses_the_cache_on_disk(pool: asyncpg.Pool, tmp_path: Path, site: Site) -> None:
    """A collector starts without Postgres from its file, which only its own account may read."""
    first = store_of(pool, tmp_path, site)
    await first.start()
    file = tmp_path / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    pool.terminate()
    second = store_of(pool, tmp_path, site)
    await second.start()
    assert second.partition_secret == first.partition_secret
    today = datetime.now(site.zone).date()
    assert second.salt("haihau", today) == first.salt("haihau", today) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"partition": "zz", "salts": []}', '{"partition": "00"}'])
async def test_start_with_damaged_cache_reads_postgres(
    pool: asyncpg.Pool, tmp_path: Path, site: Site, content: str
) -> None:
    """A damaged file is ignored, and replaced by the secrets of Postgres."""
    (tmp_path / "secrets.json").write_text(content)
    store = store_of(pool, tmp_path, site)
    await store.start()
    await store.refresh(datetime.now(UTC))
    again = store_of(pool, tmp_path, site)
    await again.start()
    assert again.partition_secret == store.partition_secret


async def lost_pool(database: str) -> asyncpg.Pool:
    """Return the pool of a Postgres that is unavailable."""
    pool = await asyncpg.create_pool(database, min_size=1)
    pool.terminate()
    return pool


async def test_get_or_create_salt_during_outage_is_published_later(
    pool: asyncpg.Pool, database: str, tmp_path: Path, site: Site, day: date
) -> None:
    """A salt created without Postgres is used at once, reported, and published to the others afterwards."""
    store = store_of(pool, tmp_path, site)
    await store.start()
    store._pool = await lost_pool(database)
    salt = await store.get_or_create_salt("haihau", day)
    assert (len(salt), store.problem is not None) == (SALT_BYTES, True)
    assert await store.get_or_create_salt("haihau", day) == salt
    store._pool = pool
    await store.refresh(datetime.now(UTC))
    assert await pool.fetchval("SELECT salt FROM ingest.salts WHERE day = $1", day) == salt


async def test_salt_created_while_others_are_published_is_published_next(
    pool: asyncpg.Pool, database: str, tmp_path: Path, site: Site, day: date
) -> None:
    """A request that meets a slow Postgres in the middle of a refresh makes a salt, which is not forgotten."""
    store = store_of(pool, tmp_path, site)
    await store.start()
    store._pool = lost = await lost_pool(database)
    await store.get_or_create_salt("haihau", day)
    made: list[bytes] = []

    class MetByARequest:
        """Postgres, at whose first statement a request for another salt gets no response."""

        async def fetchrow(self, *arguments: object) -> object:
            if not made:
                store._pool = lost
                made.append(await store.get_or_create_salt("haihau", day - timedelta(days=1)))
                store._pool = pool
            return await pool.fetchrow(*arguments)  # type: ignore[arg-type]

    store._pool = MetByARequest()  # type: ignore[assignment]
    await store.refresh(datetime.now(UTC))
    await store.refresh(datetime.now(UTC))
    other = store_of(pool, tmp_path / "other", site)
    assert await other.get_or_create_salt("haihau", day - timedelta(days=1)) == made[0]


async def test_published_salt_of_another_collector_wins(
    pool: asyncpg.Pool, database: str, tmp_path: Path, site: Site, day: date
) -> None:
    """If Postgres already has a salt, the locally created one is discarded, so that all use the same."""
    store = store_of(pool, tmp_path, site)
    await store.start()
    store._pool = await lost_pool(database)
    local = await store.get_or_create_salt("haihau", day)
    await pool.execute(
        "INSERT INTO ingest.salts (site, day, salt, created_at) VALUES ('haihau', $1, $2, now())", day, b"x" * 32
    )
    store._pool = pool
    await store.refresh(datetime.now(UTC))
    assert store.salt("haihau", day) == b"x" * 32 != local


async def test_refresh_deletes_salts_after_retention(pool: asyncpg.Pool, tmp_path: Path, site: Site) -> None:
    """Salts older than 48 hours are deleted from memory, from the file and from Postgres."""
    store = store_of(pool, tmp_path, site)
    await store.start()
    old = datetime.now(UTC) - SALT_RETENTION - timedelta(seconds=1)
    await pool.execute("UPDATE ingest.salts SET created_at = $1", old)
    today = datetime.now(site.zone).date()
    assert store.salt("haihau", today) is not None
    await store.refresh(datetime.now(UTC) + SALT_RETENTION + timedelta(days=2))
    assert store.salt("haihau", today) is None
    assert await pool.fetchval("SELECT count(*) FROM ingest.salts WHERE created_at <= $1", old) == 0
    assert str(today) not in (tmp_path / "secrets.json").read_text()


async def test_salts_made_late_last_no_longer_than_their_day_needs(
    pool: asyncpg.Pool, tmp_path: Path, site: Site, day: date
) -> None:
    """A salt that is made in the middle of its day ends as all do, one for late events when none can come any more."""
    store = store_of(pool, tmp_path, site)
    await store.start()
    begins = {
        one: datetime(one.year, one.month, one.day, tzinfo=site.zone)
        for one in (day + timedelta(days=1), day - timedelta(days=1))
    }
    (today, of_today), (deleted, of_deleted) = begins.items()
    salt = await store.get_or_create_salt("haihau", deleted)
    await store.refresh(datetime.now(UTC))
    assert await store_of(pool, tmp_path, site).get_or_create_salt("haihau", deleted) == salt
    ends = dict(await pool.fetch("SELECT day, created_at + interval '48 hours' FROM ingest.salts"))
    assert (ends[today], ends[deleted]) == (of_today + timedelta(hours=48), of_deleted + timedelta(hours=73))
    await store.refresh(of_deleted + timedelta(hours=73, seconds=1))
    assert store.salt("haihau", deleted) is None

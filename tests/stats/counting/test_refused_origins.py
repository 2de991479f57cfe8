"""Reports of refused origins → the notes of the statistics page: summed by day, bounded, and deleted after a week."""

import asyncpg
import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from services.stats.counting.refused_origins import DAY_MS, KEPT_DAYS, ORIGINS_MAX, save_refused_origin
from services.stats.shared_reads import open_snapshot
from services.stats.statistics.report import read_refused_origins
from shared.events import RefusedOrigin
from shared.kafka.config import KafkaConfig
from shared.kafka.database_consumer import transactions
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.sites import Site

SITE = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
NOWHERE = Producer(KafkaConfig("localhost:1"))


async def now_ms(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint"))


async def save(pool: asyncpg.Pool, origin: str | None, views: int, at: int, site: str = "haihau") -> None:
    value = msgspec.json.encode(RefusedOrigin(site=site, origin=origin, views=views, at=at))
    record = ConsumerRecord("refused-origins", 0, 0, 0, 0, site.encode(), value, None, 0, 0, ())
    await save_refused_origin(NOWHERE, transactions(pool), record)


async def shown(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    async with pool.acquire() as connection, open_snapshot(connection) as snapshot:
        return await read_refused_origins(snapshot, SITE)


async def test_reports_of_two_days_are_summed_by_origin(database: str) -> None:
    """All collectors' reports of yesterday and today are added; other sites' and older ones are not shown."""
    pool = await open_pool(database, role="presstally_stats")
    now = await now_ms(pool)
    await save(pool, "https://a.example", 2, now)
    await save(pool, "https://a.example", 3, now - DAY_MS)
    await save(pool, None, 9, now)
    await save(pool, "https://b.example", 1, now)
    await save(pool, "https://c.example", 7, now - 2 * DAY_MS)
    await save(pool, "https://d.example", 7, now, site="giao-thuy")
    assert await shown(pool) == [("https://a.example", 5), ("https://b.example", 1), ("", 9)]
    await pool.close()


async def test_claimed_origins_of_a_day_are_bounded_and_expire(database: str) -> None:
    """A flood of origins, by any number of collectors, makes few rows, and none stays for longer than a week."""
    pool = await open_pool(database, role="presstally_stats")
    now = await now_ms(pool)
    await save(pool, "https://old.example", 1, now - (KEPT_DAYS + 1) * DAY_MS)
    for number in range(ORIGINS_MAX + 10):
        await save(pool, f"https://claimed-{number}.example", 1, now)
    found = await shown(pool)
    assert len(found) == ORIGINS_MAX + 1
    assert found[-1] == ("", 10)
    assert not await pool.fetchval("SELECT count(*) FROM stats.refused_origins WHERE origin = 'https://old.example'")
    await pool.close()


@pytest.mark.parametrize(
    "origin", ["javascript:x", "https://a.example/<b>", f"https://{300 * 'a'}", "HTTPS://A.example"]
)
def test_origin_with_another_form_is_no_report(origin: str) -> None:
    """A name that a page could mistake for markup or a link of another kind is not accepted."""
    value = b'{"site": "haihau", "origin": "%s", "views": 1, "at": 1}' % origin.encode()
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(value, type=RefusedOrigin)

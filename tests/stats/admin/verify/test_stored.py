"""What `verify` reads of Postgres, one partition after the other."""

from typing import Any

import asyncpg

from services.stats.admin.verify.settled_days import LogBegin
from services.stats.admin.verify.stored import StoredReader
from tests.stats.admin.verify.reading import BY_PARTITION, read_all
from tests.stats.counting.test_rules import NOON, record
from tests.stats.counting.test_whole_path import TABLES, count_all, postgres_pool  # noqa: F401 - a fixture

DAY = 86_400_000
ROW = """INSERT INTO stats.ledger (generation, site, day, outcome, reason, partition, events)
VALUES (1, 'haihau', 0, 'bot', '', 7, 3)"""


def test_partitions_are_read_one_after_the_other(postgres_pool: Any) -> None:  # noqa: F811
    """Each is yielded once, in order, also one that only a row names; meanwhile nothing of another one is in memory."""

    async def run(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        for number in (5, 0, 3):
            records = [record(n, at=NOON + n * DAY, visitor=f"{n:016x}", article=f"bai-{n}") for n in range(8)]
            await count_all(pool, number, records, [])
        await pool.execute(ROW)
        begins = {number: LogBegin(0, NOON) for number in (0, 3, 5)}
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            reader, seen = StoredReader(connection, begins), []
            stored = await reader.read_stored()
            async for number in reader.partitions(stored, [9]):
                in_memory = {one for name in BY_PARTITION for one, values in getattr(stored, name).items() if values}
                assert in_memory == ({number} if number != 9 else set())
                if number in begins:
                    assert all(getattr(stored, name)[number] for name in ("counts", "ledger", "known_articles"))
                seen.append(number)
            assert not any(getattr(stored, name) for name in BY_PARTITION)
            assert seen == [0, 3, 5, 7, 9]
            assert len((await read_all(connection, begins)).daily_visitors) == 8

    postgres_pool(run)

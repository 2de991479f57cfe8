"""Days that no record can change any more."""

from typing import Any

import asyncpg

from services.stats.counting.settled import BEGINNING, SETTLED_SECONDS, settled_before
from services.stats.counting.store import read_positions
from shared.kafka.topic_identity import TopicIdentity
from tests.stats.counting.test_whole_path import TABLES, postgres_pool  # noqa: F401 - a fixture


def test_settled_days_are_older_than_any_record_that_is_not_counted(postgres_pool: Any) -> None:  # noqa: F811
    """The partition that is farthest behind decides; one that was never counted settles nothing, an idle one all."""

    async def run(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        await read_positions(pool, "page-views", {0: 0, 1: 0}, TopicIdentity("c", "t"))
        store = "UPDATE stats.offsets SET next_offset = 10, newest_arrived = $2 WHERE partition = $1"
        await pool.execute(store, 0, 900_000_000)
        for ends, oldest in (({0: 10, 1: 0}, 900_000), ({0: 11, 1: 0}, 900_000), ({0: 10, 1: 1}, None)):
            found = await settled_before(pool, 1, ends)
            assert found == (BEGINNING if oldest is None else oldest - SETTLED_SECONDS)
        await pool.execute(store, 1, 800_000_000)
        assert await settled_before(pool, 1, {0: 10, 1: 11}) == 800_000 - SETTLED_SECONDS
        assert await settled_before(pool, 1, {0: 10, 1: 10}) == 900_000 - SETTLED_SECONDS

    postgres_pool(run)

"""Days of articles that the log says nothing about: `verify` compares their sums, and finds what it found before."""

from typing import Any

import asyncpg
import pytest

from services.stats.admin.verify.settled_days import NOTHING, SETTLED_MS, LogBegin, settled_before
from services.stats.admin.verify.values import Gap, PartitionProgress, StoredValues
from tests.stats.admin.test_reference_model import DAY, NOON
from tests.stats.admin.verify.reading import read_all
from tests.stats.counting.test_whole_path import TABLES, count_all, drifts, postgres_pool, record  # noqa: F401 - a fixture

LATER = NOON + 9 * DAY
FIRST_DAY = "bucket_start = (SELECT min(bucket_start) FROM stats.counts WHERE article = 'bai-1' AND grain = 'day')"
CHANGES = {
    "UPDATE stats.counts SET views = views + 1 WHERE article = 'bai-1' AND "
    + FIRST_DAY: "views as the sum of its days",
    "UPDATE stats.counts SET visits = -1 WHERE article = 'bai-1' AND " + FIRST_DAY: "visits: expected 0",
    "UPDATE stats.counts SET views = 2 WHERE article = 'bai-1' AND (grain = 'total' OR "
    + FIRST_DAY
    + ")": "views of all articles",
    "DELETE FROM stats.known_articles WHERE article = 'bai-1'": "rows, as it has counts",
    "INSERT INTO stats.known_articles VALUES (1, 0, 'haihau', 'bai-99', 5, 1)": "rows, as it has counts",
    "DELETE FROM stats.counts WHERE article = 'bai-1' AND grain = 'day'": "views as the sum of its days",
    "DELETE FROM stats.counts WHERE article = 'bai-1' AND grain = 'total'": "views as the sum of its days",
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_a_day_before_the_log_is_found(postgres_pool: Any, change: str) -> None:  # noqa: F811
    """A settled number that is wrong, negative or without its total is a drift; without a change there is none."""

    async def run(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        records = [record(n, at=NOON + n * DAY, visitor=f"{n:016x}", article=f"bai-{n}") for n in range(12)]
        await count_all(pool, 0, records, [])
        trimmed = {0: records[9:]}
        assert await drifts(pool, trimmed) == []
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            there = await read_all(connection, {0: LogBegin(9, records[9].arrived)})
        read = {bucket.article for bucket in there.counts[0]} | {key.article for key in there.known_articles[0]}
        assert read == {"", *(f"bai-{n}" for n in range(6, 12))}
        await pool.execute(change)
        found = await drifts(pool, trimmed)
        assert any(CHANGES[change] in one for one in found), found

    postgres_pool(run)


def stored(**partitions: Any) -> StoredValues:
    found = StoredValues(**partitions)
    found.partitions = {0: PartitionProgress(10, LATER, 0, ""), 1: PartitionProgress(5, LATER, 5, "")}
    return found


@pytest.mark.parametrize(
    ("gaps", "begins", "before"),
    [
        ([], {0: LogBegin(3, LATER), 1: LogBegin(5, LATER - DAY)}, (LATER - DAY - SETTLED_MS) // 1000),
        ([], {0: LogBegin(10, None), 1: LogBegin(5, LATER)}, (LATER - SETTLED_MS) // 1000),
        ([], {0: LogBegin(0, LATER), 1: LogBegin(5, LATER)}, NOTHING),  # the log has all of it
        ([Gap(0, 0, 0)], {0: LogBegin(0, LATER), 1: LogBegin(0, None)}, (LATER - SETTLED_MS) // 1000),  # a new log
        ([], {0: LogBegin(10, None), 1: LogBegin(5, None)}, NOTHING),
    ],
)
def test_settled_days_end_before_the_first_record(gaps: list[Gap], begins: dict[int, LogBegin], before: int) -> None:
    """The partition whose log reaches farthest back decides, and a log that has all of its records settles nothing."""
    assert settled_before(stored(gaps=gaps), begins) == before

"""Rows that a rebuild keeps: most are copied before the swap, in parts, and each exactly once."""

import random
from typing import Any

import asyncpg
import pytest

from services.stats.admin import kept_rows
from services.stats.admin.kept_rows import BEGINNING, SETTLED_SECONDS, KeptRows, delete_leftovers, settled_before
from services.stats.counting.store import read_positions
from shared.kafka.topic_identity import TopicIdentity
from tests.stats.counting.test_whole_path import TABLES, postgres_pool  # noqa: F401 - a fixture

DAY = 86_400
DAYS = 12
CUTS = {"haihau": 8 * DAY, "kathmandu": 5 * DAY}
COUNTS = "site, article, grain, bucket_start, partition, views, visits, visitors"
OTHERS = ("visitor_days", "ledger", "referrers")


async def fill(pool: asyncpg.Pool) -> None:
    """Store days of three sites, in an order in which each page has rows of all days, and totals of other numbers."""
    chance = random.Random(7)
    counts = [
        (site, article, grain, day * DAY, partition, *(chance.randrange(1, 90) for _ in range(3)))
        for site in (*CUTS, "gone")
        for article in ("", "bai-1", "/trang")
        for grain in (("5m", "hour", "day") if not article else ("day",))
        for day in range(DAYS)
        for partition in range(2)
    ]
    chance.shuffle(counts)
    async with pool.acquire() as connection:
        await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        statement = f"INSERT INTO stats.counts ({COUNTS}, generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)"
        await connection.executemany(statement, counts)
        for day in range(DAYS):
            for site in (*CUTS, "gone"):
                await connection.execute("INSERT INTO stats.visitor_days VALUES ($1, $2, $3, 1)", site, day * DAY, day)
                await connection.execute(
                    "INSERT INTO stats.ledger VALUES ($1, $2, 'counted', '', 0, $3, 1)", site, day * DAY, day + 1
                )
                await connection.execute(
                    "INSERT INTO stats.referrers VALUES (1, $1, $2, 0, '', $3)", site, day * DAY, day
                )


async def kept(pool: asyncpg.Pool) -> list[list[tuple[Any, ...]]]:
    """Return what the new generation has, and delete it."""
    found = [await pool.fetch(f"DELETE FROM stats.counts WHERE generation = 2 RETURNING {COUNTS}")]
    found += [await pool.fetch(f"DELETE FROM stats.{table} WHERE generation = 2 RETURNING *") for table in OTHERS]
    return [sorted(tuple(row) for row in rows) for rows in found]


def expected_counts(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows before each site's cut, and their totals."""
    days = [row for row in rows if row[3] < CUTS.get(row[0], DAYS * DAY)]
    totals: dict[tuple[Any, ...], list[int]] = {}
    for site, article, grain, _, partition, *numbers in days:
        if grain == "day":
            total = totals.setdefault((site, article, "total", 0, partition), [0, 0, 0])
            total[:] = map(sum, zip(total, numbers, strict=True))
    return sorted([*days, *((*place, *total) for place, total in totals.items())])


def test_rows_copied_before_the_swap_and_in_it_are_all_kept_rows_once(
    postgres_pool: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever the settled days end, the new generation has each kept row once, and totals that are their sums."""
    monkeypatch.setattr(kept_rows, "PAGES", 1)

    async def run(pool: asyncpg.Pool) -> None:
        await fill(pool)
        rows = [tuple(row) for row in await pool.fetch(f"SELECT {COUNTS} FROM stats.counts")]
        for settled in (BEGINNING, 3 * DAY, 6 * DAY, 8 * DAY, DAYS * DAY):
            copied = KeptRows(1, 2, CUTS, CUTS | {"haihau": 9 * DAY})
            async with pool.acquire() as connection:
                await copied.copy_settled(connection, settled)
                await copied.copy_rest(connection)
            counts, visitor_days, ledger, referrers = await kept(pool)
            assert counts == expected_counts(rows)
            assert [len(visitor_days), len(ledger), len(referrers)] == [8 + 5 + DAYS, 9 + 5 + DAYS, 8 + 5 + DAYS]

    postgres_pool(run)


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


def test_rows_of_a_former_generation_are_deleted_by_the_next_rebuild(
    postgres_pool: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a rebuild left that was killed after its swap, or before it, does not stay on the disk."""
    monkeypatch.setattr(kept_rows, "PAGES", 1)

    async def run(pool: asyncpg.Pool) -> None:
        await fill(pool)
        await pool.execute(
            "INSERT INTO stats.counts "
            "SELECT site, article, grain, bucket_start, partition, 1, 1, 1, 0 FROM stats.counts"
        )
        await pool.execute("INSERT INTO stats.generations (generation, state) VALUES (3, 'building')")
        await pool.execute("INSERT INTO stats.ledger VALUES ('haihau', 0, 'counted', '', 0, 1, 3)")
        before = await pool.fetchval("SELECT count(*) FROM stats.counts WHERE generation = 1")
        await delete_leftovers(pool)
        assert await pool.fetchval("SELECT count(*) FROM stats.counts") == before
        assert await pool.fetchval("SELECT count(*) FROM stats.ledger WHERE generation <> 1") == 0
        assert [tuple(row) for row in await pool.fetch("SELECT generation, state FROM stats.generations")] == [
            (1, "current")
        ]

    postgres_pool(run)

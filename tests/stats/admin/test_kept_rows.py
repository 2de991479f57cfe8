"""Rows that a rebuild keeps: most are copied before the swap, in parts, and each exactly once."""

import random
from typing import Any

import asyncpg
import pytest

from services.stats.admin import kept_rows
from services.stats.admin.kept_rows import KeptRows, delete_generation, delete_leftovers
from services.stats.admin.verify.article_sums import read_article_sums
from services.stats.counting.article_sums import sum_settled_days
from services.stats.counting.settled import BEGINNING
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


def test_sums_of_a_rebuild_are_of_the_rows_that_it_keeps(postgres_pool: Any) -> None:  # noqa: F811
    """Sums are made when the settled rows are copied, and those that are copied later are in none of them."""

    async def run(pool: asyncpg.Pool) -> None:
        await fill(pool)
        for settled in (BEGINNING, 9 * DAY, DAYS * DAY):
            copied = KeptRows(1, 2, {}, {})
            async with pool.acquire() as connection:
                await copied.copy_settled(connection, settled)
                await sum_settled_days(pool, 2, copied.settled)
                await copied.copy_rest(connection)
                found = await read_article_sums(connection, 2)
            assert (found.rows > 0, found.differences) == (settled > 0, ())
            await delete_generation(pool, 2)
            for table in ("article_sums", "summed_until", "counts"):
                assert await pool.fetchval(f"SELECT count(*) FROM stats.{table} WHERE generation = 2") == 0

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

"""Exclusions through rebuilds, on a real Postgres and a log in memory: what they move, and how it is put back."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import pytest

from services.stats.admin import exclusions
from services.stats.admin.rebuild import Rebuild
from services.stats.admin.reference_exclusions import ExclusionRow, excluded_visitors
from services.stats.counting import known_articles
from services.stats.counting.decoding import RawRecord
from services.stats.counting.exclusions import reversal_id
from services.stats.local_calendar import day_start
from tests.stats.admin.test_rebuild import FakeConsumer, clear, rebuild_trimmed, same_topic
from tests.stats.counting.test_rules import MINUTE, NOON, SITES, record
from tests.stats.counting.test_whole_path import count_all, drifts, expected, long_history, postgres_pool, stored

__all__ = ["postgres_pool", "same_topic"]
ID = "0191f0de-aaaa-7000-8000-00000000000%d"
HOUR = 60 * MINUTE
PHONE = "2" + "0" * 15


class Clock:
    """A clock that is set."""

    at_ms = 0

    def time_ns(self) -> int:
        return self.at_ms * 1_000_000


async def enter(pool: asyncpg.Pool, number: int, row: ExclusionRow | None, at: int = NOON) -> None:
    """Enter an exclusion, or the reversal of the one with this number."""
    name = ID % number if row is not None else reversal_id(ID % number)
    group = (row.agent, row.begin, row.end) if row is not None else (None, None, None)
    await pool.execute(
        "INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at, excluded_agent, "
        "excluded_from, excluded_to) VALUES ($1, $6, '', 'visitors', 0, 'An', 'a fleet', $2, $3, $4, $5)",
        name,
        datetime.fromtimestamp((row.at if row is not None else at) / 1000, UTC),
        *group,
        "haihau" if row is None else row.site,
    )


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of rebuilds: it stands before all records, so that nothing arrives late."""
    here = Clock()
    monkeypatch.setattr(exclusions, "time", here)
    return here


async def reset(pool: asyncpg.Pool) -> None:
    await clear(pool)
    for table in ("adjustments", "applied_exclusions", "excluded_visitors", "gaps"):
        await pool.execute(f"DELETE FROM stats.{table}")


def must_be(partitions: dict[int, list[RawRecord]], rows: list[ExclusionRow]) -> dict[str, Any]:
    """What is stored when these exclusions stand."""
    found = excluded_visitors(partitions, rows)
    return expected(partitions, excluded=set().union(*found.values()))


def a_fleet() -> tuple[list[RawRecord], ExclusionRow]:
    """Ten programs and three people of one agent: one answers, one comes before the span, one answers too late."""
    programs = [record(n, at=NOON + n, visitor=f"{n + 1:016x}", client=PHONE, referrer="zalo.me") for n in range(10)]
    people = [
        record(10, at=NOON + 10, visitor="a" * 16, client=PHONE, article="bai-1"),
        record(11, at=NOON + 11, kind="ping", visitor="a" * 16, client=PHONE),
        record(12, at=NOON + 12, arrived=NOON + 13, visitor="b" * 16, client="3" + "0" * 15),
        record(13, at=NOON - 2 * HOUR, arrived=NOON + 14, visitor="c" * 16, client=PHONE),
        record(14, at=NOON + HOUR, kind="leave", visitor=f"{1:016x}", client=PHONE),
    ]
    row = ExclusionRow(ID % 1, "haihau", 0x20000000, NOON // 1000, NOON // 1000 + 3_600, NOON + 30 * MINUTE)
    return [*programs, *people], row


def test_exclusion_moves_what_the_group_had_and_its_reversal_puts_it_back(postgres_pool: Any) -> None:
    """Views, visits, visitors, referrers and the ledger move by the group's ten views; the next rebuild undoes it."""
    records, row = a_fleet()
    total = "SELECT views, visits, visitors FROM stats.counts WHERE grain = 'total' AND article = ''"
    zalo = "SELECT coalesce(sum(visits), 0)::int FROM stats.referrers WHERE host = 'zalo.me'"
    excluded = "SELECT coalesce(sum(events), 0)::int FROM stats.ledger WHERE reason = 'excluded'"

    async def numbers(pool: asyncpg.Pool) -> list[Any]:
        return [tuple(await pool.fetchrow(total) or ()), await pool.fetchval(zalo), await pool.fetchval(excluded)]

    async def run(pool: asyncpg.Pool) -> None:
        await reset(pool)
        await count_all(pool, 0, records, [])
        await count_all(pool, 1, [], [])
        before = await stored(pool)
        assert await numbers(pool) == [(13, 13, 13), 10, 0]
        await enter(pool, 1, row)
        assert ["run `stats rebuild`" in one for one in await drifts(pool, {0: records, 1: []})] == [True, True]
        await rebuild_trimmed(pool, {0: records, 1: []}, {0: 0, 1: 0})
        assert await numbers(pool) == [(3, 3, 3), 0, 11]
        assert await stored(pool) == must_be({0: records, 1: []}, [row])
        assert await drifts(pool, {0: records, 1: []}) == []
        known = await pool.fetchrow("SELECT is_excluded, visitors FROM stats.applied_exclusions")
        assert tuple(known or ()) == (True, 10)
        await enter(pool, 1, None)
        await rebuild_trimmed(pool, {0: records, 1: []}, {0: 0, 1: 0})
        assert await stored(pool) == before
        assert await drifts(pool, {0: records, 1: []}) == []
        known = await pool.fetchrow("SELECT is_excluded, visitors FROM stats.applied_exclusions")
        assert tuple(known or ()) == (False, 10)

    postgres_pool(run)


@pytest.mark.parametrize("number", range(10))
def test_random_exclusions_equal_the_reference_model(
    postgres_pool: Any, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is excluded of a history, stored values are the model's, for counters that restart, too."""
    seed = Random().randrange(10**9)
    print(f"seed {seed}")  # shown when it fails
    random = Random(seed)
    partitions = next(one for n in range(99) if has_clients(one := long_history(seed + n)))
    rows = exclusions_of(partitions, random)
    monkeypatch.setattr(known_articles, "NEW_ARTICLES_MAX", random.choice((1, 2, 2_000)))

    async def run(pool: asyncpg.Pool) -> None:
        await reset(pool)
        for partition, records in partitions.items():
            await count_all(pool, partition, records, [])
        for place, row in enumerate(rows):
            await enter(pool, place, row)
        await rebuild_trimmed(pool, partitions, dict.fromkeys(partitions, 0))
        assert await stored(pool) == must_be(partitions, rows)
        assert await drifts(pool, partitions) == []
        begins = {one: random.randrange(len(records) + 1) for one, records in partitions.items()}
        before = await stored(pool)
        await rebuild_trimmed(pool, partitions, begins)  # Kafka has deleted a part: what was excluded stays so
        assert await stored(pool) == before

    postgres_pool(run)


def has_clients(partitions: dict[int, list[RawRecord]]) -> bool:
    return any(b'"client": "' in (one.value or b"") for records in partitions.values() for one in records)


def exclusions_of(partitions: dict[int, list[RawRecord]], random: Random) -> list[ExclusionRow]:
    """Return exclusions of groups that are in a history, in spans of a day."""
    events = [json.loads(one.value or b"{}") for records in partitions.values() for one in records]
    groups = [one for one in events if one.get("client") and one["site"] in SITES and one["kind"] == "view"]
    rows = []
    for place, event in enumerate(random.sample(groups, min(len(groups), random.choice((1, 2, 3))))):
        begin = day_start(event["at"], SITES[event["site"]].zone)
        at = max(one.arrived for records in partitions.values() for one in records) + 1
        hours = random.choice((1, 24))
        start = begin if hours == 24 else event["at"] // 1000 // 3600 * 3600
        agent = int(event["client"][:8], 16)
        rows.append(ExclusionRow(ID % place, event["site"], agent, start, start + hours * 3_600, at))
    return rows


def test_exclusion_of_a_day_that_the_log_has_lost_is_not_recounted(
    postgres_pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day that keeps its counts cannot be taken out, and what was taken out of it stays out after a reversal."""
    records, row = a_fleet()
    later = [record(20 + n, at=NOON + 30 * HOUR + n * HOUR, visitor=f"{n + 99:016x}") for n in range(60)]

    async def run(pool: asyncpg.Pool) -> None:
        await reset(pool)
        partitions = {0: [*records, *(one._replace(offset=15 + n) for n, one in enumerate(later))], 1: []}
        for number, some in partitions.items():
            await count_all(pool, number, some, [])
        await enter(pool, 1, row)
        await rebuild_trimmed(pool, partitions, {0: 0, 1: 0})
        before = await stored(pool)
        await enter(pool, 1, None)
        async with pool.acquire() as lock:
            running = Rebuild(pool, lock, FakeConsumer(partitions, {0: 15, 1: 0}), SITES, new_log=False)  # type: ignore[arg-type]
            await running.begin()
            assert not running.recounts(row)  # type: ignore[arg-type]
            await running.abandon()
            assert await pool.fetchval("SELECT count(*) FROM stats.generations") == 1
        await rebuild_trimmed(pool, partitions, {0: 15, 1: 0})
        assert await stored(pool) == before

    postgres_pool(run)


def test_events_that_arrive_late_are_taken_out_by_the_next_rebuild(postgres_pool: Any, clock: Clock) -> None:
    """A program whose view arrives late leaves with the next rebuild, and a person whose page answered late returns."""
    records, row = a_fleet()
    late = record(15, at=NOON + 20, arrived=NOON + 25 * HOUR, visitor="d" * 16, client=PHONE)
    too_late = record(16, at=NOON + 1_000, arrived=NOON + 55 * HOUR, visitor="e" * 16, client=PHONE)
    partitions = {0: [*records, late, too_late], 1: []}
    applied = "SELECT visitors, arrived_before FROM stats.applied_exclusions"

    async def run(pool: asyncpg.Pool) -> None:
        await reset(pool)
        for number, some in partitions.items():
            await count_all(pool, number, some, [])
        await enter(pool, 1, row)
        clock.at_ms = NOON + 31 * MINUTE
        bounds = {0.5: row.at, 26: NOON + 26 * HOUR - MINUTE, 90: NOON + 50 * HOUR}
        for hours, before in bounds.items():
            clock.at_ms = int(NOON + hours * HOUR)
            await rebuild_trimmed(pool, partitions, {0: 0, 1: 0})
            assert tuple(await pool.fetchrow(applied)) == (10, before)  # type: ignore[arg-type]
            assert await stored(pool) == must_be(partitions, [row._replace(at=before)])
            assert await drifts(pool, partitions) == []
        excluded = await pool.fetchval("SELECT array_agg(visitor ORDER BY visitor) FROM stats.excluded_visitors")
        assert excluded == sorted([*range(2, 11), int("d" * 16, 16) - 2**64])

    postgres_pool(run)

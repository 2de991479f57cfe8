"""Differences that must be nothing: they are, after whatever was counted, and each real fault makes one."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.counting.dead_letter_limit import next_position
from services.stats.counting.decoding import RawBatch, RawRecord
from services.stats.counting.reconciliation import differences
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from services.stats.counting.store import commit_batch, read_positions, skip_gap
from services.stats.queries import SQL
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from shared.sites import Site, Sites

NOON = 1_795_496_400_000  # 2026-11-24T12:00 in Hải Hậu
HOUR = 3_600_000
SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
LOG = TopicIdentity("cluster", "topic-id")
BEGINNING = 40
"""Kafka had deleted this many records of each partition before counting began."""
NOTHING = {"ledger": 0, "totals": 0}


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


def event(number: int, at: int, **fields: object) -> bytes:
    common = {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "site": "haihau",
        "kind": "view",
        "path": "/",
        "at": at,
    }
    return json.dumps({**common, "visitor": f"{number % 9:016x}", **fields}).encode()


def history(part: int) -> list[RawRecord]:
    """Views, repetitions, bots, late ones, rubbish; and every seventh offset ends a transaction."""
    made = []
    for number in range(60):
        arrived = NOON + number * HOUR
        at = arrived - (10 * 60_000 if number % 5 == 0 else 0)
        unique = number - 1 if number % 11 == 10 else number
        value = event(1000 * part + unique, at, bot="crawler" if number % 6 == 0 else None)
        made.append((arrived, b"rubbish" if number % 13 == 12 else value))
    offsets = [BEGINNING + number + number // 7 for number in range(len(made))]
    return [RawRecord(offset, arrived, value) for offset, (arrived, value) in zip(offsets, made, strict=True)]


async def count_all(pool: asyncpg.Pool) -> None:
    """Count two partitions, in batches; one of them has a gap in the middle."""
    for part in (0, 1):
        memory = PartitionState()
        records = history(part)
        for begin in range(0, 60, 20):
            batch = records[begin : begin + 20]
            position = (await read_positions(pool, "page-views", {part: BEGINNING}, LOG))[part]
            if part == 1 and begin == 20:
                assert await skip_gap(pool, "page-views", part, position, batch[5].offset)
                batch = batch[5:]
                position = (await read_positions(pool, "page-views", {part: BEGINNING}, LOG))[part]
            deltas = fold(batch, memory, SITES, [])
            after = next_position(position, RawBatch.of(batch), deltas, 500)
            await commit_batch(pool, "page-views", part, deltas, position=position, new=after)


async def test_differences_after_counting_are_zero(pool: asyncpg.Pool) -> None:
    """Before the first record, and after repetitions, bots, rubbish, gaps and transactions, nothing differs."""
    assert await differences(pool, SITES) == NOTHING
    await count_all(pool)
    outcomes = {row["outcome"] for row in await pool.fetch("SELECT DISTINCT outcome FROM stats.ledger")}
    assert outcomes == {"counted", "duplicate", "bot", "late", "dead_lettered"}
    assert await differences(pool, SITES) == NOTHING


@pytest.mark.parametrize(
    ("meddling", "wanted"),
    [
        ("UPDATE stats.ledger SET events = events + 1 WHERE ctid = (SELECT min(ctid) FROM stats.ledger)", (1, 0)),
        ("DELETE FROM stats.ledger WHERE partition = 1 AND outcome = 'dead_lettered'", (4, 0)),
        ("UPDATE stats.offsets SET next_offset = next_offset - 3 WHERE partition = 0", (3, 0)),
        ("UPDATE stats.offsets SET next_offset = next_offset + CASE partition WHEN 0 THEN 2 ELSE -2 END", (4, 0)),
        ("UPDATE stats.counts SET views = views + 7 WHERE partition = 0 AND grain = 'total' AND article = ''", (0, 7)),
        ("UPDATE stats.counts SET visitors = 0 WHERE partition = 1 AND grain = 'total' AND article = ''", (0, 18)),
    ],
)
async def test_differences_after_a_manipulation_have_its_size(
    pool: asyncpg.Pool, meddling: str, wanted: tuple[int, int]
) -> None:
    """Each change of a single table is reported with its size, and none of them hides another."""
    await count_all(pool)
    before = await pool.fetchrow(
        "SELECT sum(visitors) FROM stats.counts WHERE partition = 1 AND grain = 'total' AND article = ''"
    )
    assert before is not None
    await pool.execute(meddling)
    found = await differences(pool, SITES)
    if "visitors" in meddling:
        assert found == {"ledger": 0, "totals": before[0]}
    else:
        assert found == dict(zip(("ledger", "totals"), wanted, strict=True))


async def test_differences_after_a_partition_counted_twice_have_its_size(pool: asyncpg.Pool) -> None:
    """If the offsets of a partition are lost and its log is counted again, the difference is all that was counted."""
    await count_all(pool)
    records = history(0)
    for table in ("offsets", "evicted_state", "dead_letters", "known_articles"):
        await pool.execute(f"DELETE FROM stats.{table} WHERE partition = 0")
    position = (await read_positions(pool, "page-views", {0: BEGINNING}, LOG))[0]
    deltas = fold(records, PartitionState(), SITES, [])
    after = next_position(position, RawBatch.of(records), deltas, 500)
    await commit_batch(pool, "page-views", 0, deltas, position=position, new=after)
    assert await differences(pool, SITES) == {"ledger": len(records), "totals": 0}


async def test_reset_offsets_without_record_leaves_no_difference(pool: asyncpg.Pool) -> None:
    """The statement at the end of a rebuild leaves no difference, whatever the ledger has."""
    await count_all(pool)
    await pool.execute("DELETE FROM stats.ledger WHERE day < (SELECT max(day) FROM stats.ledger)")
    assert (await differences(pool, SITES))["ledger"] > 0
    await pool.execute(SQL["reset_offsets_without_record"], 1)
    assert await differences(pool, SITES) == NOTHING

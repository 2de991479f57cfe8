"""Counts and offsets in Postgres: one transaction, behind a compare-and-set."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import numpy as np
import pytest

from services.stats.admin.reference_model import recount
from services.stats.counting import store
from services.stats.counting.decoding import DeadLetter, RawRecord
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.evidence import EvidenceRow
from services.stats.counting.known_articles import AcceptedArticle
from services.stats.counting.rules import BucketCount, CountDeltas, DayCount, NewDailyVisitor, PresenceSnapshot, fold
from services.stats.counting.state import PartitionState
from services.stats.counting.store import (
    Fenced,
    PartitionBatch,
    Position,
    commit_batch,
    commit_batches,
    read_positions,
    skip_gap,
)
from shared.events import PageEvent
from shared.kafka.last_record import record_checksum
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from shared.sites import Site, Sites

NOON = 1_795_496_400_000  # 2026-11-24T12:00 in Hải Hậu
VIEW: dict[str, Any] = {"site": "haihau", "kind": "view", "path": "/", "at": NOON}
SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
LOG = TopicIdentity("cluster", "topic-id")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


def some_deltas(views: int = 1, visitors: tuple[int, ...] = ()) -> CountDeltas:
    deltas = CountDeltas()
    deltas.day_counts += [DayCount("haihau", "", 86_400, views, 1), DayCount("haihau", "bai-1", 86_400, views, 1)]
    deltas.bucket_counts += [BucketCount("haihau", "hour", 90_000, views, 1)]
    deltas.presence += [
        PresenceSnapshot("haihau", "", 1000, [views, 0, 3]),
        PresenceSnapshot("haihau", "bai-1", 1000, []),
    ]
    deltas.ledger["haihau", 0, "counted", ""] += views
    deltas.daily_visitors += [
        NewDailyVisitor("haihau", 86_400, visitor, "bai-1", 86_700, 90_000) for visitor in visitors
    ]
    return deltas


async def total(pool: asyncpg.Pool, measure: str = "views") -> int:
    query = f"SELECT coalesce(sum({measure}), 0) FROM stats.counts WHERE grain = 'total' AND article = ''"
    return int(await pool.fetchval(query))


async def current_position(pool: asyncpg.Pool, part: int = 0, beginning: int = 0) -> Position:
    return (await read_positions(pool, "page-views", {part: beginning}, LOG))[part]


async def test_commit_batch_moves_counts_and_offset_together(pool: asyncpg.Pool) -> None:
    """After a batch both its counts and its offset are there, added to what was there before."""
    for number in range(3):
        position = await current_position(pool)
        assert position.next_offset == number * 10
        await commit_batch(
            pool,
            "page-views",
            0,
            some_deltas(2),
            position=position,
            new=position._replace(next_offset=position.next_offset + 10),
        )
    assert await total(pool) == 6
    assert await pool.fetchval("SELECT visitors FROM stats.online WHERE article = ''") == [2, 0, 3]
    assert await pool.fetchval("SELECT visitors FROM stats.online WHERE article = 'bai-1'") == []
    assert await pool.fetchval("SELECT events FROM stats.ledger") == 6


async def test_commit_batch_with_a_stale_position_changes_nothing(pool: asyncpg.Pool) -> None:
    """A counter with an old position, or an old epoch, is fenced, and nothing is counted."""
    position = await current_position(pool)
    await commit_batch(pool, "page-views", 0, some_deltas(), position=position, new=position._replace(next_offset=5))
    now = await current_position(pool)
    for stale in (position, now._replace(epoch=1), now._replace(next_offset=4), now._replace(generation=2)):
        with pytest.raises(Fenced):
            await commit_batch(
                pool, "page-views", 0, some_deltas(), position=stale, new=position._replace(next_offset=9)
            )
    assert await total(pool) == 1
    assert (await current_position(pool)).next_offset == 5


async def test_commit_batch_ten_times_at_once_counts_once(pool: asyncpg.Pool) -> None:
    """Ten counters that apply the same batch at the same moment count it once."""
    position = await current_position(pool)
    new = position._replace(next_offset=5)
    tries = [commit_batch(pool, "page-views", 0, some_deltas(), position=position, new=new) for _ in range(10)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == 9
    assert await total(pool) == 1


async def test_commit_batch_changes_each_row_of_counts_once(pool: asyncpg.Pool) -> None:
    """Views, visits and visitors of a batch are one change of a row, also for several partitions at once."""
    batches = []
    for part in range(2):
        position = await current_position(pool, part)
        deltas = some_deltas(3, (part * 10 + 1, part * 10 + 2))
        batches.append(PartitionBatch(part, deltas, position, position._replace(next_offset=5)))
    query = "SELECT n_tup_ins, n_tup_upd FROM pg_stat_xact_user_tables WHERE relid = 'stats.counts'::regclass"
    async with pool.acquire() as connection, connection.transaction():
        await commit_batches(connection, "page-views", batches)  # type: ignore[arg-type] # it needs fetchval only
        changed = tuple(await connection.fetchrow(query))
    assert changed == (await pool.fetchval("SELECT count(*) FROM stats.counts"), 0)
    assert (await total(pool), await total(pool, "visits"), await total(pool, "visitors")) == (6, 2, 4)


async def test_visitor_reported_twice_in_a_batch_counts_once(pool: asyncpg.Pool) -> None:
    """A caller that reports a daily visitor several times makes one visitor, in the earliest bucket."""
    # Guards against a join of each copy with the one inserted key: it counted a visitor for each copy.
    position = await current_position(pool)
    deltas = CountDeltas()
    deltas.daily_visitors += [
        NewDailyVisitor("haihau", 86_400, 1, article, bucket, 90_000)
        for article, bucket in (("bai-2", 87_000), ("bai-1", 86_700), ("bai-1", 86_700))
    ]
    await commit_batch(pool, "page-views", 0, deltas, position=position, new=position._replace(next_offset=5))
    assert await total(pool, "visitors") == 1
    buckets = await pool.fetch("SELECT bucket_start, visitors FROM stats.counts WHERE grain = '5m'")
    assert [tuple(one) for one in buckets] == [(86_700, 1)]
    assert await pool.fetchval("SELECT sum(visitors) FROM stats.counts WHERE article <> '' AND grain = 'day'") == 1


async def test_last_record_is_stored_with_the_offset_and_dropped_by_a_gap(pool: asyncpg.Pool) -> None:
    """The checksum of the last record changes in the transaction of the offset; after a gap it is unknown."""
    position = await current_position(pool)
    new = position._replace(next_offset=5, last_record=record_checksum(NOON, b"value"))
    await commit_batch(pool, "page-views", 0, CountDeltas(), position=position, new=new)
    stored = await current_position(pool)
    assert stored.last_record == record_checksum(NOON, b"value")
    with pytest.raises(Fenced):
        await commit_batch(
            pool, "page-views", 0, CountDeltas(), position=position, new=new._replace(last_record=1, next_offset=9)
        )
    assert (await current_position(pool)).last_record == stored.last_record
    assert await skip_gap(pool, "page-views", 0, stored, 9)
    assert (await current_position(pool)).last_record is None


async def test_visitor_in_several_batches_counts_once_a_day(pool: asyncpg.Pool) -> None:
    """A visitor ID of an earlier batch, on any partition, makes no second visitor of the day."""
    for part, visitors in ((0, (1, -2)), (0, (-2,)), (1, (-2, 3))):
        position = await current_position(pool, part)
        await commit_batch(
            pool,
            "page-views",
            part,
            some_deltas(1, visitors),
            position=position,
            new=position._replace(next_offset=position.next_offset + 1),
        )
    rows = await pool.fetch("SELECT article, grain, sum(visitors) AS n FROM stats.counts GROUP BY 1, 2 ORDER BY 1, 2")
    assert {(row["article"], row["grain"]): row["n"] for row in rows} == {
        ("", "day"): 3,
        ("", "hour"): 3,
        ("", "5m"): 3,
        ("", "total"): 3,
        ("bai-1", "day"): 3,
        ("bai-1", "total"): 3,
    }


@pytest.mark.parametrize("cuts", [(), (1, 150, 199, 200, 201, 450)])
async def test_invented_hosts_share_a_row(pool: asyncpg.Pool, cuts: tuple[int, ...]) -> None:
    """In any split into batches the first 200 hosts of a day are distinguished and the rest is one, as recounted."""
    hosts = [*(f"h{number}.example" for number in range(300)), "h7.example", "h299.example", None, "x"] * 2
    records = []
    for place, host in enumerate(hosts):
        event = PageEvent(id=str(UUID(int=place)), visitor=f"{place:016x}", referrer=host, **VIEW)
        records.append(RawRecord(place, NOON, msgspec.json.encode(event)))
    memory = PartitionState()
    for begin, end in pairwise([0, *cuts, len(records)]):
        position = await current_position(pool)
        deltas = fold(records[begin:end], memory, SITES)
        await commit_batch(pool, "page-views", 0, deltas, position=position, new=position._replace(next_offset=end))
    rows = await pool.fetch("SELECT site, day, host, visits FROM stats.referrers")
    stored = {tuple(row)[:3]: row["visits"] for row in rows}
    assert stored == {tuple(origin): visits for origin, visits in recount({0: records}, SITES).referrers.items()}
    assert len(stored) == 202
    assert sum(stored.values()) == len(records) == await total(pool, "visits")


async def test_commit_batch_with_invalid_rows_stores_nothing(pool: asyncpg.Pool) -> None:
    """If any row of a batch is rejected, neither its counts nor its offset are there."""
    position = await current_position(pool)
    deltas = some_deltas()
    deltas.dead_letters += [DeadLetter(7, "twice", b""), DeadLetter(7, "twice", b"")]
    with pytest.raises(asyncpg.UniqueViolationError):
        await commit_batch(pool, "page-views", 0, deltas, position=position, new=position._replace(next_offset=9))
    assert await total(pool) == 0
    assert await current_position(pool) == position


async def test_skip_gap_stores_the_gap_and_fences(pool: asyncpg.Pool) -> None:
    """Records that were deleted before they were counted make a row with their number, and the old position is void."""
    position = await current_position(pool)
    assert await skip_gap(pool, "page-views", 0, position, 70)
    assert not await skip_gap(pool, "page-views", 0, position, 80)
    moved = await current_position(pool)
    assert (moved.next_offset, moved.epoch) == (70, 1)
    row = await pool.fetchrow("SELECT first_lost, next_available FROM stats.gaps")
    assert row is not None
    assert tuple(row) == (0, 70)
    with pytest.raises(Fenced):
        await commit_batch(
            pool, "page-views", 0, some_deltas(), position=position, new=position._replace(next_offset=9)
        )


async def test_topic_identity_is_stored_once(pool: asyncpg.Pool) -> None:
    """The first counter stores the identity of its topic; another topic of the same name does not replace it."""
    assert (await current_position(pool)).identity == LOG
    again = await read_positions(pool, "page-views", {0: 0}, TopicIdentity("cluster", "another"))
    assert again[0].identity == LOG


def full_deltas() -> CountDeltas:
    """Deltas with another value in each column of each table."""
    deltas = CountDeltas()
    deltas.day_counts = [DayCount("haihau", "bai-1", 86_400, 11, 12)]
    deltas.bucket_counts = [BucketCount("haihau", "hour", 90_000, 13, 14)]
    deltas.daily_visitors = [NewDailyVisitor("haihau", 86_401, -15, "bai-2", 86_700, 93_600)]
    deltas.presence = [
        PresenceSnapshot("haihau", "bai-3", 1_000, [16, 17]),
        PresenceSnapshot("haihau", "", 1_001, [18]),
    ]
    deltas.ledger["haihau", 86_402, "bot", "crawler"] = 19
    deltas.referrers["haihau", 86_403, "google.com"] = 20
    deltas.dead_letters = [DeadLetter(21, "schema", b"22")]
    deltas.accepted_articles = [AcceptedArticle("haihau", "bai-4", 32, 33)]
    deltas.evicted = [EvictedState(23, 24, np.array([25], np.uint64), np.array([26], np.uint64), b"27")]
    deltas.evidence = [EvidenceRow("haihau", 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, b"\x80" + bytes(63))]
    return deltas


STORED = {
    "counts": [
        ("", "5m", 86_700, 0, 0, 1),
        ("", "day", 86_401, 0, 0, 1),
        ("", "hour", 90_000, 13, 14, 0),
        ("", "hour", 93_600, 0, 0, 1),
        ("", "total", 0, 0, 0, 1),
        ("bai-1", "day", 86_400, 11, 12, 0),
        ("bai-1", "total", 0, 11, 12, 0),
        ("bai-2", "day", 86_401, 0, 0, 1),
        ("bai-2", "total", 0, 0, 0, 1),
    ],
    "visitor_days": [(86_401, -15)],
    "online": [("", 1_001, [18]), ("bai-3", 1_000, [16, 17])],
    "ledger": [(86_402, "bot", "crawler", 19)],
    "referrers": [(86_403, "google.com", 20)],
    "dead_letters": [(21, "schema", b"22")],
    "evicted_state": [(23, 24, np.array([25, 26], np.uint64).tobytes(), b"27")],
    "known_articles": [("bai-4", 32, 33)],
    "evidence": [(34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, "1" + "0" * 511)],
    "offsets": [(27, 28, 29, 30, 31)],
}
COLUMNS = {
    "counts": "article, grain, bucket_start, views, visits, visitors",
    "visitor_days": "day, visitor",
    "online": "article, first_bucket, visitors",
    "ledger": "day, outcome, reason, events",
    "referrers": "day, host, visits",
    "dead_letters": '"offset", reason, value',
    "evicted_state": "evicted_at_offset, window_index, ids, activities",
    "known_articles": "article, accepted_at_offset, day",
    "evidence": "window_index, hour, agent, views, arrivals, confirmed, pings, leaves, home_views, article_views, "
    "direct_views, networks::text",
    "offsets": "next_offset, newest_arrived, window_records, window_dead_letters, offsets_without_record",
}


async def commit_full_deltas(pool: asyncpg.Pool) -> dict[str, list[tuple[Any, ...]]]:
    position = await current_position(pool)
    new = Position(position.generation, position.epoch, 27, 28, 29, 30, 31, LOG)
    await commit_batch(pool, "page-views", 0, full_deltas(), position=position, new=new)
    return {
        table: sorted(map(tuple, await pool.fetch(f"SELECT {names} FROM stats.{table}")))
        for table, names in COLUMNS.items()
    }


async def test_commit_batch_with_another_value_in_each_column_stores_each_in_its_own(pool: asyncpg.Pool) -> None:
    """Each value of a batch is in the column of its name."""
    assert await commit_full_deltas(pool) == STORED


async def test_commit_batch_with_columns_in_another_order_stores_the_same(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of columns has no effect: a swapped pair cannot get into the other one's column."""
    named_columns = store._named_columns
    monkeypatch.setattr(store, "_named_columns", lambda *rows: dict(reversed(named_columns(*rows).items())))
    assert await commit_full_deltas(pool) == STORED


async def test_commit_batch_with_an_unknown_column_is_refused(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column under a name that the table's argument does not have fails before anything is sent."""
    named_columns = store._named_columns
    renamed = {"views": "clicks"}
    monkeypatch.setattr(
        store,
        "_named_columns",
        lambda *rows: {renamed.get(name, name): column for name, column in named_columns(*rows).items()},
    )
    with pytest.raises(asyncpg.DataError, match="'clicks' is not a valid element of composite type batch_day_counts"):
        await commit_full_deltas(pool)
    assert await total(pool) == 0


async def test_batch_types_have_the_columns_that_are_sent(pool: asyncpg.Pool) -> None:
    """Each composite argument has all fields of its type: a missing one would be NULL."""
    sent: list[set[str]] = []

    async def record(_: str, *arguments: Any) -> list[int]:
        sent.extend(set(one) for one in arguments if isinstance(one, dict))
        return [0]

    position = await current_position(pool)
    await commit_batch(
        SimpleNamespace(fetchval=record), "page-views", 0, full_deltas(), position=position, new=position
    )  # type: ignore[arg-type]
    types = await pool.fetch(
        """SELECT array_agg(attribute.attname::text) AS names
        FROM pg_proc AS f CROSS JOIN unnest(f.proargtypes) WITH ORDINALITY AS argument (type, number)
        JOIN pg_type AS t ON t.oid = argument.type JOIN pg_attribute AS attribute ON attribute.attrelid = t.typrelid
        WHERE f.oid = 'stats.apply_batch'::regproc GROUP BY argument.number ORDER BY argument.number"""
    )
    assert [set(row["names"]) for row in types] == sent
    assert len(sent) == 12


async def contents(pool: asyncpg.Pool) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables that a batch fills, with their partitions."""
    return {
        table: sorted(map(tuple, await pool.fetch(f"SELECT partition, {names} FROM stats.{table}")))
        for table, names in COLUMNS.items()
        if table != "visitor_days"
    }


def deltas_of(partition: int) -> CountDeltas:
    """Return full deltas, with other articles, hosts and visitors for each partition."""
    deltas = full_deltas()
    deltas.day_counts = [DayCount("haihau", f"p{partition}-{row}", 86_400, row, 1) for row in range(partition + 1)]
    deltas.daily_visitors = [NewDailyVisitor("haihau", 86_401, partition, "bai-2", 86_700, 93_600)]
    deltas.presence = [PresenceSnapshot("haihau", f"p{partition}", 1_000, [partition] * partition)]
    deltas.referrers = type(deltas.referrers)({("haihau", 86_403, f"host-{partition}.example"): partition})
    return deltas


async def moved(pool: asyncpg.Pool, partition: int) -> PartitionBatch:
    position = await current_position(pool, partition)
    new = position._replace(next_offset=position.next_offset + 10, newest_arrived=partition)
    return PartitionBatch(partition, deltas_of(partition), position, new)


async def test_batches_committed_together_store_what_they_store_one_by_one(pool: asyncpg.Pool) -> None:
    """Four partitions in one transaction, twice, leave the same rows as in a transaction for each."""
    partitions = [0, 1, 2, 7]
    for _ in range(2):
        for number in partitions:
            one = await moved(pool, number)
            one.deltas.dead_letters, one.deltas.accepted_articles, one.deltas.evicted = [], [], []
            await commit_batch(pool, "page-views", number, one.deltas, position=one.position, new=one.new)
    expected = await contents(pool)
    for table in ("counts", "online", "ledger", "referrers", "visitor_days", "evidence"):
        await pool.execute(f"DELETE FROM stats.{table}")
    await pool.execute("UPDATE stats.offsets SET next_offset = 0, newest_arrived = 0")
    for _ in range(2):
        together = [await moved(pool, number) for number in reversed(partitions)]
        for one in together:
            one.deltas.dead_letters, one.deltas.accepted_articles, one.deltas.evicted = [], [], []
        assert await commit_batches(pool, "page-views", together) == []
    assert await contents(pool) == expected
    assert {row[0] for row in expected["counts"]} == set(partitions)


async def test_batches_committed_together_store_the_rare_rows_of_each(pool: asyncpg.Pool) -> None:
    """Dead letters, accepted articles and evicted state are stored under the partition that they are of."""
    assert await commit_batches(pool, "page-views", [await moved(pool, 3), await moved(pool, 4)]) == []
    stored = await contents(pool)
    for table in ("dead_letters", "known_articles", "evicted_state", "evidence"):
        assert [row[0] for row in stored[table]] == [3, 4]
        assert stored[table][0][1:] == stored[table][1][1:] == STORED[table][0]


async def test_batch_of_a_stale_position_is_left_out_of_a_shared_transaction(pool: asyncpg.Pool) -> None:
    """A partition that another counter has moved on is reported, nothing of it is stored, and the others are."""
    batches = [await moved(pool, number) for number in range(3)]
    await pool.execute("UPDATE stats.offsets SET next_offset = 4 WHERE partition = 1")
    assert await commit_batches(pool, "page-views", batches) == [1]
    stored = await contents(pool)
    for table, rows in stored.items():
        assert {row[0] for row in rows} == ({0, 1, 2} if table == "offsets" else {0, 2}), table
    assert [row[1] for row in stored["offsets"]] == [10, 4, 10]
    assert await commit_batches(pool, "page-views", batches) == [0, 1, 2]
    assert await contents(pool) == stored


async def test_shared_transaction_that_fails_stores_nothing_of_any_partition(pool: asyncpg.Pool) -> None:
    """A value that Postgres refuses, in one partition, leaves the offsets and counts of all as they were."""
    batches = [await moved(pool, number) for number in range(3)]
    batches[2].deltas.day_counts.append(DayCount("haihau", "nul\0", 86_400, 1, 1))
    before = await contents(pool)
    with pytest.raises(asyncpg.DataError):
        await commit_batches(pool, "page-views", batches)
    assert await contents(pool) == before


async def test_visitor_of_two_partitions_in_a_shared_transaction_counts_once(pool: asyncpg.Pool) -> None:
    """After a change of the partitions' number a visitor may be on two of them, and is one visitor of the day."""
    batches = [await moved(pool, number) for number in range(2)]
    for one in batches:
        one.deltas.daily_visitors = [NewDailyVisitor("haihau", 86_401, 5, "bai-2", 86_700 + one.partition, 93_600)]
    assert await commit_batches(pool, "page-views", batches) == []
    assert await total(pool, "visitors") == 1
    assert await pool.fetchval("SELECT partition FROM stats.counts WHERE grain = '5m' AND visitors = 1") == 0


async def test_shared_transactions_of_two_counters_in_any_order_never_deadlock(pool: asyncpg.Pool) -> None:
    """Many counters that commit the same partitions at once, in different orders: each batch counts once."""
    batches = [await moved(pool, number) for number in range(6)]
    for one in batches:
        one.deltas.dead_letters, one.deltas.accepted_articles, one.deltas.evicted = [], [], []
    orders = [batches, batches[::-1], batches[3:] + batches[:3], batches[::2], batches[1::2][::-1]] * 4
    fenced = await asyncio.gather(*(commit_batches(pool, "page-views", order) for order in orders))
    applied = sum(len(order) - len(some) for order, some in zip(orders, fenced, strict=True))
    assert applied == len(batches)
    assert [row[1] for row in (await contents(pool))["offsets"]] == [10] * 6


async def test_hosts_of_each_partition_have_a_bound_of_their_own_in_a_shared_transaction(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hosts of each partition have rows, in the order of that partition's log."""
    monkeypatch.setattr(store, "HOSTS_MAX", 2)
    batches = [await moved(pool, number) for number in range(2)]
    for one in batches:
        hosts = [f"{letter}{one.partition}.example" for letter in "dcba"]
        one.deltas.referrers = type(one.deltas.referrers)({("haihau", 86_403, host): 1 for host in hosts})
    assert await commit_batches(pool, "page-views", batches) == []
    rows = await pool.fetch("SELECT partition, host, visits FROM stats.referrers ORDER BY partition, host")
    assert [tuple(row) for row in rows] == [
        (0, "(other)", 2),
        (0, "c0.example", 1),
        (0, "d0.example", 1),
        (1, "(other)", 2),
        (1, "c1.example", 1),
        (1, "d1.example", 1),
    ]

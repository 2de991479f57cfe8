"""`rebuild` on a real Postgres and a log in memory: counting a trimmed log again changes no stored value."""

import uuid
from collections.abc import Sequence
from random import Random
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.stats.admin import rebuild
from services.stats.admin.rebuild import Rebuild
from services.stats.counting import known_articles
from services.stats.counting.decoding import RawBatch, RawRecord
from services.stats.counting.exclusions import Exclusion
from services.stats.counting.reconciliation import differences
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.state import PartitionState
from services.stats.counting.store import read_known_articles, read_positions, read_snapshot, save_snapshot
from shared.kafka.topic_identity import TopicIdentity
from shared.sites import Sites
from tests.stats.counting.test_rules import MINUTE, NOON, SITES, record
from tests.stats.counting.test_whole_path import (
    TABLES,
    count_all,
    count_one,
    drifts,
    long_history,
    postgres_pool,
    stored,
)

__all__ = ["postgres_pool"]
HOUR = 60 * MINUTE
LOG = TopicIdentity("c", "t")


class Fetched:
    """A record as a consumer returns it."""

    def __init__(self, one: RawRecord) -> None:
        self.offset, self.timestamp, self.value = one


class FakeConsumer:
    """A consumer of a log in memory that Kafka has trimmed."""

    _client = None

    def __init__(self, partitions: dict[int, list[RawRecord]], begins: dict[int, int]) -> None:
        self._logs = {TopicPartition("page-views", number): records for number, records in partitions.items()}
        self._begins = {TopicPartition("page-views", number): begin for number, begin in begins.items()}
        self._positions = dict(self._begins)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        assert set(partitions) == set(self._logs)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: self._begins[one] for one in partitions}

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: len(self._logs[one]) for one in partitions}

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        records = {one: self._logs[one][self._begins[one] :] for one in times}
        return {one: next((record for record in records[one] if record.arrived >= times[one]), None) for one in times}

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset

    async def getone(self, partition: TopicPartition) -> Fetched:
        return Fetched(self._logs[partition][self._positions[partition]])

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Fetched]]:
        fetched = {}
        for one in partitions or self._logs:
            records, begin = self._logs[one], self._positions[one]
            if begin < len(records):
                fetched[one] = [Fetched(record) for record in records[begin : begin + 70]]
                self._positions[one] = begin + len(fetched[one])
        return fetched


async def rebuild_trimmed(
    pool: asyncpg.Pool, partitions: dict[int, list[RawRecord]], begins: dict[int, int], sites: Sites = SITES
) -> None:
    """Rebuild from a log that begins at these offsets."""
    async with pool.acquire() as lock:
        running = Rebuild(pool, lock, FakeConsumer(partitions, begins), sites, new_log=False)  # type: ignore[arg-type]
        await running.begin()
        await running.finish()


@pytest.fixture(autouse=True)
def same_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic is the one that was counted."""

    async def read_topic(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
        return TopicIdentity("c", "t"), [0, 1]

    monkeypatch.setattr(rebuild, "read_topic", read_topic)


async def clear(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))


def test_duplicates_of_deleted_records_stay_duplicates(postgres_pool: Any) -> None:
    """An event that repeats a deleted record stays a duplicate in the ledger; it became late."""
    again = record(0, at=NOON, visitor="a" * 16)
    others = [record(n, at=NOON + n * HOUR, visitor=f"{n:016x}") for n in range(1, 47)]
    repeated = RawRecord(47, NOON + 47 * HOUR, again.value)
    partitions = {0: [again, *others, repeated], 1: [record(0, id=str(uuid.uuid4()), at=NOON)]}

    async def run(pool: asyncpg.Pool) -> None:
        await clear(pool)
        for number, records in partitions.items():
            await count_all(pool, number, records, [])
        before = await stored(pool)
        assert sum(events for key, events in before["ledger"].items() if key[2] == "duplicate") == 1
        await rebuild_trimmed(pool, partitions, {0: 1, 1: 0})
        assert await stored(pool) == before

    postgres_pool(run)


STRADDLING = (422772780, 6231871)
"""Histories whose cut is inside an hour, in a zone whose day begins at a quarter past it."""


@pytest.mark.parametrize("seed", [*STRADDLING, *(Random().randrange(10**9) for _ in range(10))], ids=lambda _: "seed")
def test_rebuild_of_a_random_trimmed_log_changes_nothing(
    postgres_pool: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever Kafka has trimmed the log, each stored value is after a rebuild what it was."""
    print(f"seed {seed}")  # shown when it fails
    partitions = long_history(seed)
    random = Random(seed + 1)
    monkeypatch.setattr(known_articles, "NEW_ARTICLES_MAX", random.choice((1, 2, 3, 2_000)))
    begins = {
        partition: random.choice((0, random.randrange(len(records) + 1))) for partition, records in partitions.items()
    }

    async def run(pool: asyncpg.Pool) -> None:
        await clear(pool)
        for partition, records in partitions.items():
            await count_all(pool, partition, records, [])
        before = await stored(pool)
        await rebuild_trimmed(pool, partitions, begins)
        assert await stored(pool) == before

    postgres_pool(run)


def test_rebuild_without_a_removed_site_keeps_its_counts(postgres_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are once in the ledger: as they were counted, and as dead letters if they came after the removal."""
    ours = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}") for n in range(30)]
    theirs = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}", site="kathmandu") for n in range(30, 70)]
    theirs.append(record(70, at=NOON - 72 * HOUR, arrived=NOON + 70 * MINUTE, site="kathmandu"))  # a dead letter of it
    after = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}", site="kathmandu") for n in range(71, 76)]
    never = record(76, at=NOON + 76 * MINUTE, site="nobody")
    partitions = {0: [*ours, *theirs, *after, never], 1: ours}
    left = Sites(haihau=SITES["haihau"])
    missing = "SELECT sum(offsets_without_record)::int FROM stats.offsets"

    async def run(pool: asyncpg.Pool) -> None:
        await clear(pool)
        await count_all(pool, 1, partitions[1], [])
        await count_all(pool, 0, [*ours, *theirs], [])
        monkeypatch.setattr("tests.stats.counting.test_whole_path.SITES", left)
        position = (await read_positions(pool, "page-views", {0: 0}, LOG))[0]
        await count_one(pool, 0, RawBatch.of([*after, never]), PartitionState(), position)
        before = await stored(pool)
        unknown = [events for key, events in before["ledger"].items() if key[0] == "unknown"]
        assert (sum(before["ledger"].values()), unknown) == (107, [6])
        for _ in range(2):
            await rebuild_trimmed(pool, partitions, {0: 0, 1: 0}, left)
            assert await stored(pool) == before
            assert await pool.fetchval(missing) == 0

    postgres_pool(run)


async def count_first(pool: asyncpg.Pool, partitions: dict[int, list[RawRecord]], counted: dict[int, int]) -> None:
    """Count a part of the log, as a counter that has stopped or is slow."""
    await clear(pool)
    for number, records in partitions.items():
        await count_all(pool, number, records[: counted[number]], [])


async def count_rest(pool: asyncpg.Pool, partitions: dict[int, list[RawRecord]], topic: TopicIdentity = LOG) -> None:
    """Count the other records, as a counter that continues from the stored offsets and snapshots."""
    generation = await pool.fetchval("SELECT generation FROM stats.generations WHERE state = 'current'")
    positions = await read_positions(pool, "page-views", dict.fromkeys(partitions, 0), topic)
    for number, records in partitions.items():
        position = positions[number]
        found = await read_snapshot(pool, "page-views", number, position)
        assert found is not None
        saved, state = found
        assert (position.generation, saved) == (generation, position.next_offset)
        state.known_articles = await read_known_articles(pool, number, generation, position.next_offset)
        if rest := records[saved:]:
            await count_one(pool, number, RawBatch.of(rest), state, position)


def test_rebuild_does_not_overtake_the_counters(postgres_pool: Any) -> None:
    """What a counter has not counted yet is counted after the swap, also on days that keep their counts."""
    # Guards against a rebuild that counted to the end of the log: uncounted views of kept days, and uncounted dead
    # letters, were in no generation.
    views = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}") for n in range(40)]
    partitions = {0: [*views[:-1], RawRecord(39, NOON + 39 * MINUTE, b"invalid")], 1: views}

    async def run(pool: asyncpg.Pool) -> None:
        await clear(pool)
        for number, records in partitions.items():
            await count_all(pool, number, records, [])
        whole, dead = await stored(pool), await pool.fetchval("SELECT count(*) FROM stats.dead_letters")
        await count_first(pool, partitions, {0: 10, 1: 25})
        await rebuild_trimmed(pool, partitions, {0: 5, 1: 0})
        await count_rest(pool, partitions)
        assert await stored(pool) == whole
        assert await pool.fetchval("SELECT count(*) FROM stats.dead_letters") == dead == 1

    postgres_pool(run)


def test_rebuild_records_a_gap_that_no_counter_has_seen(postgres_pool: Any) -> None:
    """Records that Kafka deleted before they were counted are a gap, also if a rebuild is the first to notice."""
    records = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}") for n in range(40)]
    partitions = {0: records, 1: records}

    async def run(pool: asyncpg.Pool) -> None:
        await count_first(pool, partitions, {0: 10, 1: 40})
        await rebuild_trimmed(pool, partitions, {0: 30, 1: 0})
        gaps = await pool.fetch(
            "SELECT generation, partition, first_lost, next_available FROM stats.gaps WHERE generation <> 1"
        )
        await pool.execute("DELETE FROM stats.gaps")
        generation = await pool.fetchval("SELECT generation FROM stats.generations WHERE state = 'current'")
        assert [tuple(row) for row in gaps] == [(generation, 0, 10, 30)]
        await count_rest(pool, partitions)
        views = "SELECT sum(views)::int FROM stats.counts WHERE generation = $1 AND grain = 'total' AND article = ''"
        assert await pool.fetchval(views, generation) == 10 + 10 + 40

    postgres_pool(run)


def test_new_log_with_fewer_partitions_keeps_the_counts_of_the_others(
    postgres_pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of partitions that the new topic lacks stay consistent, also when these partitions are added later."""
    # Guards against partitions without a position: once they were added, the ledger had more entries than offsets.
    records = [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}") for n in range(20)]

    async def one_partition(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
        return TopicIdentity("c", "t2"), [0]

    async def run(pool: asyncpg.Pool) -> None:
        await count_first(pool, {0: records, 1: records}, {0: 20, 1: 20})
        monkeypatch.setattr(rebuild, "read_topic", one_partition)
        async with pool.acquire() as lock:
            running = Rebuild(pool, lock, FakeConsumer({0: []}, {0: 0}), SITES, new_log=True)  # type: ignore[arg-type]
            await running.begin()
            assert await running.swap()
            await running.drop_old()
        assert await differences(pool, SITES) == {"ledger": 0, "totals": 0}
        positions = await read_positions(pool, "page-views", {0: 0, 1: 0}, TopicIdentity("c", "t2"))
        for number in (0, 1):
            state = PartitionState()
            state.known_articles = await read_known_articles(pool, number, positions[number].generation, 0)
            await count_one(pool, number, RawBatch.of(records), state, positions[number])
        assert await differences(pool, SITES) == {"ledger": 0, "totals": 0}
        await pool.execute("DELETE FROM stats.gaps")

    postgres_pool(run)


@pytest.mark.parametrize("losses", [1, 2])
def test_rebuild_keeps_all_counts_while_a_new_log_is_empty(
    postgres_pool: Any, losses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each loss of Kafka nothing is left to count again, so a rebuild changes nothing, and no exclusion fits."""
    # Guards against a log that begins in 1970: the rebuild had counted every day again, from no record.
    records = [record(n, at=NOON + n * HOUR, visitor=f"{n:016x}") for n in range(30)]
    names = iter("abcd")

    async def run(pool: asyncpg.Pool) -> None:
        await clear(pool)
        for number in (0, 1):
            await count_all(pool, number, records, [])
        for _ in range(losses):
            topic = next(names)

            async def new_topic(client: Any, _: str, name: str = topic) -> tuple[TopicIdentity, list[int]]:
                return TopicIdentity(name, name), [0, 1]

            monkeypatch.setattr(rebuild, "read_topic", new_topic)
            async with pool.acquire() as lock:
                empty = FakeConsumer({0: [], 1: []}, {0: 0, 1: 0})
                running = Rebuild(pool, lock, empty, SITES, new_log=True)  # type: ignore[arg-type]
                await running.begin()
                await running.finish()
        before = await stored(pool)
        assert sum(views for key, (views, _, _) in before["counts"].items() if key[2] == "total" and not key[1]) == 60
        async with pool.acquire() as lock:
            running = Rebuild(pool, lock, empty, SITES, new_log=False)  # type: ignore[arg-type]
            await running.begin()
            assert not running.recounts(Exclusion("x", "haihau", 7, NOON // 1000, NOON // 1000 + 3_600, NOON))
            await running.finish()
        assert await stored(pool) == before
        await pool.execute("DELETE FROM stats.gaps")

    postgres_pool(run)


def test_late_events_of_a_new_log_are_no_drift(postgres_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence of hours before the new log begins is compared on partitions that have lost nothing."""
    # Guards against rows that are expected and were not read, on a partition that began after the loss.
    old = {0: [record(n, at=NOON + n * MINUTE, visitor=f"{n:016x}") for n in range(20)], 1: []}
    late = NOON + 10 * HOUR
    fields = {"at": NOON + HOUR, "client": "2" * 16, "visitor": "a" * 16}
    first = record(0, id=str(uuid.uuid4()), arrived=late, **fields)
    last = record(1, id=str(uuid.uuid4()), at=late + HOUR, visitor="b" * 16)
    new = {0: [first._replace(value=last.value)], 1: [first, last]}

    async def new_topic(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
        return TopicIdentity("c", "t2"), [0, 1]

    async def run(pool: asyncpg.Pool) -> None:
        await count_first(pool, old, {0: 20, 1: 0})
        monkeypatch.setattr(rebuild, "read_topic", new_topic)
        async with pool.acquire() as lock:
            empty = FakeConsumer({0: [], 1: []}, {0: 0, 1: 0})
            running = Rebuild(pool, lock, empty, SITES, new_log=True)  # type: ignore[arg-type]
            await running.begin()
            await running.finish()
        await count_rest(pool, new, TopicIdentity("c", "t2"))
        hours = await pool.fetch("SELECT partition, hour FROM stats.evidence")
        assert [tuple(row) for row in hours] == [(1, (NOON + HOUR) // 1000)]
        assert await drifts(pool, new) == []
        await pool.execute("DELETE FROM stats.gaps")

    postgres_pool(run)


def test_new_log_knows_the_events_of_the_former_one(postgres_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that were counted, and that a spool sends again into the new topic, are duplicates, new and old ones."""
    # Guards against an empty state: a collector that got no acknowledgement before Kafka was lost sends again.
    old = [record(n, at=NOON + n * 31 * MINUTE, visitor=f"{n:016x}") for n in range(12)]
    last = old[-1].arrived

    async def new_topic(client: Any, topic: str) -> tuple[TopicIdentity, list[int]]:
        return TopicIdentity("c", "t2"), [0]

    async def run(pool: asyncpg.Pool) -> None:
        await count_first(pool, {0: old}, {0: 0})
        state = PartitionState()
        position = (await read_positions(pool, "page-views", {0: 0}, TopicIdentity("c", "t")))[0]
        position = await count_one(pool, 0, RawBatch.of(old), state, position)
        await save_snapshot(pool, "page-views", 0, position, to_bytes(state))
        monkeypatch.setattr(rebuild, "read_topic", new_topic)
        async with pool.acquire() as lock:
            running = Rebuild(pool, lock, FakeConsumer({0: []}, {0: 0}), SITES, new_log=True)  # type: ignore[arg-type]
            await running.begin()
            assert await running.swap()
            await running.drop_old()
        again = [RawRecord(n, last + MINUTE, one.value) for n, one in enumerate(old)]
        another = record(len(again), id=str(uuid.uuid4()), at=last + MINUTE, visitor=f"{11:016x}")
        await count_rest(pool, {0: [*again, another]}, TopicIdentity("c", "t2"))
        counts = "SELECT sum(views)::int, sum(visits)::int FROM stats.counts WHERE grain = 'total' AND article = ''"
        assert tuple(await pool.fetchrow(counts)) == (13, 12)
        await pool.execute("DELETE FROM stats.gaps")

    postgres_pool(run)

"""The agreed number of partitions: several collectors on a real Postgres give every copy of an event one partition.

A counter knows repetitions by their ids on one partition, so an id on two partitions would be counted twice.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.ingest.collector import partition_router as module
from services.ingest.collector.clock_check import ClockCheck
from services.ingest.collector.partition_plan import NOTICE_MARGIN_MS, NOTICE_MS, PlanEntry
from services.ingest.collector.partition_router import PartitionRouter, PartitionsUnknown, add_entry, read_plan
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.spool import Spool, SpooledEvent
from shared.kafka.config import KafkaConfig
from shared.postgres import open_pool
from shared.role import Process
from tests.ingest.collector.fake_kafka import PARTITIONS, Broker

MINUTE = 60_000
HOUR = 60 * MINUTE


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def view(at: int, *, event_id: UUID | None = None, visitor: int = 0, kind: str = "view") -> SpooledEvent:
    value = {"id": str(event_id or uuid4()), "site": "haihau", "kind": kind, "path": "/", "at": at}
    return SpooledEvent(visitor, json.dumps(value).encode())


class Collector:
    """A publisher with its router and spool, as one collector process has them."""

    def __init__(self, pool: asyncpg.Pool, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        clock = ClockCheck()
        self.router = PartitionRouter(pool, folder / "partition-plan.json", clock)
        self.publisher = EventPublisher(
            KafkaConfig("localhost:1"),
            "page-views",
            Spool(folder / "0", 10_000_000),
            folder,
            router=self.router,
            clock=clock,
            deadline_seconds=1.0,
            process=Process(),
        )

    async def begin(self) -> None:
        """Learn the plan and connect to Kafka."""
        await self.router.start()
        await until(lambda: self.router._kafka is not None)
        await self.router.refresh()
        await until(lambda: self.publisher.warning is None)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the publisher has no event for it
            await asyncio.sleep(0.01)


@pytest.fixture
async def collectors(broker: Broker, pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[list[Collector]]:
    """Two collectors on different hosts: each with a spool of its own."""
    both = [Collector(pool, tmp_path / name) for name in ("one", "other")]
    for collector in both:
        await collector.begin()
    yield both
    for collector in both:
        await collector.publisher.stop()


async def plan(pool: asyncpg.Pool, partitions: int, in_ms: int) -> int:
    at = now_ms() + in_ms
    await add_entry(pool, PlanEntry(at, partitions))
    return at


def partitions_of_ids(broker: Broker) -> dict[str, set[int]]:
    found = defaultdict(set)
    for partition, values in broker.log.items():
        for value in values:
            found[json.loads(value)["id"]].add(partition)
    return found


async def test_partitions_added_in_kafka_alone_change_no_route(broker: Broker, collectors: list[Collector]) -> None:
    """Collectors that learn of new partitions at different times, or start later, all use the recorded number."""
    one, other = collectors
    sent = [view(now_ms(), visitor=number) for number in range(40)]
    await one.publisher.publish(sent)
    broker.add_partitions(PARTITIONS + 3)
    await until(lambda: other.router.warning)
    await other.router.refresh()
    await other.publisher.publish(sent)
    found = partitions_of_ids(broker)
    assert len(found) == 40
    assert all(len(partitions) == 1 for partitions in found.values())
    assert other.router.warning == (
        "page-views has 7 partitions, and events go to 4 of them; to use all, run `presstally ingest partitions add 7`"
    )


async def test_collectors_that_learn_at_different_times_agree(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """One has read the change and the other not yet: both route events before it, and after it both have read it."""
    one, other = collectors
    broker.add_partitions(7)
    change = await plan(pool, 7, NOTICE_MS)
    await until(lambda: one.router.warning)
    await one.router.refresh()
    sent = [view(now_ms(), visitor=number) for number in range(40)]
    await one.publisher.publish(sent)
    await other.publisher.publish(sent)
    later = [view(change + 2 * HOUR, visitor=number) for number in range(40)]
    await one.publisher.publish(later)
    await other.router.refresh()
    await other.publisher.publish(later)
    found = partitions_of_ids(broker)
    assert len(found) == 80
    assert all(len(partitions) == 1 for partitions in found.values())
    assert any(found[json.loads(event.value)["id"]] != {event.partition_hash % 4} for event in later)


async def test_repetitions_across_the_change_stay_on_one_partition(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """A copy whose time falls behind the change, by a slow request or a missing age, follows the first copy."""
    one, other = collectors
    broker.add_partitions(7)
    change = await plan(pool, 7, 0)
    for collector in collectors:
        await until(lambda one=collector: one.router.warning)
        await collector.router.refresh()
    ids = [uuid4() for _ in range(40)]
    copies = {  # the times of the first copy and of the repetition
        "slow request": (change - 2, change + 3),
        "repeated without age": (change - 20 * MINUTE, change + 25 * MINUTE),
        "clocks that differ": (change + 2, change - 3),
    }
    for number, one_id in enumerate(ids):
        first, second = list(copies.values())[number % 3]
        await one.publisher.publish([view(first, event_id=one_id, visitor=number)])
        await other.publisher.publish([view(second, event_id=one_id, visitor=number)] * 2)
    found = partitions_of_ids(broker)
    assert len(found) == 40
    assert all(len(partitions) == 1 for partitions in found.values())
    assert {partition for partitions in found.values() for partition in partitions} >= {4, 5, 6}


async def test_concurrent_copies_near_the_change_stay_on_one_partition(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """Copies that reach both collectors at the same moment, in any order and several of them, have one partition."""
    broker.add_partitions(7)
    change = await plan(pool, 7, 0)
    for collector in collectors:
        await until(lambda one=collector: one.router.warning)
        await collector.router.refresh()
    ids = [uuid4() for _ in range(200)]
    before = [view(change - 5, event_id=one_id, visitor=number) for number, one_id in enumerate(ids)]
    after = [view(change + 5, event_id=one_id, visitor=number) for number, one_id in enumerate(ids)]
    one, other = collectors
    for begin in range(0, 200, 20):
        await asyncio.gather(
            one.publisher.publish(before[begin : begin + 20]),
            other.publisher.publish(after[begin : begin + 20][::-1]),
        )
    found = partitions_of_ids(broker)
    assert len(found) == 200
    assert all(len(partitions) == 1 for partitions in found.values())


async def test_spooled_copy_has_the_partition_of_the_direct_one(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """Events that one collector spooled before the change and drains after it go where the other one sent them."""
    one, other = collectors
    sent = [view(now_ms() - 3 * HOUR, visitor=number) for number in range(40)]
    await other.publisher.publish(sent)
    broker.is_up = False
    await one.publisher.publish(sent)
    assert one.publisher.spool_bytes > 0
    broker.add_partitions(7)
    await plan(pool, 7, -HOUR)  # as if the collector had been without Kafka since before the change
    broker.is_up = True
    await until(lambda: one.publisher.warning is None)
    found = partitions_of_ids(broker)
    assert sum(len(values) for values in broker.log.values()) == 80
    assert all(len(partitions) == 1 for partitions in found.values())


async def test_without_postgres_events_go_on_while_no_change_is_possible(
    broker: Broker, database: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """A collector that starts and runs without Postgres uses the copy of the plan on disk, for any time."""
    first = Collector(pool, tmp_path / "one")
    await first.begin()
    await first.publisher.stop()
    other = await open_pool(database, role="presstally_ingest", wait=False)
    other.terminate()
    collector = Collector(other, tmp_path / "one")
    await collector.router.start()
    await until(lambda: collector.publisher.warning is None)
    await collector.publisher.publish([view(now_ms() + 10 * HOUR, visitor=3)])
    assert len(broker.log[3]) == 1
    await collector.publisher.stop()


async def test_events_wait_in_the_spool_while_a_change_may_be_unknown(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """With more partitions in Kafka and a plan that was read too long ago nothing is guessed, and nothing rejected."""
    one, other = collectors
    broker.add_partitions(7)
    await until(lambda: one.router.warning and other.router.warning)
    change = await plan(pool, 7, NOTICE_MS)
    await other.router.refresh()
    sent = [view(change + 2 * HOUR, visitor=number) for number in range(40)]
    await other.publisher.publish(sent)
    await one.publisher.publish(sent)
    assert one.publisher.spool_bytes > 0
    assert "the partition plan cannot be read from Postgres" in str(one.publisher.warning)
    assert one.publisher.problem is None
    await one.router.refresh()
    await until(lambda: one.publisher.warning is None)
    found = partitions_of_ids(broker)
    assert sum(len(values) for values in broker.log.values()) == 80
    assert all(len(partitions) == 1 for partitions in found.values())


async def test_events_near_a_change_wait_in_the_spool_without_postgres(
    broker: Broker, database: str, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """Only Postgres knows where the first copy went, so moved visitors' views wait for it."""
    one, _ = collectors
    broker.add_partitions(7)
    change = await plan(pool, 7, 0)
    await until(lambda: one.router.warning)
    await one.router.refresh()
    broken = await open_pool(database, role="presstally_ingest", wait=False)
    broken.terminate()
    one.router._pool = broken
    await one.publisher.publish([view(change - 1, visitor=5)])
    assert one.publisher.spool_bytes > 0
    assert "Postgres is unavailable" in str(one.publisher.warning)
    one.router._pool = pool
    await until(lambda: one.publisher.warning is None)
    assert len(broker.log[5 % 4]) == 1


async def test_topic_with_too_few_partitions_keeps_events_and_names_the_command(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """A topic that was created again with fewer partitions than are in use gets nothing on wrong partitions."""
    one, _ = collectors
    await plan(pool, 7, -3 * HOUR)
    await one.router.refresh()
    await one.publisher.publish([view(now_ms(), visitor=number) for number in range(7)])
    assert broker.values == []
    assert "page-views has 4 partitions in Kafka, but events are distributed over 7; run" in str(one.publisher.warning)
    broker.add_partitions(7)
    await until(lambda: one.publisher.warning is None)
    assert [len(broker.log[number]) for number in range(7)] == [1] * 7


async def test_restored_postgres_gets_the_changes_that_it_lacks(
    broker: Broker, collectors: list[Collector], pool: asyncpg.Pool
) -> None:
    """An older Postgres does not make visitors move back: collectors record the plan that they used."""
    one, other = collectors
    await plan(pool, 7, -3 * HOUR)
    broker.add_partitions(7)
    await one.router.refresh()
    await asyncio.sleep(0)
    owner = await asyncpg.connect(pool._connect_args[0])
    await owner.execute("DELETE FROM ingest.partition_plan")
    await owner.close()
    await one.router.refresh()
    await other.router.refresh()
    _, recorded = await read_plan(pool)
    assert [entry.partitions for entry in recorded.entries] == [4, 7]
    assert one.router._plan == other.router._plan == recorded


@pytest.mark.parametrize("content", ["", "{", "[]", "[[1]]", '[["a", 2]]', "7", "null"])
async def test_damaged_copy_on_disk_is_ignored(
    broker: Broker, pool: asyncpg.Pool, tmp_path: Path, content: str
) -> None:
    """A file that is not a plan is replaced by the one of Postgres."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/partition-plan.json").write_text(content)
    collector = Collector(pool, tmp_path / "one")
    await collector.begin()
    assert json.loads((tmp_path / "one/partition-plan.json").read_text()) == [[0, PARTITIONS]]
    await collector.publisher.stop()


async def test_old_kafka_metadata_excludes_no_change(
    broker: Broker, collectors: list[Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of partitions that was read long ago says nothing about the present."""
    one, _ = collectors
    monkeypatch.setattr(module, "METADATA_SECONDS_MAX", -1.0)
    limit = one.router._read_at + NOTICE_MS - NOTICE_MARGIN_MS
    assert await one.router.partitions([view(int(limit) - 1000, visitor=6)]) == [2]
    with pytest.raises(PartitionsUnknown):
        await one.router.partitions([view(int(limit) + 1000, visitor=6)])


async def test_old_decisions_about_views_are_deleted(pool: asyncpg.Pool, collectors: list[Collector]) -> None:
    """The ids of views near a change are deleted when no copy of them can be counted any more."""
    for days in (3, 5):
        await pool.execute(
            "INSERT INTO ingest.switch_events (id, partitions, recorded_at) VALUES ($1, 4, $2)",
            uuid4(),
            datetime.now(UTC) - timedelta(days=days),
        )
    await collectors[0].router.refresh()
    assert await pool.fetchval("SELECT count(*) FROM ingest.switch_events") == 1

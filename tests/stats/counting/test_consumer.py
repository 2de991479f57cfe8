"""The counting consumer without Kafka: batches by partition, commits, fencing and reloads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker

from services.stats.counting.consumer import STUCK_SECONDS, CountingConsumer
from services.stats.counting.partitions import AssignedPartition, TopicMismatch
from services.stats.counting.state import PartitionState
from services.stats.counting.store import read_positions
from services.stats.metrics import UNREADABLE_PARTITIONS
from services.stats.queries import SQL
from services.stats.settings import StatsSettings
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from shared.role import Process
from tests.chaos.polling import becomes_true
from tests.stats.counting.test_rules import NOON, SITES, record

LOG = TopicIdentity("cluster", "topic-id")


class Cluster:
    """A cluster whose broker is not known: a reload waits for it."""

    def leader_for_partition(self, _: TopicPartition) -> None:
        return None


@dataclass
class Consumer:
    """Of an AIOKafkaConsumer what the counting consumer calls."""

    _client: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(cluster=Cluster(), _conns={}))
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def highwater(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    last_stable_offset = highwater

    async def beginning_offsets(self, _: object) -> None:
        raise KafkaConnectionError("a reload waits for Kafka")

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused.update(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset


@dataclass
class Counting:
    """A counting consumer on a real Postgres."""

    counting: CountingConsumer
    pool: asyncpg.Pool
    process: Process
    consumer: Consumer

    async def assign(self, *numbers: int) -> None:
        positions = await read_positions(self.pool, "page-views", dict.fromkeys(numbers, 0), LOG)
        for number in numbers:
            partition = TopicPartition("page-views", number)
            next_offset = positions[number].next_offset
            self.counting._assigned[partition] = AssignedPartition(positions[number], next_offset, PartitionState())

    async def fetch(self, *records: tuple[int, int, bytes | None]) -> None:
        """Hand over fetched records (partition, offset, value), and wait for their commits."""
        for number, offset, _ in records:
            self.consumer.positions[TopicPartition("page-views", number)] = offset + 1
        await self.counting._on_batch(
            [SimpleNamespace(partition=n, offset=o, timestamp=NOON, value=v) for n, o, v in records]
        )
        tasks = {one.committing for one in self.counting._assigned.values() if one.committing}
        await asyncio.gather(*tasks)

    async def views(self) -> int:
        total = "SELECT coalesce(sum(views), 0) FROM stats.counts WHERE grain = 'total' AND article = ''"
        return int(await self.pool.fetchval(total))

    async def offsets(self) -> dict[int, int]:
        return dict(map(tuple, await self.pool.fetch("SELECT partition, next_offset FROM stats.offsets")))


@pytest.fixture
async def here(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counting]:
    pool = await open_pool(database, role="presstally_stats", size=4)
    process = Process()
    consumer = Consumer()
    monkeypatch.setattr(CountingConsumer, "_consumer", property(lambda _: consumer))
    settings = StatsSettings(database_url=database, kafka_bootstrap="127.0.0.1:1", dead_letters_max=5)
    counting = CountingConsumer(KafkaBroker(), pool, SITES, settings, process)
    yield Counting(counting, pool, process, consumer)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_name() == "reload partitions":
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await pool.close()


def view(offset: int) -> bytes | None:
    return record(offset).value


async def test_batch_of_two_partitions_commits_each_with_its_offset(here: Counting) -> None:
    """The records of each partition are committed together with its own offset."""
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (0, 1, view(2)), (1, 0, view(3)))
    assert (await here.views(), await here.offsets()) == (3, {0: 2, 1: 1})


async def test_batch_of_counted_records_only_rebuilds_the_state(here: Counting) -> None:
    """Records before the committed offset are folded into the state and not counted again."""
    await here.assign(0)
    await here.fetch((0, 0, view(1)), (0, 1, view(2)))
    await here.assign(0)
    assigned = here.counting._assigned[TopicPartition("page-views", 0)]
    assigned.read_next = 0
    assert here.counting.not_ready == ["the state of 1 partitions is being rebuilt"]
    await here.fetch((0, 0, view(1)), (0, 1, view(2)), (0, 2, view(1)), (0, 3, view(9)))
    assert (await here.views(), await here.offsets()) == (3, {0: 4})
    assert here.counting.not_ready == []


async def test_batch_of_a_revoked_partition_is_ignored(here: Counting) -> None:
    """Records of a partition that is not assigned, or that were fetched before a seek, are not counted."""
    await here.assign(0)
    await here.fetch((1, 0, view(1)))
    here.consumer.positions[TopicPartition("page-views", 0)] = 0  # sought back since the fetch
    await here.counting._count_by_partition([SimpleNamespace(partition=0, offset=5, timestamp=NOON, value=view(2))])
    assert await here.views() == 0
    await here.counting.on_partitions_revoked([])
    await here.fetch((0, 0, view(3)))
    assert await here.views() == 0


async def test_batch_after_another_consumer_reloads_the_partition(here: Counting) -> None:
    """A fenced commit counts nothing; the partition is paused and reloaded, and the process goes on."""
    await here.assign(0)
    partition = TopicPartition("page-views", 0)
    await here.pool.execute("UPDATE stats.offsets SET next_offset = 7")
    await here.fetch((0, 0, view(1)))
    assert await here.views() == 0
    assert partition not in here.counting._assigned
    assert here.consumer.paused == {partition}
    assert here.counting.not_ready != []
    assert here.process.failure is None


async def test_small_batch_of_many_partitions_is_one_transaction(here: Counting) -> None:
    """Records of twelve partitions are committed together, each partition at its own offset."""
    await here.assign(*range(12))
    await here.fetch(*((number, offset, view(2 * number + offset)) for number in range(12) for offset in (0, 1)))
    assert (await here.views(), await here.offsets()) == (24, dict.fromkeys(range(12), 2))
    assert len({one.committing for one in here.counting._assigned.values()}) == 1
    assert await here.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM stats.offsets") == 1


async def test_large_batch_is_a_transaction_for_each_partition(here: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many records, a partition is committed while the next one is folded."""
    monkeypatch.setattr("services.stats.counting.consumer.SHARED_RECORDS_MAX", 3)
    await here.assign(0, 1)
    await here.fetch(*((number, offset, view(2 * number + offset)) for number in (0, 1) for offset in (0, 1)))
    assert (await here.views(), await here.offsets()) == (4, {0: 2, 1: 2})
    assert await here.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM stats.offsets") == 2


async def test_partition_fenced_in_a_shared_transaction_is_reloaded_alone(here: Counting) -> None:
    """What another counter has moved on is reloaded; the other partitions of the transaction are counted."""
    await here.assign(0, 1, 2)
    await here.pool.execute("UPDATE stats.offsets SET next_offset = 7 WHERE partition = 1")
    await here.fetch((0, 0, view(1)), (1, 0, view(2)), (2, 0, view(3)))
    assert (await here.views(), await here.offsets()) == (2, {0: 1, 1: 7, 2: 1})
    assert here.consumer.paused == {TopicPartition("page-views", 1)}
    await here.fetch((0, 1, view(4)), (2, 1, view(5)))
    assert (await here.views(), await here.offsets()) == (4, {0: 2, 1: 7, 2: 2})


async def test_shared_transaction_of_unknown_outcome_reloads_all_its_partitions(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the reply of a commit is lost, none of its partitions goes on from what it believes."""
    from services.stats.counting import commits

    commit_batches = commits.commit_batches

    async def lose_reply(*arguments: Any) -> list[int]:
        await commit_batches(*arguments)
        raise ConnectionResetError

    monkeypatch.setattr(commits, "commit_batches", lose_reply)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert here.consumer.paused == {TopicPartition("page-views", number) for number in (0, 1)}
    assert (await here.views(), await here.offsets()) == (2, {0: 1, 1: 1})
    monkeypatch.setattr(commits, "commit_batches", commit_batches)
    await here.assign(0, 1)  # reads the offsets from Postgres: what was committed is not counted again
    await here.fetch((0, 0, view(1)), (0, 1, view(3)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (3, {0: 2, 1: 1})


async def test_partitions_of_two_generations_do_not_share_a_transaction(here: Counting) -> None:
    """Around the swap of a rebuild, partitions of the former generation are fenced, and the others are counted."""
    await here.assign(0, 1)
    former = here.counting._assigned[TopicPartition("page-views", 0)]
    former.position = former.position._replace(generation=99)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})
    assert here.consumer.paused == {TopicPartition("page-views", 0)}


async def test_partition_revoked_while_others_are_folded_is_not_committed(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was folded before its partition was revoked is left to the next counter."""
    fold_records = CountingConsumer._fold_records

    async def fold_and_revoke(self: CountingConsumer, partition: TopicPartition, *arguments: Any) -> Any:
        folded = await fold_records(self, partition, *arguments)
        if partition.partition == 1:
            del self._assigned[TopicPartition("page-views", 0)]
        return folded

    monkeypatch.setattr(CountingConsumer, "_fold_records", fold_and_revoke)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})


async def test_records_are_taken_as_soon_as_there_are_some(here: Counting) -> None:
    """Calls without records are repeated without a pause; the records of all partitions come together."""
    replies: list[dict[Any, list[int]]] = [{}, {}, {"a": [1, 2], "b": [3]}, {"a": [4]}]

    async def getmany(**given: int) -> dict[Any, list[int]]:
        assert given["max_records"] == 40_000
        return replies.pop(0)

    consumer = SimpleNamespace(getmany=getmany)
    assert await here.counting._take_records(consumer) == (1, 2, 3)
    assert await here.counting._take_records(consumer) == (4,)


async def test_batch_of_mostly_dead_letters_stops_its_partition_only(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit nothing of the partition is committed until its place changes; others and the process go on."""
    # Guards against the end of the process, and with it of the widget, for a sender's error.
    monkeypatch.setattr("services.stats.counting.dead_letter_stop.CHECK_SECONDS", 0.01)
    partition = TopicPartition("page-views", 0)
    await here.assign(0, 1)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)))
    assert await here.offsets() == {0: 0, 1: 0}
    assert here.process.failure is None
    assert here.consumer.paused == {partition}
    assert here.counting.not_ready[0].startswith("page-views-0 is not counted: 6 of the last 6 records")
    assert UNREADABLE_PARTITIONS._value.get() == 1
    await here.fetch((0, 6, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})
    assert here.counting.liveness_failure() is None
    await here.pool.fetch(SQL["accept_dead_letters"], "page-views", [0, 1], [6, 1])

    async def is_decided() -> bool:
        return here.counting._dead_letter_stops.problem is None

    assert await becomes_true(is_decided, 10)
    await here.assign(0)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)), (0, 6, view(3)))
    assert (await here.views(), await here.offsets()) == (2, {0: 7, 1: 1})
    assert UNREADABLE_PARTITIONS._value.get() == 0


async def test_revoked_partition_no_longer_waits_for_a_decision(here: Counting) -> None:
    """A partition that another counter gets is no problem of this one."""
    await here.assign(0)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)))
    await here.counting.on_partitions_revoked([TopicPartition("page-views", 0)])
    assert here.counting._dead_letter_stops.problem is None
    assert UNREADABLE_PARTITIONS._value.get() == 0


async def test_drain_and_save_snapshots_leave_the_state_for_the_next_counter(here: Counting) -> None:
    """After a drain further records are ignored, and the snapshot is at the committed offset."""
    await here.assign(0)
    await here.fetch((0, 0, view(1)))
    here.counting.offset_reporter.commit_offsets = lambda: None  # type: ignore[method-assign]
    await here.counting.drain()
    await here.counting.save_snapshots()
    await here.fetch((0, 1, view(2)))
    assert await here.views() == 1
    assert await here.pool.fetchval('SELECT "offset" FROM stats.snapshots WHERE partition = 0') == 1


@pytest.mark.parametrize("revoked", [False, True])
async def test_state_is_saved_when_the_log_has_changed(
    here: Counting, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    """A counter that stops because Kafka has lost records saves its state, also if it joined the group again before."""

    async def lost(*_: object) -> None:
        raise TopicMismatch("Kafka has lost records that are counted")

    monkeypatch.setattr("services.stats.counting.consumer.check_positions", lost)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)), (1, 1, view(3)))
    partitions = [TopicPartition("page-views", number) for number in (0, 1)]
    if revoked:
        await here.counting.on_partitions_revoked(partitions)
        await here.counting.on_partitions_assigned(partitions)
    else:
        here.counting._reload_if_assigned(partitions[0], here.counting._assigned[partitions[0]], "reconnected")
    saved: list[tuple[int, int]] = []

    async def are_saved() -> bool:
        saved[:] = map(tuple, await here.pool.fetch('SELECT partition, "offset" FROM stats.snapshots ORDER BY 1'))
        return saved == [(0, 1), (1, 2)]

    assert await becomes_true(are_saved, 10), saved
    assert here.counting.not_ready == ["Kafka has lost records that are counted"]


async def test_liveness_fails_when_records_wait_without_progress(here: Counting) -> None:
    """Waiting records without a batch for STUCK_SECONDS are a liveness failure, unless a dependency is unavailable."""
    await here.assign(0)
    here.consumer.positions[TopicPartition("page-views", 0)] = 0
    assert here.counting.liveness_failure() is None
    here.consumer.positions[TopicPartition("page-views", 0)] = 10
    here.counting._progress -= STUCK_SECONDS + 1
    assert "with records waiting" in str(here.counting.liveness_failure())
    here.counting.waiting_reason = "Postgres"
    assert here.counting.liveness_failure() is None

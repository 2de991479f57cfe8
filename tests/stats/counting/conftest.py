"""A counting consumer without Kafka, on a real Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from types import SimpleNamespace

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker

from services.stats.counting.consumer import CountingConsumer
from services.stats.counting.decoding import RawBatch, RawRecord
from services.stats.counting.fetched_columns import Fetched
from services.stats.counting.partitions import AssignedPartition
from services.stats.counting.state import PartitionState
from services.stats.counting.store import read_positions
from services.stats.settings import StatsSettings
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from shared.role import Process
from tests.stats.counting.test_rules import NOON, SITES

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
            [
                Fetched(TopicPartition("page-views", number), RawBatch.of([RawRecord(o, NOON, v) for _, o, v in some]))
                for number, some in groupby(records, key=itemgetter(0))
            ]
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

"""Kafka's side: a sender that repeats until everything is acknowledged, and a reader of the log."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from shared.kafka.config import KafkaConfig
from shared.topics import PAGE_VIEWS, create_topics
from tests.chaos.oracle import Sending
from tests.chaos.polling import becomes_true

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # Kafka is made unavailable on purpose

FAULTS = (KafkaError, OSError, TimeoutError)
SEND_SECONDS = 30.0
STOP_SECONDS = 3.0
DELETE_SECONDS = 20.0
RETRY_SECONDS = 0.3


class Sender:
    """Sends records until all are acknowledged; repeated ones keep their ID."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self.acknowledged = 0

    async def send(self, sendings: Sequence[Sending]) -> None:
        pending = list(sendings)
        while pending:
            missing: list[Sending] = []
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    missing = await self._attempt(pending)
            except FAULTS:
                missing = pending
            if missing:
                await self.stop()
                await asyncio.sleep(RETRY_SECONDS)
            self.acknowledged += len(pending) - len(missing)
            pending = missing

    async def _attempt(self, sendings: Sequence[Sending]) -> list[Sending]:
        """Send once, and return the records that were not acknowledged."""
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, enable_idempotence=True, acks="all", linger_ms=2
            )
            self._producer = producer
            await producer.start()
        # A record without a value must have a key, which is not used.
        waiting = [
            await self._producer.send(PAGE_VIEWS.name, value, key=None if value else b"null", partition=partition)
            for partition, value in sendings
        ]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        return [one for one, result in zip(sendings, results, strict=True) if isinstance(result, BaseException)]

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(*FAULTS):
                async with asyncio.timeout(STOP_SECONDS):
                    await producer.stop()


@dataclass
class LogReader:
    """Reads the log independently of the counters, from where it stopped last time."""

    bootstrap: str
    partitions: int
    invalid_values: set[bytes | None]
    """Values that no counter can read; the history keeps adding to this set."""
    next_offsets: dict[int, int] = field(default_factory=dict)
    records: int = 0
    ids: set[bytes] = field(default_factory=set)
    """The bytes of distinct events: they differ, because they contain the event's ID."""
    dead: set[tuple[int, int]] = field(default_factory=set)
    """(partition, offset) of invalid records."""

    async def ends(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(self._parts(PAGE_VIEWS.name))
        return {part.partition: offset for part, offset in ends.items()}

    async def read_on(self) -> dict[int, int]:
        """Read up to the current end of the log, and return {partition: end offset}."""
        async with self._consumer() as consumer:
            parts = self._parts(PAGE_VIEWS.name)
            ends = await consumer.end_offsets(parts)
            async for record in _all(consumer, parts, self.next_offsets, ends):
                self.records += 1
                if record.value in self.invalid_values:
                    self.dead.add((record.partition, record.offset))
                else:
                    self.ids.add(record.value)
        self.next_offsets = {part.partition: offset for part, offset in ends.items()}
        return self.next_offsets

    async def dead_letters(self) -> set[tuple[int, int]]:
        """Return the (partition, offset) of all records of the dead-letter topic."""
        async with self._consumer() as consumer:
            parts = self._parts(PAGE_VIEWS.dead_letters)
            ends = await consumer.end_offsets(parts)
            headers = [dict(record.headers) async for record in _all(consumer, parts, {}, ends)]
        return {(int(one["partition"]), int(one["offset"])) for one in headers}

    def _parts(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            fetch_max_wait_ms=50,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


async def _all(
    consumer: AIOKafkaConsumer,
    parts: list[TopicPartition],
    begins: dict[int, int],
    ends: dict[TopicPartition, int],
) -> AsyncIterator[ConsumerRecord]:
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, begins.get(part.partition, 0))
    waiting = {part for part in parts if begins.get(part.partition, 0) < ends[part]}
    while waiting:
        for part, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                if record.offset < ends[part]:
                    yield record
            if records[-1].offset + 1 >= ends[part]:
                waiting.discard(part)


async def begin_new_log(bootstrap: str, partitions: int) -> None:
    """Delete all topics and create them again, empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = [PAGE_VIEWS.name, PAGE_VIEWS.dead_letters]
        await admin.delete_topics([name for name in await admin.list_topics() if name in there])

        async def are_gone() -> bool:
            return not set(await admin.list_topics()) & set(there)

        assert await becomes_true(are_gone, DELETE_SECONDS), "Kafka does not delete its topics"
    finally:
        await admin.close()
    await create_all_topics(bootstrap, partitions)


async def create_all_topics(bootstrap: str, partitions: int) -> None:
    """Create the topics, once the broker has started."""
    async with asyncio.timeout(30):
        while True:
            try:
                created = await create_topics(KafkaConfig(bootstrap), partitions, 1)
            except FAULTS:
                created = ["not yet"]
            if not created:
                return
            await asyncio.sleep(0.1)

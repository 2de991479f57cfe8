"""Role `counter`: Kafka `page-views` → counting → one transaction. Exactly once, by Postgres alone.

Where a partition stands is kept in Postgres, in the transaction that changes its counts, behind a
compare-and-set. Nothing that Kafka, the group or this process's memory believes can count a record twice or
pass one over. On any doubt (a lost reply, a fence, a rebalance) the partition is held: paused, its memory
dropped, its position read from Postgres, and its last hour read again from the log.

What FastStream and aiokafka do around a batch handler, and why this looks as it does, stands in
ARCHITECTURE.md, "Exactly once".
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import asyncpg
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from services.stats.adjustments import GROUP, enter_adjustment
from services.stats.counting import Deltas, Memory, Record, count
from services.stats.dead_letters import deliver
from services.stats.metrics import (
    ASSIGNED,
    BATCH_SECONDS,
    COMMITTED,
    CONSUME_EVENTS,
    EVENT_DELAY,
    LAG,
    REBALANCES,
    RELOADS,
)
from services.stats.settings import StatsSettings
from services.stats.store import Fenced, Position, apply, read_positions
from shared.kafka import HEARTBEAT_MS, KAFKA_ERRORS, Producer, consuming, make_broker, subscribe
from shared.logs import log
from shared.postgres import POSTGRES_AWAY, POSTGRES_UNFIT, open_pool
from shared.process import Process, Role
from shared.sites import Sites, read_sites
from shared.topics import COUNTER_ADJUSTMENTS, PAGE_VIEWS

RETRY_SECONDS = 0.5
STUCK_SECONDS = 120
BATCH_TIMEOUT_MS = 50
FETCH_WAIT_MS = 100
"""An idle fetch holds up everything else on its connection for so long, such as the offsets that loading asks for."""


@dataclass
class Owned:
    """A partition that this process counts: where it stands, and what it remembers."""

    position: Position
    read_next: int
    """All records before it were read into memory since the load, or are older than memory needs."""
    memory: Memory = field(default_factory=Memory)


class Counter(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The one loop that counts."""

    def __init__(
        self, broker: KafkaBroker, pool: asyncpg.Pool, sites: Sites, settings: StatsSettings, process: Process
    ) -> None:
        self._pool = pool
        self._sites = sites
        self._process = process
        self._owned: dict[TopicPartition, Owned] = {}
        self._loading: set[TopicPartition] = set()
        self._assignment = 0
        self._progress = time.monotonic()
        self.waits_for: str | None = None
        self._subscriber = broker.subscriber(
            PAGE_VIEWS.name,
            batch=True,
            batch_timeout_ms=BATCH_TIMEOUT_MS,
            max_records=settings.batch_records_max,
            group_id=settings.group,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=HEARTBEAT_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            listener=self,
            parser=self._raw_message,
            decoder=self._raw_records,
        )
        self._subscriber(self._on_batch)

    @property
    def _consumer(self) -> Any:
        return self._subscriber.consumer  # FastStream sets it before it subscribes, so before any callback

    # FastStream would build a message object and decode headers for each record; the handler takes them as they are.
    async def _raw_message(self, records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
        return KafkaMessage(
            body=[],
            raw_message=records,
            consumer=self._consumer,
            message_id="batch",
            correlation_id="batch",
        )

    async def _raw_records(self, message: KafkaMessage) -> list[ConsumerRecord]:
        return list(message.raw_message)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Forget everything: from now on somebody else may count these."""
        self._assignment += 1
        self._owned.clear()
        self._loading.clear()
        LAG.clear()
        ASSIGNED.set(0)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Hold the new partitions before the first await: aiokafka already fetches for them."""
        REBALANCES.inc()
        self._hold(assigned, "assigned")

    def _hold(self, partitions: Collection[TopicPartition], cause: str) -> None:
        """Pause partitions and read the truth in a task of its own; an error in a callback would only be logged."""
        if not partitions:
            return
        RELOADS.labels(cause).inc(len(partitions))
        consumer = self._consumer
        consumer.pause(*partitions)
        for partition in partitions:
            self._owned.pop(partition, None)
            self._loading.add(partition)
            consumer.seek(partition, 0)  # any valid place: aiokafka must not ask Kafka for a committed offset
        self._process.spawn(self._load(consumer, list(partitions), self._assignment), "load partitions")

    async def _load(self, consumer: Any, partitions: list[TopicPartition], assignment: int) -> None:
        while True:
            try:
                beginnings = await consumer.beginning_offsets(partitions)
                ends = await consumer.end_offsets(partitions)
                positions = await read_positions(
                    self._pool, PAGE_VIEWS.name, {one.partition: beginnings[one] for one in partitions}
                )
                break
            except (*POSTGRES_AWAY, *KAFKA_ERRORS) as error:
                if assignment != self._assignment:
                    return
                self.waits_for = f"partitions cannot be loaded: {error!r}"
                log.warning("Partitions cannot be loaded; trying again", reason=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
        if assignment != self._assignment:
            return  # another assignment came meanwhile, and with it another load
        self.waits_for = None
        for partition in partitions:
            position = positions[partition.partition]
            fault = _mismatch(position, beginnings[partition], ends[partition])
            if fault:
                self._process.fail(f"{partition.topic}-{partition.partition}: {fault}")
                return
            start = max(position.replay_from, beginnings[partition])
            self._owned[partition] = Owned(position, start)
            self._loading.discard(partition)
            consumer.seek(partition, start)
            consumer.resume(partition)
        ASSIGNED.set(len(self._owned))

    async def _on_batch(self, records: list) -> None:  # type: ignore[type-arg] # FastStream must not look inside
        """Count what was fetched. Never raises: FastStream would log it and go on behind the records."""
        for (topic, number), fetched in groupby(records, key=lambda record: (record.topic, record.partition)):
            partition = TopicPartition(topic, number)
            part = list(fetched)
            owned = self._owned.get(partition)
            if owned is None or not await self._is_current(partition, part):
                continue
            try:
                await self._count(partition, owned, part)
            except Fenced as error:
                log.warning("Another counter was here", reason=str(error))
                self._hold_if_owned(partition, owned, "fenced")
            except Exception as error:  # noqa: BLE001 - FastStream must not see it
                if isinstance(error, POSTGRES_AWAY) and not isinstance(error, POSTGRES_UNFIT):
                    log.warning("Whether a batch was committed is unknown; asking Postgres", reason=repr(error))
                    self._hold_if_owned(partition, owned, "postgres")
                    continue
                # A fault of ours: stop, and start again from what is committed.
                log.error("Counting failed", partition=number, exc_info=error)
                self._process.fail(f"counting failed: {error!r}")
                return

    def _hold_if_owned(self, partition: TopicPartition, owned: Owned, cause: str) -> None:
        if self._owned.get(partition) is owned:  # otherwise it was revoked meanwhile
            self._hold([partition], cause)

    async def _is_current(self, partition: TopicPartition, fetched: list[ConsumerRecord]) -> bool:
        """Tell whether the consumer still stands behind these records.

        If it was sought elsewhere since they were fetched (revoked, given back and loaded while the handler was at
        another partition), they would be counted before the memory that they need is rebuilt.
        """
        try:
            return int(await self._consumer.position(partition)) > int(fetched[-1].offset)
        except IllegalStateError:  # it is not ours any more
            return False

    async def _count(self, partition: TopicPartition, owned: Owned, fetched: list[ConsumerRecord]) -> None:
        begun = time.perf_counter()
        records = [
            Record(record.offset, record.timestamp, record.value)
            for record in fetched
            if record.offset >= owned.read_next
        ]
        owned.read_next = max(owned.read_next, fetched[-1].offset + 1)
        position = owned.position
        known = [record for record in records if record.offset < position.next_offset]
        new = records[len(known) :]
        count(known, owned.memory, self._sites)  # counted already: only what they leave in memory matters
        if not new:
            return
        deltas = count(new, owned.memory, self._sites)
        next_offset = new[-1].offset + 1
        after = Position(position.epoch, next_offset, min(owned.memory.replay_from(next_offset), next_offset))
        await apply(self._pool, partition.topic, partition.partition, deltas, position=position, new=after)
        if self._owned.get(partition) is owned:
            owned.position = after
        self._progress = time.monotonic()
        _observe(deltas, time.perf_counter() - begun)

    def watch_lag(self) -> None:
        """Set the lag gauges from what the last fetches told."""
        for partition, owned in self._owned.items():
            end = self._consumer.highwater(partition)
            if end is not None:
                LAG.labels(partition.partition).set(max(0, end - owned.position.next_offset))

    @property
    def problems(self) -> list[str]:
        """Why counting waits, in words."""
        if self.waits_for:
            return [self.waits_for]
        return [f"{len(self._loading)} partitions are being loaded"] if self._loading else []

    def stuck(self) -> str | None:
        """Tell when there is work, nothing is waited for, and still nothing moves."""
        behind = any(
            (self._consumer.highwater(partition) or 0) > owned.position.next_offset
            for partition, owned in self._owned.items()
        )
        silent_seconds = time.monotonic() - self._progress
        if not behind or self.waits_for:
            self._progress = time.monotonic() if not behind else self._progress
            return None
        return f"no batch for {silent_seconds:.0f} s with records waiting" if silent_seconds > STUCK_SECONDS else None


def _mismatch(position: Position, beginning: int, end: int) -> str | None:
    """Tell why the log is not the one that the counts stand for."""
    if position.next_offset > end:
        return f"the counts stand at {position.next_offset} and the log ends at {end}: is this another topic?"
    if position.next_offset < beginning:
        return f"the counts stand at {position.next_offset} and the log begins at {beginning}: records are lost"
    return None


def _observe(deltas: Deltas, seconds: float) -> None:
    now = time.time()
    BATCH_SECONDS.observe(seconds)
    COMMITTED.set(now)
    if deltas.newest:
        EVENT_DELAY.observe(max(0.0, now - deltas.newest / 1000))
    for (site, _, outcome, _), events in deltas.ledger.items():
        CONSUME_EVENTS.labels(site, outcome).inc(events)


@asynccontextmanager
async def counter(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the counter."""
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_stats")
    producer = Producer(settings.kafka_bootstrap)
    producer.start()
    # Two brokers: counting must not wait until the group of the adjustments has been joined.
    views, amounts = make_broker(settings.kafka_bootstrap), make_broker(settings.kafka_bootstrap)
    counting = Counter(views, pool, read_sites(settings.sites), settings, process)
    subscribe(amounts, COUNTER_ADJUSTMENTS.name, GROUP, partial(enter_adjustment, pool, producer), process)
    tasks = [process.spawn(deliver(pool, producer), "deliver dead letters")]
    try:
        async with consuming(views, process) as joining, consuming(amounts, process):
            tasks.append(process.spawn(_watch(counting, joining), "watch lag"))
            yield Role(
                "counter",
                problems=lambda: counting.problems if joining.done() else ["joining the group of counters"],
                stuck=lambda: counting.stuck() if joining.done() else None,
            )
    finally:
        for task in tasks:
            task.cancel()
        await producer.stop()
        pool.terminate()


async def _watch(counting: Counter, joining: asyncio.Task[None]) -> None:
    await asyncio.wait([joining])
    while True:
        counting.watch_lag()
        await asyncio.sleep(1)

"""Role `counter`: Kafka `page-views` → counting → one transaction. Exactly once, by Postgres alone.

Where a partition stands is kept in Postgres, in the transaction that changes its counts, behind a
compare-and-set. Nothing that Kafka, the group or this process's memory believes can count a record twice or
pass one over. On any doubt (a lost reply, a fence, a rebalance) the partition is held: paused, its memory
dropped, its position read from Postgres, and its last hour read again from the log.
Why this looks as it does stands in ARCHITECTURE.md, "Exactly once".
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import asyncpg
import numpy as np
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from services.stats.counting.dead_letter_limit import TooManyDeadLetters, position_after
from services.stats.counting.decoding import Records, read
from services.stats.counting.offset_reporter import Telling
from services.stats.counting.partitions import Owned, WrongLog, load
from services.stats.counting.rules import Deltas, count_batch, reaches_back
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.store import Fenced, Position, apply, read_past_ids, save_snapshot
from services.stats.metrics import (
    ASSIGNED,
    BATCH_SECONDS,
    COMMITTED,
    CONSUME_EVENTS,
    EVENT_DELAY,
    REBALANCES,
    RELOADS,
    REPLAYED,
)
from services.stats.settings import StatsSettings
from shared.kafka.consumer import HEARTBEAT_MS
from shared.kafka.producer import KAFKA_ERRORS
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import Outage
from shared.role import Process
from shared.sites import Sites
from shared.topics import PAGE_VIEWS

STUCK_SECONDS = 120
BATCH_TIMEOUT_MS = 50
FETCH_WAIT_MS = 100
"""An idle fetch holds up everything else on its connection for so long, such as the offsets that loading asks for."""
PARTITION_FETCH_BYTES = 8 * 1024 * 1024
"""What waits in memory for each partition; one transaction takes about as much when there is a lot to do."""
FETCH_BYTES = 16 * 1024 * 1024
SNAPSHOT_RECORDS = 30_000
"""A snapshot follows at least so many records, or as many as it has entries: writing it stays a small part."""
SNAPSHOTS_AT_ONCE = 2
FINISH_SECONDS = 2.0
SAVE_SECONDS = 2.5


class Counter(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The one loop that counts."""

    def __init__(
        self, broker: KafkaBroker, pool: asyncpg.Pool, sites: Sites, settings: StatsSettings, process: Process
    ) -> None:
        self._pool = pool
        self._sites = sites
        self._process = process
        self._dead_letters_max = settings.dead_letters_max
        self._owned: dict[TopicPartition, Owned] = {}
        self._loading: set[TopicPartition] = set()
        self._assignment = 0
        self._saving = 0  # snapshots, each a copy of a partition's memory
        self._finished = False
        self._counting = asyncio.Lock()  # held while fetched records are in hand
        self.telling = Telling(self._owned, lambda: self._consumer, self._is_at_work, process)
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
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
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
        self.telling.forget()
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
            self.telling.hold(partition, self._owned.pop(partition, None))
            self._loading.add(partition)
            consumer.seek(partition, 0)  # any valid place: aiokafka must not ask Kafka for a committed offset
        self._process.spawn(self._load(consumer, list(partitions), self._assignment), "load partitions")

    async def _load(self, consumer: Any, partitions: list[TopicPartition], assignment: int) -> None:
        outage = Outage("restore partitions", self._set_waits_for)
        while True:
            try:
                found = await load(self._pool, consumer, partitions)
                break
            except WrongLog as error:
                self._process.fail(str(error))
                return
            except (*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS) as error:
                if assignment != self._assignment:
                    return
                outage.failed(error)
                await outage.pause()
        if assignment != self._assignment:
            return  # another assignment came meanwhile, and with it another load
        outage.ended()
        for partition, owned in found.items():
            self._owned[partition] = owned
            self._loading.discard(partition)
            consumer.seek(partition, owned.read_next)
            consumer.resume(partition)
        ASSIGNED.set(len(self._owned))

    def _set_waits_for(self, reason: str | None) -> None:
        self.waits_for = f"partitions cannot be restored: {reason}" if reason else None

    async def _on_batch(self, records: list) -> None:  # type: ignore[type-arg] # FastStream must not look inside
        """Count what was fetched. Never raises: FastStream would log it and go on behind the records."""
        async with self._counting:
            if not self._finished:
                await self._count_parts(records)

    async def _count_parts(self, records: list[ConsumerRecord]) -> None:
        edges = [0, len(records)]
        if records[0].partition != records[-1].partition:  # one partition's records stand together
            numbers = np.array([record.partition for record in records])
            edges[1:1] = (np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist()
        for begin, end in pairwise(edges):
            partition = TopicPartition(PAGE_VIEWS.name, records[begin].partition)
            part = records[begin:end]
            owned = self._owned.get(partition)
            if owned is None or not await self._is_current(partition, part):
                continue
            if owned.committing is not None:
                await asyncio.wait([owned.committing])
            if self._owned.get(partition) is owned:  # otherwise its last batch failed, or it was revoked meanwhile
                async with self._doubts(partition, owned):
                    await self._count(partition, owned, part)

    @asynccontextmanager
    async def _doubts(self, partition: TopicPartition, owned: Owned) -> AsyncIterator[None]:
        """Hold the partition on any doubt, and stop the process on a fault of ours. Raises nothing."""
        try:
            yield
        except Fenced as error:
            log.warning("Another counter was here", reason=str(error))
            self._hold_if_owned(partition, owned, "fenced")
        except TooManyDeadLetters as error:
            self._process.fail(str(error))
        except Exception as error:  # noqa: BLE001 - FastStream must not see it
            if isinstance(error, POSTGRES_UNAVAILABLE) and not isinstance(error, POSTGRES_DATA_ERRORS):
                log.warning("Whether a batch was committed is unknown; asking Postgres", reason=repr(error))
                self._hold_if_owned(partition, owned, "postgres")
                return
            # A fault of ours: stop, and start again from what is committed.
            log.error("Counting failed", partition=partition.partition, exc_info=error)
            self._process.fail(f"counting failed: {error!r}")

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
        """Fold records into memory, and begin to commit what is new. The next batch waits for that commit."""
        records = Records.fetched(fetched)
        records = records[int(np.searchsorted(records.offset, owned.read_next)) :]
        first_new = int(np.searchsorted(records.offset, owned.position.next_offset))
        if first_new:  # counted already: only what they leave in memory matters
            await self._fold(partition, owned, records[:first_new])
            REPLAYED.inc(first_new)
        new = records[first_new:]
        if not len(new):
            return
        deltas = await self._fold(partition, owned, new)
        after = position_after(owned.position, new, deltas, self._dead_letters_max)
        snapshot = None
        if self._saving < SNAPSHOTS_AT_ONCE and owned.unsaved_records >= self._snapshot_records(partition, owned):
            snapshot, owned.unsaved_records = to_bytes(owned.memory), 0
            self._saving += 1
        owned.committing = self._process.spawn(
            self._commit(partition, owned, deltas, after, snapshot), f"commit {partition.partition}"
        )
        await asyncio.sleep(0)  # hand it to Postgres before the next fold keeps this loop busy

    def _snapshot_records(self, partition: TopicPartition, owned: Owned) -> int:
        """Return after how many records a snapshot is due: sooner when there is nothing else to do."""
        if (self._consumer.highwater(partition) or 0) <= owned.read_next:
            return max(SNAPSHOT_RECORDS // 6, owned.memory.entries // 4)
        return max(SNAPSHOT_RECORDS, owned.memory.entries)

    async def _fold(self, partition: TopicPartition, owned: Owned, records: Records) -> Deltas:
        batch = read(records, self._sites)
        if not reaches_back(batch):
            owned.past = None
        elif owned.past is None:
            owned.past = await read_past_ids(self._pool, partition.topic, partition.partition, owned.position.gen)
        deltas = count_batch(batch, owned.memory, records, owned.past)
        owned.read_next = int(records.offset[-1]) + 1
        owned.unsaved_records += len(records)
        self._progress = time.monotonic()
        return deltas

    async def _commit(
        self, partition: TopicPartition, owned: Owned, deltas: Deltas, after: Position, snapshot: bytes | None
    ) -> None:
        begun = time.perf_counter()
        async with self._doubts(partition, owned):
            await apply(self._pool, partition.topic, partition.partition, deltas, position=owned.position, new=after)
            owned.position = after
            self._progress = time.monotonic()
            _observe(deltas, time.perf_counter() - begun)
            if snapshot is not None:
                await save_snapshot(self._pool, partition.topic, partition.partition, after, snapshot)
        if snapshot is not None:
            self._saving -= 1

    def _is_at_work(self) -> bool:
        """Tell whether records may be in hand that are not counted, or that this process leaves to the next one."""
        return self._counting.locked() or self._process.stop.is_set()

    async def finish(self) -> None:
        """Count nothing more, finish what is in hand and under way, and tell Kafka the last offsets."""
        self._assignment += 1  # partitions that are still being loaded stay paused
        self._finished = True  # what is fetched from now on is left to the next counter
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS), self._counting:
                committing = [owned.committing for owned in self._owned.values() if owned.committing is not None]
                if committing:
                    await asyncio.wait(committing)
        await self.telling.tell_last()

    async def save(self) -> None:
        """Save what is remembered: the next counter begins at once."""
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                await asyncio.gather(
                    *(
                        save_snapshot(self._pool, one.topic, one.partition, owned.position, to_bytes(owned.memory))
                        for one, owned in self._owned.items()
                        if owned.unsaved_records and owned.read_next == owned.position.next_offset
                    )
                )
        except POSTGRES_UNAVAILABLE as error:
            log.warning("Snapshots were not saved; the log is read again at the next start", reason=repr(error))

    @property
    def problems(self) -> list[str]:
        """Why counting waits, in words."""
        if self.waits_for:
            return [self.waits_for]
        if self._loading:
            return [f"{len(self._loading)} partitions are being loaded"]
        replaying = sum(owned.is_replaying for owned in self._owned.values())
        return [f"the memory of {replaying} partitions is being rebuilt"] if replaying else []

    def stuck(self) -> str | None:
        """Tell when there is work, nothing is waited for, and still nothing moves."""
        behind = any(
            (self._consumer.highwater(partition) or 0) > owned.reached for partition, owned in self._owned.items()
        )
        silent_seconds = time.monotonic() - self._progress
        if not behind or self.waits_for:
            self._progress = time.monotonic() if not behind else self._progress
            return None
        return f"no batch for {silent_seconds:.0f} s with records waiting" if silent_seconds > STUCK_SECONDS else None


def _observe(deltas: Deltas, seconds: float) -> None:
    now = time.time()
    BATCH_SECONDS.observe(seconds)
    COMMITTED.set(now)
    if deltas.newest:
        EVENT_DELAY.observe(max(0.0, now - deltas.newest / 1000))
    for (site, _, outcome, _), events in deltas.ledger.items():
        CONSUME_EVENTS.labels(site, outcome).inc(events)

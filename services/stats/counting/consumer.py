"""Kafka `page-views` → counting → one transaction. Exactly once, by Postgres alone.

The position of a partition is stored in Postgres, in the transaction that changes its counts, behind a
compare-and-set. Nothing that Kafka, the consumer group or this process's state holds can count a record twice or skip
one. After any failure of unknown outcome (a lost reply, a fence, a rebalance) the partition is reloaded: it is paused,
its state is dropped, its position is read from Postgres, and the records of the last hour are read again.
The reasons are in ARCHITECTURE.md, "Exactly once".
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import numpy as np
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from services.stats.counting.commits import Commits, FoldedBatch, committed
from services.stats.counting.dead_letter_limit import DeadLetterLimitExceeded, next_position
from services.stats.counting.dead_letter_stop import DeadLetterStops
from services.stats.counting.declared_sites import decode_declared
from services.stats.counting.decoding import RawBatch
from services.stats.counting.fetch_pace import pace_fetches
from services.stats.counting.fetched_columns import Fetched, fetch_columns
from services.stats.counting.log_check import CHECK_SECONDS, LogChecker
from services.stats.counting.log_watch import LogWatch
from services.stats.counting.offset_reporter import OffsetReporter
from services.stats.counting.pace import Pace
from services.stats.counting.partitions import (
    AssignedPartition,
    TopicMismatch,
    check_positions,
    fold_next,
    restore_partitions,
    save_states,
)
from services.stats.counting.rules import CountDeltas
from services.stats.metrics import ASSIGNED, REBALANCES, RELOADS, REPLAYED
from services.stats.settings import StatsSettings
from shared.kafka.adjusted_fetches import fetch_what_is_taken
from shared.kafka.config import READ_COMMITTED
from shared.kafka.consumer import FETCH_WAIT_MS
from shared.kafka.last_record import current_connection
from shared.kafka.producer import KAFKA_ERRORS
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import Outage
from shared.role import OperatorDecision, Process
from shared.sites import Sites
from shared.topics import PAGE_VIEWS

STUCK_SECONDS = 120
IDLE_MS = 1_000
"""How long one call waits for records; they are returned as soon as there are some."""
SHARED_RECORDS_MAX = 5_000
"""Up to so many records of all partitions are committed in one transaction. With more of them, a partition is committed
while the next one is folded."""
RECORD_BYTES = 250
"""Of a small record. A fetch from a backlog is what one transaction takes of one partition: the more views it has, the
fewer times the counts of an article change. That much waits in memory."""
Wait: TypeAlias = Coroutine[Any, Any, None] | None
DRAIN_SECONDS = 2.0
SAVE_SECONDS = 2.5
LOST_SAVE_SECONDS = 60.0  # nothing else is to be done then


class CountingConsumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Consumes `page-views` and counts them."""

    def __init__(
        self, broker: KafkaBroker, pool: asyncpg.Pool, sites: Sites, settings: StatsSettings, process: Process
    ) -> None:
        self._pool = pool
        self._sites = sites
        self._process = process
        self._dead_letters_max = settings.dead_letters_max
        self._assigned: dict[TopicPartition, AssignedPartition] = {}
        self._reloading: set[TopicPartition] = set()
        self._dropped: dict[TopicPartition, AssignedPartition] = {}  # until their log is found to be the same
        self._assignment = 0
        self._commits = Commits(
            pool, process, self._reload_on_failure, on_fenced=self._reload_fenced, on_progress=self._note_progress
        )
        self._pace = Pace()
        self._paced: Any = None
        """The consumer whose fetches are paced."""
        self._records_max = settings.batch_records_max
        self._finished = False
        self._counting = asyncio.Lock()  # locked while fetched records are in progress
        self.offset_reporter = OffsetReporter(
            self._assigned, lambda: self._consumer, self._has_records_in_progress, process
        )
        self.log_checker = LogChecker(settings.kafka)
        self.log_watch = LogWatch(self.log_checker, self._assigned, self.offset_reporter, self._reload_if_assigned)
        self._dead_letter_stops = DeadLetterStops(pool)
        self._progress = time.monotonic()
        self.waiting_reason: str | None = None
        self._subscriber = broker.subscriber(
            PAGE_VIEWS.name,
            batch=True,
            group_id=settings.group,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            isolation_level=READ_COMMITTED,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.session_timeout_ms // 4,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=self._records_max * RECORD_BYTES,
            max_partition_fetch_bytes=self._records_max * RECORD_BYTES,
            listener=self,
            parser=self._raw_message,
            decoder=self._raw_records,
        )
        self._subscriber(self._on_batch)
        self._subscriber.get_msg = self._take_records  # type: ignore[method-assign]

    @property
    def _consumer(self) -> Any:
        return self._subscriber.consumer  # FastStream sets it before it subscribes, so before any callback

    async def _take_records(self, consumer: Any) -> tuple[Fetched, ...]:
        """Return the fetched records of each partition that has some, as soon as there are any.

        In place of FastStream's method, which sleeps after each call without records.
        """
        if consumer is not self._paced:
            self._paced = consumer
            pace_fetches(consumer, lambda: self._pace.pause_seconds(time.monotonic()))
            fetch_columns(consumer)
            fetch_what_is_taken(consumer)
        while not (fetched := await consumer.getmany(timeout_ms=IDLE_MS, max_records=self._records_max)):
            pass
        self._pace.note(sum(map(len, fetched.values())), time.monotonic())
        return tuple(Fetched(*one) for one in fetched.items())

    # FastStream would build a message object and decode headers for each record; the handler takes columns.
    async def _raw_message(self, fetched: tuple[Fetched, ...]) -> KafkaMessage:
        return KafkaMessage(
            body=[],
            raw_message=fetched,  # FastStream only hands it on
            consumer=self._consumer,
            message_id="batch",
            correlation_id="batch",
        )

    async def _raw_records(self, message: KafkaMessage) -> list[Any]:
        fetched, message.raw_message = list(message.raw_message), ()  # see `_on_batch`
        return fetched

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Drop all state: from now on another counter may count these partitions."""
        self._assignment += 1
        self._dropped |= self._assigned  # Kafka may have restarted, without its newest records
        self._assigned.clear()
        self._reloading.clear()
        self._dead_letter_stops.clear()
        self.offset_reporter.reset()
        ASSIGNED.set(0)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause the new partitions before the first await: aiokafka already fetches for them."""
        REBALANCES.inc()
        if not assigned:
            self._dropped.clear()
            self.log_watch.set_mismatch(None)  # others count, and check what they count
        self._pause_and_reload(assigned, "assigned")

    def _pause_and_reload(self, partitions: Collection[TopicPartition], cause: str, wait: Wait = None) -> None:
        """Pause partitions and reload them in a task: an error in a rebalance callback would only be logged.

        The task first awaits `wait`.
        """
        if not partitions:
            return
        RELOADS.labels(cause).inc(len(partitions))
        consumer = self._consumer
        consumer.pause(*partitions)
        for partition in partitions:
            owned = self._assigned.pop(partition, None)
            if owned is not None and wait is None:
                self._dropped[partition] = owned
            self.offset_reporter.track_reloading(partition, owned)
            self._reloading.add(partition)
            consumer.seek(partition, 0)  # any valid offset: aiokafka must not ask Kafka for a committed one
        self._process.spawn(self._reload(consumer, list(partitions), self._assignment, wait), "reload partitions")

    async def _reload(self, consumer: Any, partitions: list[TopicPartition], assignment: int, wait: Wait) -> None:
        if wait is not None:
            await wait
            if assignment != self._assignment:
                return
        outage = Outage("restore partitions", self._set_waiting_reason)
        while True:
            try:
                everything = {*self._assigned, *self._reloading}
                checked = await check_positions(self._pool, consumer, self.log_checker, partitions, everything)
                self._dropped.clear()  # the memory is needed for what is restored
                restored = await restore_partitions(self._pool, checked)
                break
            except TopicMismatch as error:
                dropped, self._dropped = self._dropped, {}
                await self._save_states(dropped, LOST_SAVE_SECONDS)  # the log may have lost what would rebuild them
                if assignment != self._assignment:
                    return
                outage.ended()
                self.stop_counting(str(error))
                await asyncio.sleep(CHECK_SECONDS)
            except (*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS) as error:
                if assignment != self._assignment:
                    return
                outage.failed(error)
                await outage.pause()
        if assignment != self._assignment:
            return  # another assignment came meanwhile, and with it another reload
        outage.ended()
        self.log_watch.set_mismatch(None)
        for partition, owned in restored.items():
            self._assigned[partition] = owned
            self._reloading.discard(partition)
            consumer.seek(partition, owned.read_next)
            consumer.resume(partition)
        ASSIGNED.set(len(self._assigned))

    def stop_counting(self, mismatch: str) -> None:
        """Count nothing while the log is not the one that was counted; each reload checks whether it is again."""
        self.log_watch.set_mismatch(mismatch)
        self._pause_and_reload(list(self._assigned), "mismatch")

    def _set_waiting_reason(self, reason: str | None) -> None:
        self.waiting_reason = f"partitions cannot be restored: {reason}" if reason else None

    async def _on_batch(self, fetched: list) -> None:  # type: ignore[type-arg] # FastStream must not inspect it
        """Count fetched records. Never raises: FastStream would log it and go on after the records.

        Then drop them: FastStream's message is in this task's context variables, and whatever begins a timer meanwhile
        (asyncpg for each statement that it prepares) keeps them for minutes.
        """
        async with self._counting:
            if not self._finished:
                await self._count_by_partition(fetched)
        fetched.clear()

    async def _count_by_partition(self, fetched: Sequence[Fetched]) -> None:
        folded: list[FoldedBatch] = []
        are_shared = sum(len(records) for _, records in fetched) <= SHARED_RECORDS_MAX
        for partition, records in fetched:
            owned = self._assigned.get(partition)
            if owned is None or not await self._is_current(partition, records):
                continue
            if owned.connection is not current_connection(self._consumer, partition):
                self._reload_if_assigned(partition, owned, "reconnected")
                continue
            await committed([owned])
            if self._assigned.get(partition) is owned:  # otherwise its last batch failed, or it was revoked meanwhile
                async with self._reload_on_failure({partition: owned}):
                    folded += await self._fold_records(partition, owned, records)
            if not are_shared:
                await self._begin_commit(folded)
                folded = []
        await self._begin_commit(folded)

    async def _begin_commit(self, folded: list[FoldedBatch]) -> None:
        """Begin to commit batches. Those of partitions that were revoked or reloaded since are left to their reload."""
        if still := [one for one in folded if self._assigned.get(one.place) is one.owned]:
            self._commits.begin(still)
            await asyncio.sleep(0)  # send it to Postgres before the next fold keeps this loop busy

    @asynccontextmanager
    async def _reload_on_failure(self, partitions: Mapping[TopicPartition, AssignedPartition]) -> AsyncIterator[None]:
        """Reload partitions after a failure of unknown outcome, and stop the process on an internal error.

        Raises nothing.
        """
        try:
            yield
        except DeadLetterLimitExceeded as error:
            ((partition, owned),) = partitions.items()
            if self._assigned.get(partition) is owned:
                self._dead_letter_stops.add(partition, str(error))
                self._pause_and_reload(
                    [partition], "dead letters", self._dead_letter_stops.wait(partition, owned.position)
                )
        except Exception as error:  # noqa: BLE001 - FastStream must not see it
            if isinstance(error, POSTGRES_UNAVAILABLE) and not isinstance(error, POSTGRES_DATA_ERRORS):
                log.warning("outcome of a commit is unknown; reading it from Postgres", reason=repr(error))
                for partition, owned in partitions.items():
                    self._reload_if_assigned(partition, owned, "postgres")
                return
            # An internal error: stop, and start again from the committed position.
            numbers = [one.partition for one in partitions]
            log.error("counting failed", partitions=numbers, exc_info=error)
            self._process.fail(f"counting failed: {error!r}")

    def _reload_fenced(self, partition: TopicPartition, owned: AssignedPartition) -> None:
        reason = f"{partition.topic}-{partition.partition} is no longer at {owned.position.next_offset}"
        log.warning("partition fenced by another consumer", reason=reason)
        self._reload_if_assigned(partition, owned, "fenced")

    def _note_progress(self) -> None:
        self._progress = time.monotonic()

    def _reload_if_assigned(self, partition: TopicPartition, owned: AssignedPartition, cause: str) -> None:
        if self._assigned.get(partition) is owned:  # otherwise it was revoked meanwhile
            self._pause_and_reload([partition], cause)

    async def _is_current(self, partition: TopicPartition, records: RawBatch) -> bool:
        """Return whether the consumer's position is still after these records.

        If it was moved since they were fetched (revoked, assigned again and reloaded while the handler was busy with
        another partition), they would be counted before the state that they need is rebuilt.
        """
        try:
            return int(await self._consumer.position(partition)) > int(records.offset[-1])
        except IllegalStateError:  # it is no longer assigned
            return False

    async def _fold_records(
        self, partition: TopicPartition, owned: AssignedPartition, records: RawBatch
    ) -> list[FoldedBatch]:
        """Fold records into the state, and return the batch of new ones that is to be committed, if there are any."""
        records = records[int(np.searchsorted(records.offset, owned.read_next)) :]
        first_new = int(np.searchsorted(records.offset, owned.position.next_offset))
        if first_new:  # already counted: only their effect on the state matters
            await self._fold(partition, owned, records[:first_new])
            REPLAYED.inc(first_new)
        new = records[first_new:]
        if not len(new):
            return []
        deltas = await self._fold(partition, owned, new)
        after = next_position(owned.position, new, deltas, self._dead_letters_max)
        is_caught_up = (self._consumer.last_stable_offset(partition) or 0) <= owned.read_next
        return [FoldedBatch(partition, owned, deltas, after, is_caught_up)]

    async def _fold(self, partition: TopicPartition, owned: AssignedPartition, records: RawBatch) -> CountDeltas:
        batch = await decode_declared(records, self._sites)
        deltas = await fold_next(self._pool, partition, owned, batch, records)
        self._note_progress()
        return deltas

    def _has_records_in_progress(self) -> bool:
        """Return whether fetched records may be uncounted, or left by this process to the next one."""
        return self._counting.locked() or self._process.stop.is_set()

    async def drain(self) -> None:
        """Count no further records, finish those in progress, and commit the last offsets to Kafka."""
        self._assignment += 1  # partitions that are still reloading stay paused
        self._finished = True  # records fetched from now on are left to the next counter
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS), self._counting:
                await committed(list(self._assigned.values()))
        await self.offset_reporter.commit_final()

    async def save_snapshots(self) -> None:
        """Save the state of all partitions, so that the next counter starts without reading records again."""
        await self._save_states(self._assigned, SAVE_SECONDS)

    async def _save_states(self, states: Mapping[TopicPartition, AssignedPartition], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await save_states(self._pool, states)
        except POSTGRES_UNAVAILABLE as error:
            log.warning("snapshots were not saved; the next start reads the log again", reason=repr(error))

    @property
    def not_ready(self) -> list[str]:
        """Why counting waits, as messages."""
        if problem := self.log_watch.problem or self._dead_letter_stops.problem:
            return [OperatorDecision(problem)]
        if self.waiting_reason:
            return [self.waiting_reason]
        if self._reloading:
            return [f"{len(self._reloading)} partitions are being loaded"]
        replaying = sum(owned.is_replaying for owned in self._assigned.values())
        return [f"the state of {replaying} partitions is being rebuilt"] if replaying else []

    def liveness_failure(self) -> str | None:
        """Return a message if records wait, no dependency is unavailable, and still no batch is counted.

        Records behind an open transaction do not count as waiting: only its producer can end it.
        """
        is_behind = any(
            max(self._consumer.last_stable_offset(partition) or 0, self.log_watch.ends.get(partition, 0))
            > owned.counted_up_to
            for partition, owned in self._assigned.items()
        )
        silent_seconds = time.monotonic() - self._progress
        if not is_behind or self.waiting_reason or self.log_watch.problem:
            self._progress = time.monotonic() if not is_behind else self._progress
            return None
        return f"no batch for {silent_seconds:.0f} s with records waiting" if silent_seconds > STUCK_SECONDS else None

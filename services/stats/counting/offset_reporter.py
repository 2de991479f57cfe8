"""What others see of counting: the lag gauges, and the offsets in Kafka that lag tools and autoscalers read.

Counting relies on Postgres alone. Kafka's copy of the offsets follows it, for others; nothing here reads it back, and
no count changes if it is late, rejected or missing.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from services.stats.counting.lag import Lag
from services.stats.counting.partitions import AssignedPartition
from services.stats.metrics import LAG, LAG_SECONDS
from shared.logs import log
from shared.role import Process

POLL_SECONDS = 1.0
COMMIT_TIMEOUT_SECONDS = 3.0
"""Time for Kafka to accept offsets; later ones are committed at the next poll."""
RECOMMIT_SECONDS = 60.0
"""Unchanged offsets are committed again after this time: somebody may have reset the group's."""
BACKOFF_SECONDS = 10.0
FINAL_COMMIT_SECONDS = 1.0


class OffsetReporter:
    """Reports the progress of the partitions that are assigned to a counter.

    Args:
        assigned: The counter's partitions; the mapping changes.
        consumer: Returns the AIOKafkaConsumer; None before the first assignment and after the stop.
        has_records_in_progress: Whether fetched records are being counted at this moment.
        process: Runs the commits.
    """

    def __init__(
        self,
        assigned: Mapping[TopicPartition, AssignedPartition],
        consumer: Callable[[], Any],
        has_records_in_progress: Callable[[], bool],
        process: Process,
    ) -> None:
        self._assigned = assigned
        self._consumer = consumer
        self._has_records_in_progress = has_records_in_progress
        self._process = process
        self._reloading: dict[TopicPartition, tuple[Lag, int] | None] = {}
        """Lag and offset of reloading partitions: while Postgres is unavailable their lag grows like all others'."""
        self.read_ends: dict[TopicPartition, int] = {}
        """Ends of the log that another consumer has read: if fetches fail, those of this one stay as they were."""
        self.is_lag_unknown = False
        """Whether the offsets of reloading partitions are of another log; then their lag is not a number."""
        self._last_seen: dict[TopicPartition, tuple[int, int]] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._committed_all_at = 0.0
        self._in_progress: asyncio.Task[None] | None = None
        self._rejected_at: float | None = None

    async def run(self) -> None:
        """Update the gauges and commit offsets once a second, until cancelled."""
        while True:
            await self.update_lag()
            self.commit_offsets()
            await asyncio.sleep(POLL_SECONDS)

    def track_reloading(self, partition: TopicPartition, owned: AssignedPartition | None) -> None:
        """Go on reporting the lag of a partition while it is reloading and thus not in the assigned ones."""
        if owned is not None or partition not in self._reloading:
            self._reloading[partition] = None if owned is None else (owned.lag, owned.counted_up_to)

    def reset(self) -> None:
        """Stop reporting all partitions: from now on they may be assigned to another counter.

        A commit that still waits for the coordinator is cancelled. It would go out under the next membership, and
        move offsets that another counter reports.
        """
        if self._in_progress is not None:
            self._in_progress.cancel()
            self._in_progress = None
        self._reloading.clear()
        self.read_ends.clear()
        self._last_seen.clear()
        self._committed = {}
        self._rejected_at = None
        LAG.clear()
        LAG_SECONDS.clear()

    async def update_lag(self) -> None:
        """Update how far each partition is counted, and set the gauges from the ends that the last fetches returned."""
        consumer = self._consumer()
        if consumer is None:  # the counter has stopped
            return
        for partition, tracked in list(self._reloading.items()):
            if partition in self._assigned:
                del self._reloading[partition]
            elif self.is_lag_unknown:
                LAG.labels(partition.partition).set(math.nan)
                LAG_SECONDS.labels(partition.partition).set(math.nan)
            elif tracked and partition in consumer.assignment() and (end := self._end(consumer, partition)) is not None:
                self._set_gauges(partition, tracked[0], end, tracked[1])
        for partition, owned in list(self._assigned.items()):
            try:
                await self._update_counted(consumer, partition, owned)
                end = self._end(consumer, partition)
            except IllegalStateError:  # it is no longer assigned
                continue
            if end is not None and self._assigned.get(partition) is owned:
                newest_arrived_seconds = owned.position.newest_arrived / 1000
                self._set_gauges(partition, owned.lag, end, owned.counted_up_to, newest_arrived_seconds)

    def _end(self, consumer: Any, partition: TopicPartition) -> int | None:
        """Return the end of the log that was seen last; None if none was yet."""
        ends = [end for end in (consumer.highwater(partition), self.read_ends.get(partition)) if end is not None]
        return max(ends, default=None)

    @staticmethod
    def _set_gauges(
        partition: TopicPartition, lag: Lag, end: int, counted_up_to: int, newest_arrived_seconds: float = 0.0
    ) -> None:
        LAG.labels(partition.partition).set(max(0, end - counted_up_to))
        seconds = lag.update(end, counted_up_to, newest_arrived_seconds, time.time())
        LAG_SECONDS.labels(partition.partition).set(seconds)

    async def _update_counted(self, consumer: Any, partition: TopicPartition, owned: AssignedPartition) -> None:
        """Update the offset before which nothing is left to count.

        The end of a transaction takes an offset and is no record. The consumer skips it after the last record, and the
        counts never do. So the consumer's position is taken for the counts' when neither has moved since the last poll
        and no records are in progress.
        """
        position = int(await consumer.position(partition))
        seen = position, owned.position.next_offset
        is_idle = not self._has_records_in_progress() and owned.is_committed and self._last_seen.get(partition) == seen
        self._last_seen[partition] = seen
        if is_idle and not owned.is_replaying:
            owned.skipped_to = position

    def commit_offsets(self) -> None:
        """Begin to commit changed offsets to Kafka, unless a commit is in progress or was just rejected."""
        now = time.monotonic()
        if self._in_progress is not None and not self._in_progress.done():
            return
        if self._rejected_at is not None and now - self._rejected_at < BACKOFF_SECONDS:
            return
        if now - self._committed_all_at > RECOMMIT_SECONDS:
            self._committed, self._committed_all_at = {}, now
        changed = {
            partition: owned.counted_up_to
            for partition, owned in self._assigned.items()
            if self._committed.get(partition) != owned.counted_up_to
        }
        if changed:
            self._in_progress = self._process.spawn(self._commit(changed, self._committed), "commit offsets to Kafka")

    async def commit_final(self) -> None:
        """Commit the last offsets, within a time limit: the counter stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINAL_COMMIT_SECONDS):
                if self._in_progress is not None:
                    await asyncio.wait([self._in_progress])
                self.commit_offsets()
                if self._in_progress is not None:
                    await asyncio.wait([self._in_progress])

    async def _commit(self, offsets: dict[TopicPartition, int], committed: dict[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await self._consumer().commit(offsets)
        except Exception as error:  # noqa: BLE001 - counting goes on without it in any case
            if self._rejected_at is None:
                log.warning("Kafka does not accept the offsets; lag tools see old ones", reason=repr(error))
            self._rejected_at = time.monotonic()
        else:
            self._rejected_at = None
            committed.update(offsets)

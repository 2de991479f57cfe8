"""Publishes events to Kafka, or to the spool while Kafka is unavailable. After `publish` a request may get its 202.

Events that arrive while a batch is in flight, or while it gathers (`group_commit`), form one batch, so that many events
share one acknowledgement of Kafka or of the disk. A batch has a deadline, until which its producer tries again: after
it, its events are spooled and the producer is discarded (Kafka may have them; event IDs make duplicates harmless). All
batches are then spooled until a new producer has drained the whole spool to Kafka, in order. They are also spooled
while their partitions are unknown (`partition_router`).
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from services.ingest.collector.clock_check import ClockCheck, since_boot
from services.ingest.collector.event_queue import Batch, EventQueue, Respond
from services.ingest.collector.partition_router import PartitionRouter, PartitionsUnknown
from services.ingest.collector.spool import Spool, SpooledEvent, SpoolFull, open_orphaned_spools
from services.ingest.metrics import ACK_SECONDS, BATCH_EVENTS, REPLAYED, SPOOL_CORRUPT, SPOOL_WRITES
from shared.kafka.batch_producer import BatchProducer
from shared.kafka.config import KafkaConfig
from shared.kafka.connection import describe_error
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable, stop_producer
from shared.logs import log
from shared.retry import retry_until_done
from shared.role import Process

BATCH_BYTES = 512 * 1024
REPLAY_RECORDS = 5_000
REPLAY_DEADLINE_SECONDS = 15.0
ORPHAN_SCAN_SECONDS = 30.0
PARTITIONS_SECONDS = 4.0
"""How often Kafka's number of partitions is read."""
PAUSE_SECONDS = 0.5
"""Before another attempt to find the partitions of spooled events."""


class EventPublisher:
    """Publishes the events of one collector.

    Args:
        kafka: Connection settings.
        topic: Destination of the events.
        spool: Stores events while Kafka is unavailable. Events that it holds at the start are drained first.
        root: Folder of the spools of all replicas; orphaned ones are drained too.
        router: Chooses the partitions.
        clock: Is given the times at which brokers append.
        deadline_seconds: How long a batch waits for Kafka before it is spooled.
        process: Runs the background tasks.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        topic: str,
        spool: Spool,
        root: Path,
        *,
        router: PartitionRouter,
        clock: ClockCheck,
        deadline_seconds: float,
        process: Process,
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._spool = spool
        self._root = root
        self._router = router
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._disk = ThreadPoolExecutor(2, "spool")
        self._queue = EventQueue()
        self._spool_lock = asyncio.Lock()
        """Held to write to the spool, or to switch back from the spool to Kafka."""
        self._producer: BatchProducer | None = None
        self._unavailable_since: float | None = time.monotonic()
        """Start of the current outage in monotonic seconds, while events are spooled."""
        self._unknown_partitions: str | None = None
        """Why the partitions of events are unknown, while they are."""
        self._spool_error: str | None = None
        self._outage = asyncio.Event()
        """Set when an outage begins."""
        self._tasks = [
            process.spawn(self._batch_loop(), "publish batches"),
            process.spawn(self._drain_loop(), "drain the spool"),
            process.spawn(self._partitions_loop(), "read the number of partitions"),
        ]

    async def _on_disk(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run work of the spool in its own threads: others of the process may be busy for seconds.

        A caller that is cancelled waits for it nevertheless: the files of the spool may be closed next.
        """
        running = self._loop.run_in_executor(self._disk, work, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.gather(running, return_exceptions=True)
            raise

    def publish(self, events: Sequence[SpooledEvent]) -> asyncio.Future[None]:
        """Queue events, and return a future that completes when Kafka or the disk has all of them.

        The future raises KafkaUnavailable if neither accepts them; the client must then keep them.
        """
        return self._queue.add(events)

    def publish_direct(self, events: Sequence[SpooledEvent], respond: Respond, request: Any) -> None:
        """Queue the events of a request from any thread, and respond to it when Kafka or the disk has all of them."""
        self._queue.add_direct(events, respond, request)

    @property
    def _bypasses_spool(self) -> bool:
        """Whether new events go directly to Kafka: the spool is empty."""
        return self._unavailable_since is None

    @property
    def pending_events(self) -> int:
        """Number of unacknowledged events."""
        return self._queue.pending_events

    @property
    def spool_bytes(self) -> int:
        """Bytes in the spool."""
        return self._spool.bytes

    @property
    def problem(self) -> str | None:
        """Why events are rejected; None if they are accepted."""
        if self._clock.problem is not None:
            return self._clock.problem
        if self._bypasses_spool:
            return None
        return self._spool_error or (None if self._spool.has_room else "the spool is full")

    @property
    def warning(self) -> str | None:
        """The reason and duration of an outage during which events are accepted to the spool; None without one."""
        if self._unavailable_since is None:
            return None
        reason = "Kafka unavailable" if self._producer is None else self._unknown_partitions or "draining the spool"
        seconds = time.monotonic() - self._unavailable_since
        return f"{reason} for {seconds:.0f} s; {self._spool.bytes} bytes in the spool"

    async def _batch_loop(self) -> None:
        """Flush batches until cancelled, one at a time: concurrent ones would only be smaller."""
        while True:
            batch = await self._queue.take()
            began_at = time.monotonic()
            try:
                await self._flush(batch)
                self._queue.note_stored(batch, began_at)
            except BaseException:  # also on cancellation, so that no request waits indefinitely
                batch.complete(KafkaUnavailable("the events were not stored"))
                raise
            finally:
                self._queue.end()

    async def _flush(self, batch: Batch) -> None:
        if not batch.events:
            batch.complete()
            return
        problem = self._clock.problem
        if problem is not None:
            batch.complete(KafkaUnavailable(problem))
            return
        BATCH_EVENTS.observe(len(batch.events))
        started_at = time.perf_counter()
        if self._bypasses_spool and await self._send_to_kafka(batch.events, self._deadline_seconds):
            self._acknowledge(batch)
            ACK_SECONDS.labels(self._topic).observe(time.perf_counter() - started_at)
        else:
            await self._spool_batch(batch)

    def _acknowledge(self, batch: Batch) -> None:
        """Complete a batch that Kafka has; but events whose times are wrong must be sent again, with the same IDs."""
        problem = self._clock.problem
        batch.complete(KafkaUnavailable(problem) if problem else None)

    async def _send_to_kafka(self, events: Sequence[SpooledEvent], deadline_seconds: float) -> bool:
        """Send events to Kafka; return whether all are acknowledged in time.

        If Kafka did not acknowledge them the producer is discarded. It is kept if their partitions are unknown.
        """
        producer = self._producer
        if producer is None:
            return False
        try:
            async with asyncio.timeout(deadline_seconds):
                values: dict[int, list[bytes]] = defaultdict(list)
                for (_, value), partition in zip(events, await self._router.partitions(events), strict=True):
                    values[partition].append(value)
                sent_at = since_boot()
                for partition, appended_at in await producer.send(values):
                    if appended_at is not None:
                        self._clock.observe_broker(partition, appended_at, sent_at)
        except PartitionsUnknown as error:
            if self._unknown_partitions is None:
                log.warning("spooling events: their partitions are unknown", reason=str(error))
            self._unknown_partitions = str(error)
            self._begin_outage()
            return False
        except KAFKA_ERRORS as error:
            self._discard_producer(producer, error)
            return False
        self._unknown_partitions = None
        return True

    def _discard_producer(self, producer: BatchProducer, error: BaseException) -> None:
        """Discard a producer: events are spooled until another producer has drained the spool."""
        if self._producer is not producer:
            return  # another send has discarded it already
        log.warning("Kafka unavailable; spooling events", reason=repr(error))
        self._producer = None
        self._begin_outage()
        self._process.spawn(stop_producer(producer), "discard a producer")

    def _begin_outage(self) -> None:
        if self._unavailable_since is None:
            self._unavailable_since = time.monotonic()
        self._outage.set()

    async def _spool_batch(self, batch: Batch) -> None:
        async with self._spool_lock:
            if self._bypasses_spool and await self._send_to_kafka(batch.events, self._deadline_seconds):
                self._acknowledge(batch)
                return
            try:
                await self._on_disk(self._spool.append, batch.events)
            except SpoolFull as error:
                if self._spool_error is None:
                    log.error("rejecting events: neither Kafka nor the spool accepts them", reason=str(error))
                self._spool_error = str(error)
                batch.complete(KafkaUnavailable(str(error)))
                return
            self._spool_error = None
        SPOOL_WRITES.inc(len(batch.events))
        batch.complete()

    async def _drain_loop(self) -> None:
        """Connect and drain the spools, again after each outage, until cancelled."""
        scanned_at = 0.0
        while True:
            if self._producer is None:
                await self._connect()
            elif not self._bypasses_spool:
                await self._drain_own_spool()
                if self._unknown_partitions is not None:
                    await asyncio.sleep(PAUSE_SECONDS)
            elif time.monotonic() - scanned_at >= ORPHAN_SCAN_SECONDS:
                scanned_at = time.monotonic()
                await self._drain_orphaned_spools()
            else:
                self._outage.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(scanned_at + ORPHAN_SCAN_SECONDS - time.monotonic()):
                        await self._outage.wait()

    async def _connect(self) -> None:
        await retry_until_done(self._try_connect, on=KafkaUnavailable, what="connect the collector to Kafka")

    async def _try_connect(self) -> None:
        producer = BatchProducer(
            self._kafka, self._topic, batch_bytes=BATCH_BYTES, request_seconds=self._deadline_seconds
        )
        try:
            async with asyncio.timeout(REPLAY_DEADLINE_SECONDS):
                self._router.observe(await producer.start())
        except KAFKA_ERRORS as error:
            await stop_producer(producer)
            raise KafkaUnavailable(await describe_error(self._kafka, error)) from error
        self._producer = producer

    async def _partitions_loop(self) -> None:
        """Read how many partitions Kafka has, until cancelled."""
        while True:
            await asyncio.sleep(PARTITIONS_SECONDS)
            producer = self._producer
            if producer is not None and await producer.client.force_metadata_update():
                known = producer.client.cluster.partitions_for_topic(self._topic)
                if known and producer is self._producer:
                    self._router.observe(len(known))

    async def _drain_own_spool(self) -> None:
        if not await self._drain(self._spool, REPLAY_DEADLINE_SECONDS):
            return
        async with self._spool_lock:  # no writes now: drain the rest, then bypass the spool
            if await self._drain(self._spool, self._deadline_seconds):
                self._unavailable_since = self._spool_error = None
                log.info("Kafka available; spool drained")

    async def _drain(self, spool: Spool, deadline_seconds: float) -> bool:
        """Send all events of a spool to Kafka; return whether the spool is empty."""
        while events := await self._on_disk(spool.read, REPLAY_RECORDS):
            if not await self._send_to_kafka(events, deadline_seconds):
                spool.rewind()
                return False
            REPLAYED.inc(len(events))
            await self._on_disk(spool.delete_read_segments)
        await self._on_disk(spool.delete_read_segments)
        SPOOL_CORRUPT.inc(spool.corrupt_records)
        spool.corrupt_records = 0
        return True

    async def _drain_orphaned_spools(self) -> None:
        """Drain the spools of replicas that no longer run."""
        for spool in await self._on_disk(open_orphaned_spools, self._root, 0):
            try:
                if await self._drain(spool, REPLAY_DEADLINE_SECONDS):
                    log.info("drained an orphaned spool", folder=spool.folder.name)
            finally:
                spool.close()

    async def stop(self) -> None:
        """Complete queued events within the deadline, then stop the tasks and close the spool."""
        self._queue.gathers = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline_seconds + 1):
                await self.publish([])  # completes after all queued events
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._queue.refuse(KafkaUnavailable("the collector is stopping"))
        if self._producer is not None:
            await stop_producer(self._producer)
        self._spool.close()
        self._disk.shutdown(wait=False)

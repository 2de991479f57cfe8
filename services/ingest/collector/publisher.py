"""Events → Kafka, or the spool while Kafka is away. Whoever waits for `publish` may answer 202 after it.

Events that come in while a flight is under way leave together with the next one: one batch for each partition, so
that Kafka's and the disk's acknowledgements are shared by many. aiokafka's idempotent producer keeps what it cannot
deliver for ever and never says so. Here a flight has a deadline: after it the events go to the spool, the producer is
given up with what it holds (Kafka may have it: the ids tell), and every flight goes to the spool until a new producer
has brought Kafka the whole spool, in order.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from services.ingest.collector.spool import Entry, Spool, SpoolFull, open_left_spools
from services.ingest.metrics import FLIGHT_EVENTS, PARTITIONS, PUBLISH_SECONDS, REPLAYED, SPOOL_CORRUPT, SPOOL_WRITES
from shared.kafka.connection import KafkaConfig
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable, stop_producer
from shared.logs import log
from shared.retry import retry_until_done
from shared.role import Process

PENDING_MAX = 50_000
"""Events that wait for a flight, above which none is taken: memory stays bounded whatever Kafka and the disk do."""
BATCH_BYTES = 512 * 1024
REPLAY_RECORDS = 5_000
REPLAY_DEADLINE_SECONDS = 15.0
IDLE_SECONDS = 0.1
LEFT_SPOOLS_SECONDS = 30.0


@dataclass(slots=True)
class _Flight:
    entries: list[Entry] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def land(self, error: KafkaUnavailable | None = None) -> None:
        for one in self.waiting:
            if not one.done():
                if error is None:
                    one.set_result(None)
                else:
                    one.set_exception(error)


class Publisher:
    """The way of events out of the collector.

    Args:
        kafka: How Kafka is reached.
        topic: Where the events go.
        spool: Takes them while Kafka is away. What it holds at the start is brought first.
        root: Folder of the spools of all replicas; those left by gone ones are brought too.
        deadline_seconds: How long a flight waits for Kafka before it goes to the spool.
    """

    def __init__(
        self, kafka: KafkaConfig, topic: str, spool: Spool, root: Path, *, deadline_seconds: float, process: Process
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._spool = spool
        self._root = root
        self._deadline_seconds = deadline_seconds
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._next = _Flight()
        self._wake = asyncio.Event()
        self._gate = asyncio.Lock()
        """Whoever holds it writes to the spool, or decides that nobody needs to any more."""
        self._producer: AIOKafkaProducer | None = None
        self._partitions = 0
        self._under_way = 0
        self._away_since: float | None = time.monotonic()
        """Since when events go to the spool."""
        self._refused: str | None = None
        self._running = [
            process.spawn(self._dispatch(), "dispatch events"),
            process.spawn(self._bring(), "bring the spool"),
        ]

    def publish(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Take events, and return a future that is done when Kafka or the disk has all of them.

        It raises Unavailable when neither takes them; the sender must keep them.
        """
        landed = self._loop.create_future()
        flight = self._next
        if self._under_way + len(flight.entries) > PENDING_MAX:
            landed.set_exception(KafkaUnavailable(f"{PENDING_MAX} events already wait"))
            return landed
        flight.entries += entries
        flight.waiting.append(landed)
        self._wake.set()
        return landed

    @property
    def _is_direct(self) -> bool:
        """New events go straight to Kafka: the spool is empty."""
        return self._away_since is None

    @property
    def waiting_events(self) -> int:
        """Events that nobody has acknowledged yet."""
        return self._under_way + len(self._next.entries)

    @property
    def spool_bytes(self) -> int:
        """Size of what waits on the disk."""
        return self._spool.bytes

    @property
    def problem(self) -> str | None:
        """Why no event can be taken now; None when they can."""
        if self._is_direct:
            return None
        return self._refused or (None if self._spool.has_room else "the spool is full")

    @property
    def concern(self) -> str | None:
        """What an operator should know though events are taken: Kafka is away."""
        if self._away_since is None:
            return None
        seconds = time.monotonic() - self._away_since
        return f"Kafka does not acknowledge since {seconds:.0f} s; {self._spool.bytes} bytes wait in the spool"

    async def _dispatch(self) -> None:
        """Send flight after flight, for as long as the process lives. One at a time: two would only be smaller."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            flight, self._next = self._next, _Flight()
            self._under_way = len(flight.entries)
            try:
                await self._fly(flight)
            except BaseException:  # a fault of ours, or the end: nobody may wait for an answer that never comes
                flight.land(KafkaUnavailable("the events were not kept"))
                raise
            finally:
                self._under_way = 0

    async def _fly(self, flight: _Flight) -> None:
        if not flight.entries:
            flight.land()
            return
        FLIGHT_EVENTS.observe(len(flight.entries))
        begun = time.perf_counter()
        if self._is_direct and await self._send(flight.entries, self._deadline_seconds):
            flight.land()
            PUBLISH_SECONDS.labels(self._topic).observe(time.perf_counter() - begun)
        else:
            await self._keep(flight)

    async def _send(self, entries: Sequence[Entry], deadline_seconds: float) -> bool:
        """Bring entries to Kafka; return whether it has acknowledged all of them in time. If not, it counts as away."""
        producer = self._producer
        if producer is None:
            return False
        try:
            async with asyncio.timeout(deadline_seconds):
                sent = [
                    await producer.send_batch(batch, self._topic, partition=partition)
                    for partition, batch in self._batches(producer, entries)
                ]
                for outcome in await asyncio.gather(*sent, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        raise outcome
        except KAFKA_ERRORS as error:
            self._lose(producer, error)
            return False
        return True

    def _batches(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> list[tuple[int, BatchBuilder]]:
        by_partition: dict[int, list[bytes]] = defaultdict(list)
        for place, value in entries:
            by_partition[place % self._partitions].append(value)
        batches = []
        for partition, values in by_partition.items():
            batch = producer.create_batch()
            for value in values:
                if batch.append(timestamp=None, key=None, value=value) is None:  # it is full
                    batches.append((partition, batch))
                    batch = producer.create_batch()
                    fits = batch.append(timestamp=None, key=None, value=value)
                    assert fits is not None, "an event is far smaller than a batch"
            batches.append((partition, batch))
        return batches

    def _lose(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """Give a producer up: events go to the spool until another one has brought Kafka all of that."""
        if self._producer is not producer:
            return  # a flight and a left spool met the same error
        log.warning("Kafka does not acknowledge; events go to the spool", reason=repr(error))
        self._producer = None
        self._away_since = time.monotonic()
        self._process.spawn(stop_producer(producer), "give up a producer")

    async def _keep(self, flight: _Flight) -> None:
        async with self._gate:
            if self._is_direct and await self._send(flight.entries, self._deadline_seconds):
                flight.land()
                return
            try:
                await asyncio.to_thread(self._spool.append, flight.entries)
            except SpoolFull as error:
                if self._refused is None:
                    log.error("Events are refused: neither Kafka nor the disk takes them", reason=str(error))
                self._refused = str(error)
                flight.land(KafkaUnavailable(str(error)))
                return
            self._refused = None
        SPOOL_WRITES.inc(len(flight.entries))
        flight.land()

    async def _bring(self) -> None:
        """Connect, bring Kafka the spool, let events go straight to Kafka; begin again whenever it is lost."""
        looked_at = 0.0
        while True:
            if self._producer is None:
                await self._connect()
            elif not self._is_direct:
                await self._bring_spool()
            elif time.monotonic() - looked_at > LEFT_SPOOLS_SECONDS:
                looked_at = time.monotonic()
                await self._bring_left_spools()
            else:
                await asyncio.sleep(IDLE_SECONDS)

    async def _connect(self) -> None:
        await retry_until_done(self._try_connect, on=KafkaUnavailable, what="connect the collector to Kafka")

    async def _try_connect(self) -> None:
        producer = AIOKafkaProducer(
            **self._kafka.client,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(self._deadline_seconds * 1000),
        )
        try:
            async with asyncio.timeout(REPLAY_DEADLINE_SECONDS):
                await producer.start()
                self._partitions = len(await producer.partitions_for(self._topic))
                PARTITIONS.set(self._partitions)
        except (*KAFKA_ERRORS, KeyError) as error:
            await stop_producer(producer)
            raise KafkaUnavailable(await self._kafka.describe_error(error)) from error
        self._producer = producer

    async def _bring_spool(self) -> None:
        if not await self._empty(self._spool, REPLAY_DEADLINE_SECONDS):
            return
        async with self._gate:  # nobody writes now: what came meanwhile is brought, and the way is free
            if await self._empty(self._spool, self._deadline_seconds):
                self._away_since = self._refused = None
                log.info("Kafka acknowledges; events go straight to it")

    async def _empty(self, spool: Spool, deadline_seconds: float) -> bool:
        """Bring Kafka all that a spool holds; return whether it has everything."""
        while entries := await asyncio.to_thread(spool.read, REPLAY_RECORDS):
            if not await self._send(entries, deadline_seconds):
                spool.rewind()
                return False
            REPLAYED.inc(len(entries))
            await asyncio.to_thread(spool.drop_read)
        await asyncio.to_thread(spool.drop_read)
        SPOOL_CORRUPT.inc(spool.corrupt_records)
        spool.corrupt_records = 0
        return True

    async def _bring_left_spools(self) -> None:
        """Bring what replicas left that are gone."""
        for spool in await asyncio.to_thread(open_left_spools, self._root, 0):
            try:
                if await self._empty(spool, REPLAY_DEADLINE_SECONDS):
                    log.info("Brought Kafka what another collector had left", folder=spool.folder.name)
            finally:
                spool.close()

    async def stop(self) -> None:
        """Land what is under way, and close the spool; bounded by the deadline."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline_seconds + 1):
                await self.publish([])  # lands after all that is under way
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)
        self._next.land(KafkaUnavailable("the collector stops"))
        if self._producer is not None:
            await stop_producer(self._producer)
        self._spool.close()

"""What others see of counting: the gauges of lag, and the offsets in Kafka that lag tools and autoscalers read.

Counting stands on Postgres alone. Kafka's copy of the offsets follows it, for others; nothing here reads it back, and
that it is late, refused or not there changes no count.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from services.stats.counting.lag import Lag
from services.stats.counting.partitions import Owned
from services.stats.metrics import LAG, LAG_SECONDS
from shared.logs import log
from shared.role import Process

LOOK_SECONDS = 1.0
TELL_SECONDS = 3.0
"""Kafka has so long to take the offsets; later ones are told by the next look."""
TELL_AGAIN_SECONDS = 60.0
"""Offsets that did not change are told again: somebody may have reset the group's."""
REFUSED_SECONDS = 10.0
LAST_SECONDS = 1.0


class Telling:
    """Tells of the partitions that a counter owns.

    Args:
        owned: The counter's own, as it changes.
        consumer: Returns the AIOKafkaConsumer; None before the first partition came and after the stop.
        in_hand: Whether fetched records are being counted at this moment.
    """

    def __init__(
        self,
        owned: Mapping[TopicPartition, Owned],
        consumer: Callable[[], Any],
        in_hand: Callable[[], bool],
        process: Process,
    ) -> None:
        self._owned = owned
        self._consumer = consumer
        self._in_hand = in_hand
        self._process = process
        self._held: dict[TopicPartition, tuple[Lag, int]] = {}
        """Lag and place of what is being loaded again: while Postgres is away it falls behind like all else."""
        self._stood: dict[TopicPartition, tuple[int, int]] = {}
        self._told: dict[TopicPartition, int] = {}
        self._told_all_at = 0.0
        self._under_way: asyncio.Task[None] | None = None
        self._refused_at: float | None = None

    async def run(self) -> None:
        """Look and tell for ever, once a second: what changed twice in between is told once."""
        while True:
            await self.look()
            self.tell()
            await asyncio.sleep(LOOK_SECONDS)

    def hold(self, partition: TopicPartition, owned: Owned | None) -> None:
        """Go on telling how far a partition is behind, though it is not owned until it is loaded again."""
        if owned is not None:
            self._held[partition] = owned.lag, owned.reached

    def forget(self) -> None:
        """Tell nothing more of any partition: from now on they may be somebody else's.

        A commit that still waits for the coordinator is given up. It would go out under the membership that is joined
        next, and move offsets that another counter tells.
        """
        if self._under_way is not None:
            self._under_way.cancel()
            self._under_way = None
        self._held.clear()
        self._stood.clear()
        self._told = {}
        self._refused_at = None
        LAG.clear()
        LAG_SECONDS.clear()

    async def look(self) -> None:
        """See how far each partition is counted, and set the gauges from what the last fetches told."""
        consumer = self._consumer()
        if consumer is None:  # the counter has stopped
            return
        for partition, (lag, reached) in list(self._held.items()):
            if partition in self._owned:
                del self._held[partition]
            elif partition in consumer.assignment() and (end := consumer.highwater(partition)) is not None:
                self._show(partition, lag, end, reached)
        for partition, owned in list(self._owned.items()):
            try:
                await self._see_reached(consumer, partition, owned)
                end = consumer.highwater(partition)
            except IllegalStateError:  # it is not ours any more
                continue
            if end is not None and self._owned.get(partition) is owned:
                self._show(partition, owned.lag, end, owned.reached, owned.position.newest_arrived / 1000)

    @staticmethod
    def _show(partition: TopicPartition, lag: Lag, end: int, reached: int, arrived: float = 0.0) -> None:
        LAG.labels(partition.partition).set(max(0, end - reached))
        LAG_SECONDS.labels(partition.partition).set(lag.look(end, reached, arrived, time.time()))

    async def _see_reached(self, consumer: Any, partition: TopicPartition, owned: Owned) -> None:
        """Note up to where nothing is left to count.

        The end of a transaction takes an offset and is no record. Behind the last record the consumer passes over it,
        and the counts never do. So the consumer's place stands for the counts' when nothing has moved since the last
        look and nothing is in hand.
        """
        place = int(await consumer.position(partition))
        stands = place, owned.position.next_offset
        at_rest = not self._in_hand() and owned.is_committed and self._stood.get(partition) == stands
        self._stood[partition] = stands
        if at_rest and not owned.is_replaying:
            owned.passed = place

    def tell(self) -> None:
        """Begin to tell Kafka what changed, unless it is still being told something, or has just refused."""
        now = time.monotonic()
        if self._under_way is not None and not self._under_way.done():
            return
        if self._refused_at is not None and now - self._refused_at < REFUSED_SECONDS:
            return
        if now - self._told_all_at > TELL_AGAIN_SECONDS:
            self._told, self._told_all_at = {}, now
        news = {
            partition: owned.reached
            for partition, owned in self._owned.items()
            if self._told.get(partition) != owned.reached
        }
        if news:
            self._under_way = self._process.spawn(self._commit(news, self._told), "tell Kafka the offsets")

    async def tell_last(self) -> None:
        """Tell where everything stands, within a bound: the counter stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                if self._under_way is not None:
                    await asyncio.wait([self._under_way])
                self.tell()
                if self._under_way is not None:
                    await asyncio.wait([self._under_way])

    async def _commit(self, offsets: dict[TopicPartition, int], told: dict[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._consumer().commit(offsets)
        except Exception as error:  # noqa: BLE001 - whatever it is, counting goes on without
            if self._refused_at is None:
                log.warning("Kafka does not take the offsets; who reads them there sees old ones", reason=repr(error))
            self._refused_at = time.monotonic()
        else:
            self._refused_at = None
            told.update(offsets)

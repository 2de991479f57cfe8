"""A fake Kafka for several collectors: the log of each partition, and producers that write to it."""

import asyncio
import time
from typing import Any, NamedTuple

from aiokafka.errors import KafkaConnectionError

PARTITIONS = 4


class Appended(NamedTuple):
    """What the broker answers: the fields of aiokafka's RecordMetadata that the publisher reads."""

    partition: int
    timestamp: int
    timestamp_type: int = 1


class Broker:
    """The state that all producers of a test share."""

    def __init__(self) -> None:
        self.is_up = True
        self.hold: asyncio.Event | None = None
        self.log: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
        self.sends = 0
        self.clock_ahead_seconds = 0.0

    @property
    def values(self) -> list[bytes]:
        return [value for values in self.log.values() for value in values]

    def add_partitions(self, partitions: int) -> None:
        self.log |= {number: [] for number in range(len(self.log), partitions)}


class Batch(list[bytes]):
    """Two values fill a batch."""

    def append(self, *, timestamp: None, key: None, value: bytes) -> object:  # type: ignore[override]
        if len(self) == 2:
            return None
        super().append(value)
        return self


class Client:
    """The metadata of a producer, which is also its cluster."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.cluster = self

    async def force_metadata_update(self) -> bool:
        return self._broker.is_up

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self._broker.log)


class Producer:
    """Implements what the publisher uses of AIOKafkaProducer."""

    broker: Broker

    def __init__(self, **options: Any) -> None:
        assert (options["acks"], options["enable_idempotence"]) == ("all", True)
        self.client = Client(self.broker)

    async def start(self) -> None:
        if not self.broker.is_up:
            raise KafkaConnectionError("down")

    async def stop(self) -> None:
        pass

    async def partitions_for(self, topic: str) -> set[int]:
        return set(self.broker.log)

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Appended]:
        self.broker.sends += 1
        future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        if not self.broker.is_up:
            future.set_exception(KafkaConnectionError("down"))
            return future
        if self.broker.hold is not None:
            await self.broker.hold.wait()
        self.broker.log[partition] += batch
        future.set_result(Appended(partition, int((time.time() + self.broker.clock_ahead_seconds) * 1000)))
        return future

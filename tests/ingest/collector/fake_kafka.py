"""A fake Kafka for several collectors: the log of each partition, and producers that write to it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaConnectionError

from shared.kafka.batch_producer import Appended

PARTITIONS = 4


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
    """Implements what the publisher uses of BatchProducer."""

    broker: Broker

    def __init__(self, *_: Any, **options: Any) -> None:
        self.client = Client(self.broker)

    async def start(self) -> int:
        if not self.broker.is_up:
            raise KafkaConnectionError("down")
        return len(self.broker.log)

    async def stop(self) -> None:
        pass

    async def send(self, values: Mapping[int, Sequence[bytes]]) -> list[Appended]:
        self.broker.sends += 1
        if not self.broker.is_up:
            raise KafkaConnectionError("down")
        if self.broker.hold is not None:
            await self.broker.hold.wait()
        for partition, those in values.items():
            self.broker.log[partition] += those
        now = int((time.time() + self.broker.clock_ahead_seconds) * 1000)
        return [Appended(partition, now) for partition in values]

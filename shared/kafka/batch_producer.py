"""A producer that writes a batch to all of its partitions with one request for each broker.

aiokafka's producer is made for single messages: a batch of 75 events for 12 partitions takes it a third of a
millisecond of processor time, mostly futures, tasks and generic encoding for each partition. Here a batch is encoded
at once, and the caller knows what became of it. Connections, metadata and record batches are aiokafka's.

Idempotent (`acks=all`): brokers drop a repetition of a record batch, and keep the order. Nothing is kept beyond a call:
after an error the outcome is unknown, and the producer must be replaced.
"""

import asyncio
import struct
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.protocol.types import Int32, Schema
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from shared.kafka.config import KafkaConfig

RETRY_SECONDS = 0.1
MAGIC = 2
"""The version of Kafka's record batches."""
SEQUENCES = 2**31
"""Sequence numbers of a partition begin again with 0 after this many records."""
NO_TIME = -1
_HEAD = struct.Struct(">hhiih")  # no transactional id, acks of all replicas, milliseconds, one topic, its length
_COUNT = struct.Struct(">i")
_PARTITION = struct.Struct(">ii")  # number, bytes of its record batch
_APPENDED = struct.Struct(">ihqqq")  # partition, error, offset, time of LogAppendTime, first offset of the log


class Appended(NamedTuple):
    """A record batch that a broker has."""

    partition: int
    appended_at: int | None
    """The broker's time in milliseconds; None if the topic has the producers' times, or if it was a repetition."""


class _ProduceResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 0
    API_VERSION = 7
    SCHEMA = Schema(("unused", Int32))

    @classmethod
    def decode(cls, data: BytesIO) -> list[tuple[int, int, int, int, int]]:
        """Return the fields of each partition of the one topic."""
        message = data.read()
        (name_bytes,) = struct.unpack_from(">h", message, _COUNT.size)
        begin = _COUNT.size + 2 + name_bytes
        (partitions,) = _COUNT.unpack_from(message, begin)
        begin += _COUNT.size
        return list(_APPENDED.iter_unpack(message[begin : begin + partitions * _APPENDED.size]))


class _ProduceRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 0
    API_VERSION = 7
    RESPONSE_TYPE = _ProduceResponse
    SCHEMA = Schema(("unused", Int32))

    def __init__(self, message: bytes) -> None:
        self._message = message

    def encode(self) -> bytes:
        """Return what was encoded already."""
        return self._message

    def __repr__(self) -> str:
        return f"produce {len(self._message)} bytes"


class _ProduceRequest(Request[_ProduceRequestStruct]):  # type: ignore[misc]
    """Version 7 of Kafka's Produce: Kafka 2.1 and newer."""

    API_KEY = 0

    def __init__(self, topic: bytes, milliseconds: int, batches: Mapping[int, bytes]) -> None:
        parts = [_HEAD.pack(-1, -1, milliseconds, 1, len(topic)), topic, _COUNT.pack(len(batches))]
        for partition, batch in batches.items():
            parts += (_PARTITION.pack(partition, len(batch)), batch)
        self._message = b"".join(parts)

    def build(self, request_struct_class: type[_ProduceRequestStruct]) -> _ProduceRequestStruct:
        return request_struct_class(self._message)


def sequence_after(sequence: int, records: int) -> int:
    """Return the sequence number of the record that follows a batch of a partition."""
    return (sequence + records) % SEQUENCES


class BatchProducer:
    """Writes batches to one topic, one after the other.

    Args:
        kafka: How to connect.
        topic: Its name.
        batch_bytes: Size limit of a record batch; the rest of a partition is sent after it.
        request_seconds: How long a broker may take for a request.
    """

    def __init__(self, kafka: KafkaConfig, topic: str, *, batch_bytes: int, request_seconds: float) -> None:
        self.client: Any = AIOKafkaClient(**kafka.client, request_timeout_ms=int(request_seconds * 1000))
        self._topic = topic
        self._topic_bytes = topic.encode()
        self._batch_bytes = batch_bytes
        self._request_seconds = request_seconds
        self._producer_id, self._epoch = -1, -1
        self._sequences: dict[int, int] = {}
        self._sending = asyncio.Lock()
        """Held for a call of `send`: the sequence numbers of a partition must arrive in their order."""
        self._is_usable = True
        """False while the outcome of a call is unknown, and after one that failed."""

    async def start(self) -> int:
        """Connect, and return the topic's number of partitions.

        Raises:
            KafkaError, OSError: Kafka is unavailable or denies it.
        """
        await self.client.bootstrap()
        await self.client.set_topics([self._topic])
        partitions = await self._partitions()
        await self._fetch_producer_id()
        return partitions

    async def _partitions(self) -> int:
        """Return the number of partitions: brokers do not know a new topic at once."""
        deadline = time.monotonic() + self._request_seconds
        while not (partitions := self.client.cluster.partitions_for_topic(self._topic)):
            if self._topic in self.client.cluster.unauthorized_topics:
                raise TopicAuthorizationFailedError(self._topic)
            if time.monotonic() > deadline:
                raise UnknownTopicOrPartitionError(self._topic)
            await asyncio.sleep(RETRY_SECONDS)
            await self.client.force_metadata_update()
        return len(partitions)

    async def _fetch_producer_id(self) -> None:
        """Fetch the id under which brokers recognise repetitions; a cluster that has just started needs a moment."""
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)
        while True:
            node = self.client.get_random_node()
            error: KafkaError = LeaderNotAvailableError("no broker is known yet")
            if node is not None:
                response = await self.client.send(node, request)
                if response.error_code == NoError.errno:
                    self._producer_id, self._epoch = response.producer_id, response.producer_epoch
                    return
                error = for_code(response.error_code)()
            await self._pause_if_retriable(error)

    async def stop(self) -> None:
        """Close the connections; what is being sent has an unknown outcome."""
        await self.client.close()

    async def send(self, values: Mapping[int, Sequence[bytes]]) -> list[Appended]:
        """Write the values of each partition in their order, and return when all replicas in sync have them.

        It tries as long as that may help: the caller must set a deadline. After an error or a cancellation some
        values may have been written, and every later call fails.

        Raises:
            KafkaError, OSError: they were not written, or it is unknown whether they were.
        """
        async with self._sending:
            if not self._is_usable:
                raise KafkaError("the outcome of a former batch is unknown")
            self._is_usable = False
            appended: list[Appended] = []
            rest = {partition: list(those) for partition, those in values.items() if those}
            while rest:
                batches, rest = self._encode(rest)
                await self._send_all(batches, appended)
            self._is_usable = True
        return appended

    def _encode(self, values: Mapping[int, list[bytes]]) -> tuple[dict[int, bytes], dict[int, list[bytes]]]:
        """Return a record batch for each partition, and the values that had no room in it."""
        now = time.time_ns() // 1_000_000
        batches, rest = {}, {}
        for partition, those in values.items():
            sequence = self._sequences.get(partition, 0)
            builder = DefaultRecordBatchBuilder(
                MAGIC, 0, False, self._producer_id, self._epoch, sequence, self._batch_bytes
            )
            records = 0
            for value in those:
                if builder.append(records, now, None, value, []) is None:
                    rest[partition] = those[records:]
                    break
                records += 1
            self._sequences[partition] = sequence_after(sequence, records)
            batches[partition] = bytes(builder.build())
        return batches, rest

    async def _send_all(self, batches: dict[int, bytes], appended: list[Appended]) -> None:
        """Send record batches until brokers have all of them."""
        while batches:
            by_leader: dict[int, dict[int, bytes]] = {}
            for partition, batch in batches.items():
                by_leader.setdefault(self._leader(partition), {})[partition] = batch
            requests = [self._send_to(leader, those) for leader, those in by_leader.items()]
            if len(requests) == 1:
                outcomes: Sequence[Any] = [await requests[0]]
            else:
                outcomes = await asyncio.gather(*requests)
            error = None
            for outcome in outcomes:
                if isinstance(outcome, KafkaError):
                    error = outcome
                    continue
                for partition, code, _, appended_at, _ in outcome:
                    if code in (NoError.errno, DuplicateSequenceNumber.errno):
                        del batches[partition]
                        appended.append(Appended(partition, None if appended_at == NO_TIME else appended_at))
                    else:
                        error = for_code(code)(f"{self._topic}-{partition}")
                        if not error.retriable:
                            raise error
            if error is not None:
                await self._pause_if_retriable(error)

    def _leader(self, partition: int) -> int:
        """Return the broker that leads a partition; -1 if none is known."""
        leader = self.client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        return -1 if leader is None else leader

    async def _send_to(self, leader: int, batches: Mapping[int, bytes]) -> Any:
        """Return the fields of each partition of a response, or why there is none."""
        if leader == -1:
            return LeaderNotAvailableError(self._topic)
        request = _ProduceRequest(self._topic_bytes, int(self._request_seconds * 1000), batches)
        try:
            return await self.client.send(leader, request)
        except KafkaError as error:
            return error

    async def _pause_if_retriable(self, error: KafkaError) -> None:
        if not error.retriable:
            raise error
        await asyncio.sleep(RETRY_SECONDS)
        if error.invalid_metadata:
            await self.client.force_metadata_update()

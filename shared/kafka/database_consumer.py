"""Single-record consumers that follow the database which they fill, and not the offsets of their group in Kafka.

How far a topic is applied is stored in that database, in the transaction that applies a record, or after it where
applying it again is harmless. A restored database is followed from its own offset; a log that is not the one that was
read (created again, or with a lost tail) is read from its beginning: records are recognised by their version or id.

The group only distributes the partitions, and its offsets show the lag to Kafka's tools. As for counting
(services/stats/counting/consumer.py), partitions are paused and moved before the first await of a rebalance, and loaded
in a task.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.consumer_offsets import ConsumerOffsets, LogPosition, PositionMoved
from shared.kafka.adjusted_fetches import adjust_fetches, asks_for_all
from shared.kafka.config import READ_COMMITTED, SESSION_TIMEOUT_MS
from shared.kafka.last_record import connect_to_leader, current_connection, record_checksum
from shared.kafka.producer import KAFKA_ERRORS
from shared.kafka.topic_identity import read_identity, read_topic
from shared.logs import log
from shared.metrics import DEAD_LETTERS
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import Outage
from shared.role import Process
from shared.tracing import record_failure

CHECK_SECONDS = 10.0
"""From one comparison of the positions with the database and with Kafka to the next."""
IDLE_FETCH_MS = 5_000
"""How long a broker lets a fetch without records wait. Most of these topics are idle most of the time."""
SHORT_FETCH_MS = 100
"""The same while positions are loaded, as a fetch that waits delays other requests on its connection; and of a fetch
without the partition whose record is being applied, as it delays the next record there."""

Transaction = Callable[[], AbstractAsyncContextManager[Connection]]
"""Begins a transaction in which a record is applied; at its end the record's offset is stored in it."""
Apply = Callable[[Transaction, ConsumerRecord], Awaitable[None]]
"""Applies a record. It must be harmless to repeat, and retries while a dependency is unavailable. If it begins no
transaction, the offset is stored after it returned."""


def transactions(pool: asyncpg.Pool) -> Transaction:
    """Return plain transactions, which store no offset."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[Connection]:
        async with pool.acquire() as connection, connection.transaction():
            yield connection

    return begin


@dataclass
class _FollowedPartition:
    position: LogPosition
    read_next: int
    """Where to read on: at the record before the position, if it must be verified."""
    connection: Any
    """Through which the log was compared with the position."""
    is_verified: bool
    """Whether the record before the position was seen, and is the one that was applied."""


class DatabaseConsumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Applies the records of a topic, one after the other, each exactly at the offset that the database has.

    FastStream logs what a handler raises and continues with the next record. Here that stops the process, and no later
    record is applied.

    Args:
        broker: Runs it.
        pool: Of the database that the records fill.
        offsets: Where the positions are stored in it.
        group: The consumer group that distributes the partitions.
        apply: Applies a record.
        process: Stopped by a record that cannot be processed.
    """

    def __init__(
        self,
        broker: KafkaBroker,
        pool: asyncpg.Pool,
        offsets: ConsumerOffsets,
        group: str,
        apply: Apply,
        *,
        process: Process,
    ) -> None:
        self._pool = pool
        self._offsets = offsets
        self._apply = apply
        self._process = process
        self._followed: dict[TopicPartition, _FollowedPartition] = {}
        self._loading: set[TopicPartition] = set()
        self._assignment = 0
        self._applying = asyncio.Lock()
        self._has_failed = False
        self._waiting_reason: str | None = None
        DEAD_LETTERS.labels(offsets.topic)  # 0 from the start: an alert cannot see a series begin
        self._subscriber = broker.subscriber(
            offsets.topic,
            group_id=group,
            auto_offset_reset="none",
            ack_policy=AckPolicy.MANUAL,
            parser=parse_record,
            decoder=_raw_value,
            isolation_level=READ_COMMITTED,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 2,
            fetch_max_wait_ms=SHORT_FETCH_MS,
            listener=self,
        )
        self._subscriber(self._on_message)
        self._patient: Any = None
        """The consumer whose fetches wait for long when it is idle."""

    @property
    def _consumer(self) -> Any:
        return self._subscriber.consumer  # FastStream sets it before any callback, and to None when the broker stops

    def not_ready(self) -> list[str]:
        """Return why the database cannot be brought up to date now, for `/readyz`."""
        return [self._waiting_reason] if self._waiting_reason else []

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Forget all positions: from now on another member may apply these partitions."""
        self._assignment += 1
        self._followed.clear()
        self._loading.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause the new partitions before the first await: aiokafka already fetches for them."""
        self._pause_and_load(assigned)

    def _pause_and_load(self, partitions: Collection[TopicPartition]) -> None:
        consumer = self._consumer
        if not partitions or consumer is None:
            return
        if consumer is not self._patient:
            self._patient = consumer
            adjust_fetches(consumer, self._let_wait)
        consumer.pause(*partitions)
        for partition in partitions:
            self._followed.pop(partition, None)
            self._loading.add(partition)
            consumer.seek(partition, 0)  # any valid offset: aiokafka must not ask Kafka for a committed one
        self._process.spawn(self._load(consumer, list(partitions), self._assignment), "load positions")

    async def _load(self, consumer: Any, partitions: list[TopicPartition], assignment: int) -> None:
        outage = Outage(f"read the positions in {self._offsets.topic}", self._set_waiting_reason)
        while True:
            try:
                loaded = await self._read_positions(consumer, partitions)
                break
            except (*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS) as error:
                if assignment != self._assignment:
                    return
                outage.failed(error)
                await outage.pause()
        if assignment != self._assignment:
            return  # another assignment came meanwhile, and with it another load
        outage.ended()
        for partition, followed in loaded.items():
            self._followed[partition] = followed
            self._loading.discard(partition)
            consumer.seek(partition, followed.read_next)
            consumer.resume(partition)

    def _let_wait(self, request: Any) -> None:
        if not self._loading and asks_for_all(self._patient, request):
            request._max_wait_ms = IDLE_FETCH_MS  # noqa: SLF001 - it has no public attribute

    def _set_waiting_reason(self, reason: str | None) -> None:
        self._waiting_reason = f"{self._offsets.topic} cannot be followed: {reason}" if reason else None

    async def _read_positions(
        self, consumer: Any, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, _FollowedPartition]:
        # First the connections, then the comparison: another connection may lead to another log.
        connections = {one: await connect_to_leader(consumer, one) for one in partitions}
        identity = await read_identity(consumer._client, self._offsets.topic)  # noqa: SLF001 - it has no public attribute
        stored = await self._offsets.read(self._pool)  # before the ends: the log only grows
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        positions, restarted = {}, {}
        for one in partitions:
            position = stored.get(one.partition)
            if position is not None:
                reason = _mismatch(position, identity, ends[one])
                if reason is not None:
                    log.warning(
                        "the log is not the one that was applied; it is read from its beginning",
                        topic=one.topic,
                        partition=one.partition,
                        reason=reason,
                    )
                    position = None
            if position is None:
                position = restarted[one.partition] = LogPosition(identity, beginnings[one])
            positions[one] = position
        await self._offsets.reset(self._pool, restarted)
        return {one: _followed(position, beginnings[one], connections[one]) for one, position in positions.items()}

    async def _restart(self, partition: TopicPartition, followed: _FollowedPartition) -> None:
        """Read the log from its beginning: the record before the position is not there, or is another one."""
        log.warning(
            "the last applied record is not in the log; it is read from its beginning",
            topic=partition.topic,
            partition=partition.partition,
            offset=followed.position.next_offset - 1,
        )
        beginning = (await self._consumer.beginning_offsets([partition]))[partition]
        restart = LogPosition(followed.position.identity, beginning)
        await self._offsets.advance(self._pool, partition.partition, followed.position, restart)
        self._pause_and_load([partition])

    async def _on_message(self, message: KafkaMessage) -> None:
        record: Any = message.raw_message
        partition = TopicPartition(record.topic, record.partition)
        async with self._applying:
            followed = self._followed.get(partition)
            if self._has_failed or followed is None or not await self._is_current(partition, record):
                return
            try:
                is_applied = await self._on_record(partition, followed, record)
            except PositionMoved as error:
                log.warning("the stored position has moved; reading it again", reason=str(error))
                self._reload(partition, followed)
                return
            except (*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS) as error:
                log.warning("the outcome is unknown; reading the position again", reason=repr(error))
                self._reload(partition, followed)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the record was not processed
                self._fail(record, error)
                return
        if is_applied:
            await self._report_offset(message)

    def _fail(self, record: ConsumerRecord, error: Exception) -> None:
        self._has_failed = True
        record_failure(error)
        log.error("record failed", topic=record.topic, exc_info=error)
        self._process.fail(f"a record of {record.topic}: {error!r}")

    async def _report_offset(self, message: KafkaMessage) -> None:
        """Commit the offset to the group, so that Kafka's tools show the lag. Nothing is read from there."""
        try:
            await message.ack()
        except KafkaError as error:  # the partition moved to another member
            log.warning("acknowledgement rejected", topic=self._offsets.topic, reason=repr(error))

    async def _is_current(self, partition: TopicPartition, record: ConsumerRecord) -> bool:
        """Return whether the consumer's position is still after the record: it may have been fetched before a seek."""
        try:
            return int(await self._consumer.position(partition)) > int(record.offset)
        except IllegalStateError:  # it is no longer assigned
            return False

    async def _on_record(self, partition: TopicPartition, followed: _FollowedPartition, record: ConsumerRecord) -> bool:
        """Apply a record, and return whether it was new."""
        if followed.connection is not current_connection(self._consumer, partition):
            self._reload(partition, followed)
            return False
        before = followed.position
        checksum = record_checksum(record.timestamp, record.value)
        if not followed.is_verified:
            if (record.offset, checksum) != (before.next_offset - 1, before.last_record):
                await self._restart(partition, followed)
                return False
            followed.is_verified = True
        if record.offset < before.next_offset:
            return False
        after = LogPosition(before.identity, record.offset + 1, checksum)

        @asynccontextmanager
        async def begin() -> AsyncIterator[Connection]:
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection
                await self._offsets.advance(connection, partition.partition, before, after)
            followed.position = after

        await self._apply(begin, record)
        if followed.position is not after:
            async with begin():
                pass
        return True

    def _reload(self, partition: TopicPartition, followed: _FollowedPartition) -> None:
        if self._followed.get(partition) is followed:  # otherwise it was revoked meanwhile
            self._pause_and_load([partition])

    async def watch(self) -> None:
        """Compare the positions with the database and with Kafka, until cancelled: either may be restored."""
        outage = Outage(f"compare the positions in {self._offsets.topic}")
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._compare()
                outage.ended()
            except (*POSTGRES_UNAVAILABLE, *KAFKA_ERRORS) as error:
                outage.failed(error)

    async def _compare(self) -> None:
        async with self._applying:
            consumer, followed = self._consumer, dict(self._followed)
            if consumer is None:
                return
            client = consumer._client  # noqa: SLF001 - it has no public attribute
            if not followed:  # perhaps there is no such topic yet
                client.force_metadata_update()
                return
            identity, partitions = await read_topic(client, self._offsets.topic)
            if client.cluster.partitions_for_topic(self._offsets.topic) != set(partitions):
                client.force_metadata_update()
            stored = await self._offsets.read(self._pool)
            for partition, one in followed.items():
                if (
                    one.position.identity != identity
                    or stored.get(partition.partition) != one.position
                    or one.connection is not current_connection(consumer, partition)
                ):
                    self._reload(partition, one)


def _followed(position: LogPosition, beginning: int, connection: Any) -> _FollowedPartition:
    if position.last_record is None or position.next_offset <= beginning:
        return _FollowedPartition(position, max(position.next_offset, beginning), connection, is_verified=True)
    return _FollowedPartition(position, position.next_offset - 1, connection, is_verified=False)


def _mismatch(position: LogPosition, identity: Any, end: int) -> str | None:
    if position.identity != identity:
        was = position.identity
        return f"topic {identity.topic_id} of cluster {identity.cluster}, not {was.topic_id} of {was.cluster}"
    if position.next_offset > end:
        return f"it ends at offset {end}, before {position.next_offset}"
    return None


async def parse_record(
    record: ConsumerRecord, parse: Callable[[ConsumerRecord], Awaitable[KafkaMessage]]
) -> KafkaMessage:
    """Parse a record as FastStream does, without binary headers: it would log an error and skip the record."""
    message = await parse(replace(record, headers=tuple(one for one in record.headers if _is_text(one[1]))))
    message.raw_message = record
    return message


def _is_text(value: bytes | None) -> bool:
    if value is None:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _raw_value(message: KafkaMessage) -> bytes | None:
    record: Any = message.raw_message
    return record.value  # type: ignore[no-any-return]

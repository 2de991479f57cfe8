"""Reads ranges of a topic's records, without a consumer group."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from shared.kafka.config import READ_COMMITTED, KafkaConfig
from shared.logs import log

START_SECONDS = 30.0
STOP_SECONDS = 3.0
SILENCE_SECONDS = 15.0
"""A broker that has records and sends none for this time is taken to be unavailable."""
POLL_MS = 50
"""How long to wait for records: none come where only ends of transactions are, which take offsets."""
FETCH_WAIT_MS = 20
"""A fetch at the end of a partition holds back the next one from the same broker for so long. What was read is paused:
at its end it would be fetched again and again."""
FETCH_RECORDS = 20_000
PARTITION_FETCH_BYTES = 8 * 1024 * 1024


@asynccontextmanager
async def log_reader(
    kafka: KafkaConfig, partition_fetch_bytes: int = PARTITION_FETCH_BYTES
) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer without a group, which commits nothing.

    Args:
        kafka: How to connect.
        partition_fetch_bytes: Fetched bytes that may wait in memory for each partition.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    consumer = AIOKafkaConsumer(
        **kafka.client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=READ_COMMITTED,
        max_partition_fetch_bytes=partition_fetch_bytes,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        yield consumer
    finally:
        await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer within a bound, in a task of its own.

    After a broken connection its `stop` raises the CancelledError of one of its tasks: that would end the caller.
    """
    stopping = asyncio.create_task(consumer.stop())
    done, _ = await asyncio.wait([stopping], timeout=STOP_SECONDS)
    if not done:
        stopping.cancel()
    elif not stopping.cancelled() and (error := stopping.exception()):
        log.warning("consumer did not stop in order", reason=repr(error))


async def read_range(
    reader: AIOKafkaConsumer, partition: TopicPartition, begin: int, end: int
) -> AsyncIterator[list[ConsumerRecord]]:
    """Yield the records of a partition from offset `begin` to before `end`, in order, in lists.

    Raises:
        KafkaError: `begin` is not in the log (any more), or the broker sends nothing.
    """
    if begin >= end:
        return
    reader.assign([partition])
    reader.seek(partition, begin)
    position, moved_at = begin, time.monotonic()
    while position < end:
        fetched = await reader.getmany(partition, timeout_ms=POLL_MS, max_records=FETCH_RECORDS)
        if records := [record for record in fetched.get(partition, []) if record.offset < end]:
            yield records
        before, position = position, await reader.position(partition)
        if position != before:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > SILENCE_SECONDS:
            raise TimeoutError(f"{partition.topic}-{partition.partition}: no records from offset {before} on")
    reader.pause(partition)

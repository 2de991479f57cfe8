"""Sends adjustments to `counter-adjustments` again that Postgres has and the topic has lost.

Their ids stay, so the counters take none twice.
"""

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from services.stats.admin.verify.adjustments import READ_ADJUSTMENTS
from shared.cli import CommandError
from shared.events import Adjustment, ExcludedGroup
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader, read_range
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.kafka.topic_identity import read_topic
from shared.postgres import Connection
from shared.retry import retry_until_done
from shared.topics import COUNTER_ADJUSTMENTS


async def send_lost_adjustments(connection: Connection, kafka: KafkaConfig) -> int:
    """Send the adjustments that the topic does not have, and return how many.

    Raises:
        CommandError: the topic does not exist.
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    lost = await find_lost_adjustments(connection, kafka)
    if not lost:
        return 0
    producer = Producer(kafka)
    producer.start()
    try:
        for row in lost:
            fields = {name: row[name] for name in ("id", "site", "measure", "amount", "who", "why")}
            at = int(row["created_at"].timestamp() * 1000)
            group = [row[name] for name in ("excluded_agent", "excluded_from", "excluded_to")]
            excluded = None if group[0] is None else ExcludedGroup(agent=group[0], begin=group[1], end=group[2])
            adjustment = Adjustment(article=row["article"] or None, at=at, excluded=excluded, **fields)
            value = msgspec.json.encode(adjustment)
            await _send(producer, row["id"], value)
    finally:
        await producer.stop()
    print(f"{len(lost):,} adjustments that {COUNTER_ADJUSTMENTS.name} had lost were sent again")
    return len(lost)


async def find_lost_adjustments(connection: Connection, kafka: KafkaConfig) -> list[asyncpg.Record]:
    """Return the rows of the adjustments that the topic does not have.

    Raises:
        CommandError: the topic does not exist.
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    async with log_reader(kafka) as reader:
        known = await _read_ids(reader)
    return [row for row in await connection.fetch(READ_ADJUSTMENTS) if row["id"] not in known]


async def _send(producer: Producer, key: str, value: bytes) -> None:
    await retry_until_done(
        lambda: producer.send(COUNTER_ADJUSTMENTS.name, value, key=key.encode()),
        on=KafkaUnavailable,
        what="send an adjustment",
    )


async def _read_ids(reader: AIOKafkaConsumer) -> set[str]:
    topic = COUNTER_ADJUSTMENTS.name
    try:
        _, numbers = await read_topic(reader._client, topic)  # noqa: SLF001 - there is no public attribute
    except UnknownTopicOrPartitionError as error:
        raise CommandError(
            f"{topic} does not exist: create it with `presstally topics`, then run "
            "`presstally stats adjust --send-again`"
        ) from error
    partitions = [TopicPartition(topic, number) for number in numbers]
    begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    return {
        (record.key or b"").decode("utf-8", "replace")
        for partition in partitions
        async for records in read_range(reader, partition, begins[partition], ends[partition])
        for record in records
        if record.value is not None
    }

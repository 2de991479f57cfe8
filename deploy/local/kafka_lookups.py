"""What the doctor asks Kafka."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from shared.kafka.config import READ_COMMITTED, KafkaConfig


async def unread_partitions(kafka: KafkaConfig, topics: Iterable[str]) -> dict[str, list[int]]:
    """Return the partitions of topics that no member of any consumer group is assigned to, by topic.

    Raises:
        KafkaError: Kafka is unavailable.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=3_000)
    try:
        await admin.start()
        described = await admin.describe_topics(list(topics))
        groups = [name for name, *_ in await admin.list_consumer_groups()]
        # One at a time: aiokafka cannot read an answer about several groups.
        answers = [answer for name in groups for answer in await admin.describe_consumer_groups([name])]
    finally:
        await admin.close()
    members = [member for answer in answers for group in answer.to_object()["groups"] for member in group["members"]]
    assignments = [member["member_assignment"] for member in members]
    read = {
        (one.topic, one.partition)
        for assignment in assignments
        if assignment  # a member that is joining has none
        for one in ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    }
    unread = {
        one["topic"]: sorted(
            number for part in one["partitions"] if (one["topic"], number := part["partition"]) not in read
        )
        for one in described
    }
    return {topic: numbers for topic, numbers in unread.items() if numbers}


def describe_numbers(numbers: list[int]) -> str:
    """Return partitions as words: "partitions 0-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"{'partitions' if len(numbers) > 1 else 'partition'} {', '.join(texts)}"


@asynccontextmanager
async def open_consumer(kafka: KafkaConfig) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer of no group.

    Raises:
        KafkaError: Kafka is unavailable.
    """
    consumer = AIOKafkaConsumer(**kafka.client, group_id=None, isolation_level=READ_COMMITTED, request_timeout_ms=3_000)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def read_partitions(kafka: KafkaConfig, topics: list[str]) -> dict[str, list[TopicPartition]]:
    """Return the partitions of topics, by topic.

    Raises:
        KafkaError: Kafka is unavailable.
    """
    admin = AIOKafkaAdminClient(**kafka.client, request_timeout_ms=3_000)
    try:
        await admin.start()
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    return {
        one["topic"]: [TopicPartition(one["topic"], part["partition"]) for part in one["partitions"]]
        for one in described
    }

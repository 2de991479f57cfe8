"""The number of dead letters of each topic: all records in its dead-letter topic, from any sender."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.metrics import DEAD_LETTERS_DEPTH
from shared.kafka.config import KafkaConfig
from shared.kafka.connection import describe_error
from shared.kafka.log_reader import log_reader
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable
from shared.retry import Outage
from shared.topics import TOPICS, Topic

POLL_SECONDS = 15.0
TIMEOUT_SECONDS = 10.0


async def run_depth_metrics(kafka: KafkaConfig) -> None:
    """Poll until cancelled. While Kafka is unavailable there are no gauges: a gap is better than an old value."""
    outage = Outage("count dead letters")
    while True:
        try:
            async with log_reader(kafka) as reader:
                while True:
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        found = await depths(reader)
                    for topic, records in found.items():
                        DEAD_LETTERS_DEPTH.labels(topic.name).set(records)
                    outage.ended()
                    await asyncio.sleep(POLL_SECONDS)
        except KAFKA_ERRORS as error:
            DEAD_LETTERS_DEPTH.clear()
            outage.failed(KafkaUnavailable(await describe_error(kafka, error)))
            await asyncio.sleep(POLL_SECONDS)


async def depths(reader: AIOKafkaConsumer) -> dict[Topic, int]:
    """Return how many records are in the dead-letter topic of each topic; topics without one are left out.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    cluster = await reader._client.fetch_all_metadata()  # noqa: SLF001 - there is no public method
    partitions = {
        topic: [TopicPartition(topic.dead_letters, number) for number in numbers]
        for topic in TOPICS
        if (numbers := cluster.partitions_for_topic(topic.dead_letters))
    }
    all_partitions = [one for of_topic in partitions.values() for one in of_topic]
    begins, ends = await reader.beginning_offsets(all_partitions), await reader.end_offsets(all_partitions)
    return {topic: sum(ends[one] - begins[one] for one in of_topic) for topic, of_topic in partitions.items()}

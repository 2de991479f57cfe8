"""The number of dead letters of each topic that its dead-letter topic still holds."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.log_reader import log_reader
from services.stats.metrics import DEAD_LETTERS_DEPTH
from shared.kafka.connection import KafkaConfig
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable
from shared.retry import Outage
from shared.topics import TOPICS, Topic

LOOK_SECONDS = 15.0
ANSWER_SECONDS = 10.0


async def watch_depth(kafka: KafkaConfig) -> None:
    """Poll until cancelled. While Kafka is unavailable the gauge has no value, which shows as a gap in graphs."""
    outage = Outage("count dead letters")
    while True:
        try:
            async with log_reader(kafka) as reader:
                while True:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        found = await depths(reader)
                    for topic, letters in found.items():
                        DEAD_LETTERS_DEPTH.labels(topic.name).set(letters)
                    outage.ended()
                    await asyncio.sleep(LOOK_SECONDS)
        except KAFKA_ERRORS as error:
            DEAD_LETTERS_DEPTH.clear()
            outage.failed(KafkaUnavailable(await kafka.describe_error(error)))
            await asyncio.sleep(LOOK_SECONDS)


async def depths(reader: AIOKafkaConsumer) -> dict[Topic, int]:
    """Return how many records the dead-letter topic of each topic holds; topics without one are left out.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka does not tell.
    """
    cluster = await reader._client.fetch_all_metadata()  # noqa: SLF001 - it has no other door
    places = {
        topic: [TopicPartition(topic.dead_letters, number) for number in numbers]
        for topic in TOPICS
        if (numbers := cluster.partitions_for_topic(topic.dead_letters))
    }
    every = [place for of_topic in places.values() for place in of_topic]
    begins, ends = await reader.beginning_offsets(every), await reader.end_offsets(every)
    return {topic: sum(ends[place] - begins[place] for place in of_topic) for topic, of_topic in places.items()}

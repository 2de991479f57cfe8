"""Checks a service's topics while it runs: warnings for its readiness, and a metric."""

import asyncio
from collections.abc import Sequence

from shared.kafka.config import KafkaConfig
from shared.kafka.producer import KAFKA_ERRORS
from shared.logs import log
from shared.metrics import TOPIC_DEVIATIONS
from shared.retry import Outage
from shared.topic_check import PROPERTIES, Deviation, WantedTopic, check_topics, topic_client

POLL_SECONDS = 30.0
TIMEOUT_SECONDS = 15.0


class TopicWatch:
    """Watches topics.

    Args:
        kafka: How to connect.
        wanted: The topics, and what they must be.
    """

    def __init__(self, kafka: KafkaConfig, wanted: Sequence[WantedTopic]) -> None:
        self._kafka = kafka
        self._wanted = wanted
        self._deviations: list[Deviation] = []

    def warnings(self) -> list[str]:
        """Return how the topics differed at the last check, as messages."""
        return [str(one) for one in self._deviations]

    async def run(self) -> None:
        """Check at once and then every half minute, until cancelled. Without Kafka the last result stays."""
        outage = Outage("check the topics")
        while True:
            try:
                async with topic_client(self._kafka) as client:
                    while True:
                        async with asyncio.timeout(TIMEOUT_SECONDS):
                            self._report(await check_topics(client, self._wanted))
                        outage.ended()
                        await asyncio.sleep(POLL_SECONDS)
            except KAFKA_ERRORS as error:
                outage.failed(error)
                await outage.pause()

    def _report(self, deviations: list[Deviation]) -> None:
        for one in deviations:
            if one not in self._deviations:
                log.warning("a topic is not as it must be", topic=one.topic, property=one.name, reason=str(one))
        for one in self._deviations:
            if one not in deviations:
                log.info("a topic has changed", topic=one.topic, property=one.name)
        self._deviations = deviations
        differing = {(one.topic, one.name) for one in deviations}
        for topic in self._wanted:
            for name in (*PROPERTIES, *topic.config):
                TOPIC_DEVIATIONS.labels(topic.name, name).set((topic.name, name) in differing)

"""How far back the log of page views reaches: what Kafka deletes for its size is gone before its time.

A counter that is not far behind loses nothing by it, so no count shows it; but `verify` and `rebuild` see less, and a
counter that was stopped, or a database that is restored, must be back sooner than in the time that operators rely on.
"""

import asyncio
import math
import time
from typing import Any

from aiokafka import TopicPartition

from services.stats.metrics import LOG_SPAN_SECONDS
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader
from shared.kafka.producer import KAFKA_ERRORS
from shared.kafka.topic_config import read_config
from shared.retry import Outage
from shared.topic_check import UNLIMITED
from shared.topics import DAY_MS, PAGE_VIEWS, RETENTION

POLL_SECONDS = 60.0
TIMEOUT_SECONDS = 15.0
EVENT_BYTES = 240
"""Of a page view in Kafka."""
SLACK_SECONDS = 86_400.0
"""Kafka deletes whole segments: the first record left is younger than the last one deleted."""


class LogSpanWatch:
    """Measures the span of `page-views`, and warns if it is shortened by size."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._warning: str | None = None
        LOG_SPAN_SECONDS.set(0)

    def warnings(self) -> list[str]:
        """Return what was found at the last poll, as a message."""
        return [self._warning] if self._warning else []

    async def run(self) -> None:
        """Measure once a minute, until cancelled."""
        outage = Outage("measure the span of the log")
        while True:
            try:
                async with log_reader(self._kafka) as reader:
                    while True:
                        async with asyncio.timeout(TIMEOUT_SECONDS):
                            seconds = await cut_span_seconds(reader)
                        self._report(seconds)
                        outage.ended()
                        await asyncio.sleep(POLL_SECONDS)
            except KAFKA_ERRORS as error:
                outage.failed(error)
                await outage.pause()

    def _report(self, seconds: float | None) -> None:
        LOG_SPAN_SECONDS.set(seconds or 0)
        days = int(PAGE_VIEWS.config[RETENTION]) // DAY_MS
        self._warning = (
            f"topic {PAGE_VIEWS.name}: Kafka deletes views for their size and keeps those of {seconds / 86_400:.1f} "
            f"days instead of {days}, so `verify`, `rebuild` and a restored database lack the others; raise "
            "retention.bytes, see docs/retention.md"
            if seconds is not None
            else None
        )


async def cut_span_seconds(reader: Any) -> float | None:
    """Return for how many seconds the log reaches back where Kafka deletes by size; None if it does so nowhere.

    Kafka does not say why it deleted a record. It was for the size if the log is about as large as it may be, and
    its first record is younger than the retention time.

    Args:
        reader: An AIOKafkaConsumer.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
    """
    config = await read_config(reader._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
    if config is None or config["retention.bytes"] == UNLIMITED:
        return None
    cluster = await reader._client.fetch_all_metadata()  # noqa: SLF001 - there is no public method
    places = [TopicPartition(PAGE_VIEWS.name, number) for number in cluster.partitions_for_topic(PAGE_VIEWS.name) or ()]
    beginnings, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
    records_min = int(config["retention.bytes"]) / EVENT_BYTES / 2
    cut = {place: 0 for place in places if beginnings[place] and ends[place] - beginnings[place] >= records_min}
    first = await reader.offsets_for_times(cut) if cut else {}
    spans = [time.time() - found.timestamp / 1000 for found in first.values() if found is not None]
    asked = int(config[RETENTION]) / 1000 if config[RETENTION] != UNLIMITED else math.inf
    return min((seconds for seconds in spans if seconds < asked - SLACK_SECONDS), default=None)

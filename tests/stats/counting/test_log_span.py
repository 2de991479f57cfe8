"""How far back the log reaches where Kafka deletes by size."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.stats.counting import log_span
from services.stats.counting.log_span import LogSpanWatch, cut_span_seconds
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader
from shared.kafka.topic_config import alter_config
from shared.topic_check import topic_client
from shared.topics import create_topics

DAY = 86_400
PLACE = TopicPartition("page-views", 0)


def reader(beginning: int, end: int, age_seconds: float) -> Any:
    """Return a reader of a partition whose first record is so old."""

    async def beginning_offsets(_: Any) -> Any:
        return {PLACE: beginning}

    async def end_offsets(_: Any) -> Any:
        return {PLACE: end}

    async def offsets_for_times(_: Any) -> Any:
        return {PLACE: SimpleNamespace(offset=beginning, timestamp=int((time.time() - age_seconds) * 1000))}

    async def fetch_all_metadata() -> Any:
        return SimpleNamespace(partitions_for_topic=lambda _: {0})

    async def send(*_: Any) -> Any:
        entries = [("retention.bytes", str(3 * 1024**3)), ("retention.ms", str(7 * DAY * 1000))]
        return SimpleNamespace(resources=[(0, "", 2, "page-views", entries)])

    client = SimpleNamespace(fetch_all_metadata=fetch_all_metadata, send=send, get_random_node=lambda: 1)
    return SimpleNamespace(
        _client=client,
        beginning_offsets=beginning_offsets,
        end_offsets=end_offsets,
        offsets_for_times=offsets_for_times,
    )


@pytest.mark.parametrize(
    ("beginning", "end", "age_days", "is_cut"),
    [
        (0, 13_000_000, 2, False),  # nothing was deleted yet
        (5_000_000, 18_000_000, 2, True),
        (5_000_000, 18_000_000, 6.5, False),  # by age, with its segment
        (5_000_000, 5_900_000, 2, False),  # small: nobody came for days
    ],
)
async def test_span_is_cut_where_a_large_log_is_young(beginning: int, end: int, age_days: float, is_cut: bool) -> None:
    """Records that are gone before their time were deleted for their size if the log is about as large as it may be."""
    seconds = await cut_span_seconds(reader(beginning, end, age_days * DAY))
    assert (seconds is not None) is is_cut
    assert seconds is None or abs(seconds - age_days * DAY) < 60


async def test_cut_log_of_a_real_broker_is_a_warning(broker_alone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of which Kafka has deleted the beginning, and which is as large as it may be, has a warning; then not."""
    monkeypatch.setattr(log_span, "POLL_SECONDS", 0.1)
    kafka = KafkaConfig(broker_alone)
    await create_topics(kafka, 2, 1)
    span = LogSpanWatch(kafka)
    task = asyncio.create_task(span.run())
    async with AIOKafkaProducer(bootstrap_servers=broker_alone) as producer:
        for _ in range(50):
            await producer.send_and_wait("page-views", b"{}", partition=0)
    async with log_reader(kafka) as one, topic_client(kafka) as client:
        assert await cut_span_seconds(one) is None
        admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
        await admin.start()
        end = (await one.end_offsets([PLACE]))[PLACE]
        await admin.delete_records({PLACE: RecordsToDelete(before_offset=end - 20)})
        await admin.close()
        await alter_config(client, "page-views", {"retention.bytes": "1000"})
        async with asyncio.timeout(20):
            while not span.warnings():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
            assert "keeps those of 0.0 days instead of 7" in span.warnings()[0]
            await alter_config(client, "page-views", {"retention.bytes": str(3 * 1024**3)})
            while span.warnings():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])

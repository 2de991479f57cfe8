"""What a running service reports about its topics, on a real Kafka."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared import topic_watch
from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import alter_config
from shared.topic_check import WantedTopic, topic_client
from shared.topic_watch import TopicWatch


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the watch has no event
            await asyncio.sleep(0.02)


async def test_watch_warns_while_a_topic_is_not_as_it_must_be(
    broker_alone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed property is a warning, a metric and one line of the log until it is mended."""
    monkeypatch.setattr(topic_watch, "POLL_SECONDS", 0.1)
    name, kafka = f"watched-{uuid.uuid4().hex[:8]}", KafkaConfig(broker_alone)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    await admin.close()
    wanted = WantedTopic(name, {"cleanup.policy": "compact"}, 1, consequences={"cleanup.policy": "articles are lost"})
    watch = TopicWatch(kafka, [wanted])

    def gauge() -> float | None:
        labels = {"topic": name, "property": "cleanup.policy"}
        return REGISTRY.get_sample_value("presstally_topic_deviations", labels)

    with capture_logs() as lines:
        task = asyncio.create_task(watch.run())
        await until(lambda: gauge() == 0)
        assert watch.warnings() == []
        async with topic_client(kafka) as client:
            await alter_config(client, name, {"cleanup.policy": "delete"})
            await until(watch.warnings)
            await asyncio.sleep(0.3)
            assert gauge() == 1
            (warning,) = watch.warnings()
            assert warning.startswith(f"topic {name}: cleanup.policy is delete instead of compact: articles are lost")
            await alter_config(client, name, {"cleanup.policy": "compact"})
        await until(lambda: not watch.warnings())
        assert gauge() == 0
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in lines] == ["a topic is not as it must be", "a topic has changed"]


async def test_watch_keeps_trying_without_kafka() -> None:
    """Without Kafka there is no warning of this kind, and no failure."""
    watch = TopicWatch(KafkaConfig("127.0.0.1:1"), [WantedTopic("a", {}, 1)])
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.5)
    assert (task.done(), watch.warnings()) == (False, [])
    task.cancel()
    await asyncio.wait([task])

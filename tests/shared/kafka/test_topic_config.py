"""The properties of topics, on a real Kafka."""

import asyncio
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidConfigurationError, KafkaError, TopicAuthorizationFailedError

from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import alter_config, read_config, read_topics
from shared.topic_check import topic_client


async def test_alter_config_changes_only_what_is_named(broker_alone: str) -> None:
    """A property is set, one that was set before stays, and an invalid value is Kafka's error."""
    name = f"altered-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1, topic_configs={"segment.ms": "7200000"})])
    await admin.close()
    async with topic_client(KafkaConfig(broker_alone)) as client:
        await alter_config(client, name, {"retention.ms": "3600000"})
        async with asyncio.timeout(60):
            while (config := await read_config(client, name) or {})["retention.ms"] != "3600000":  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        assert (config["retention.ms"], config["segment.ms"]) == ("3600000", "7200000")
        states = await read_topics(client, [name, "nothing-of-this-name"])
        assert {topic: (one.partitions, one.replicas) for topic, one in states.items()} == {name: (3, 1)}
        assert await read_config(client, "nothing-of-this-name") is None
        with pytest.raises(InvalidConfigurationError, match=name):
            await alter_config(client, name, {"retention.ms": "soon"})


def client(code: int) -> Any:
    """Return a client whose broker answers with an error."""

    async def send(*_: Any) -> Any:
        return SimpleNamespace(resources=[(code, "no", 2, "a", [])])

    return SimpleNamespace(send=send, get_random_node=lambda: 1)


async def test_read_config_without_permission_is_unknown() -> None:
    """A topic whose configuration may not be read has none; another error is raised."""
    assert await read_config(client(TopicAuthorizationFailedError.errno), "a") is None
    with pytest.raises(KafkaError):
        await read_config(client(41), "a")
    with pytest.raises(KafkaError, match="no broker"):
        await read_config(SimpleNamespace(send=None, get_random_node=lambda: None), "a")

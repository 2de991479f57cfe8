"""A consumer whose background task has died ends its process, on a real Kafka."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError
from structlog.testing import capture_logs

from shared.kafka.config import KafkaConfig
from shared.kafka.consumer import create_broker, run_broker
from shared.role import Process

DETECTED_SECONDS = 60.0
QUIET_SECONDS = 2.5


@pytest.fixture(scope="module")
def topic(broker_alone: str) -> str:
    name = f"watched-{uuid.uuid4().hex[:8]}"

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
        await admin.start()
        await admin.create_topics([NewTopic(name, 2, 1)])
        await admin.close()

    asyncio.run(create())
    return name


@asynccontextmanager
async def consuming(kafka: KafkaConfig, topic: str) -> AsyncIterator[tuple[Any, Process]]:
    """Run a consumer until it is a member of its group, and yield it with its process."""

    async def handle(_: Any) -> None:
        pass

    process, broker = Process(), create_broker(kafka)
    broker.subscriber(topic, group_id=f"group-{uuid.uuid4().hex}", session_timeout_ms=6_000)(handle)
    async with run_broker(broker, kafka, process) as starting:
        async with asyncio.timeout(60):
            await starting
            (subscriber,) = broker.subscribers
            consumer: Any = subscriber.consumer  # type: ignore[attr-defined]
            while not consumer.assignment():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
        yield consumer, process


def break_coordination(consumer: Any) -> None:
    """Let the coordination fail as it did: an error that is not one of Kafka's."""

    async def broken() -> None:
        raise RuntimeError("unable to perform operation on a closed transport")

    consumer._coordinator.ensure_coordinator_known = broken
    consumer._coordinator.request_rejoin()


def break_heartbeat(consumer: Any) -> None:
    """Let the heartbeats end with an error that the coordination does not survive."""

    async def broken() -> None:
        raise GroupAuthorizationFailedError("no longer")

    consumer._coordinator._do_heartbeat = broken


def break_fetches(consumer: Any) -> None:
    """Let the next round of fetches fail."""

    def broken(_: Any) -> None:
        raise LookupError("no such node")

    consumer._fetcher._get_actions_per_node = broken


def break_metadata(consumer: Any) -> None:
    """Let the next reading of metadata fail."""

    async def broken(*_: Any) -> None:
        raise RuntimeError("unable to perform operation on a closed transport")

    consumer._client._metadata_update = broken
    consumer._client.force_metadata_update()


DEATHS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "coordination fails": (break_coordination, "group coordination"),
    "coordination is cancelled": (lambda one: one._coordinator._coordination_task.cancel(), "group coordination"),
    "heartbeat fails": (break_heartbeat, "heartbeat"),
    "heartbeat is cancelled": (lambda one: one._coordinator._heartbeat_task.cancel(), "heartbeat"),
    "fetches fail": (break_fetches, "fetch"),
    "fetches are cancelled": (lambda one: one._fetcher._fetch_task.cancel(), "fetch"),
    "metadata fail": (break_metadata, "metadata"),
}


@pytest.mark.parametrize("name", DEATHS)
async def test_death_of_a_background_task_ends_the_process(broker_alone: str, topic: str, name: str) -> None:
    """Within seconds the process stops with an error that names the task and the topic, so that it is restarted."""
    kill, task = DEATHS[name]
    async with consuming(KafkaConfig(broker_alone), topic) as (consumer, process):
        with capture_logs() as lines:
            kill(consumer)
            async with asyncio.timeout(DETECTED_SECONDS):
                await process.stop.wait()
    assert process.failure is not None
    assert process.failure.startswith(f"the {task} task of the consumer of {topic} has died: ")
    (line,) = [line for line in lines if line["event"] == "a task of a Kafka consumer has died"]
    assert (line["log_level"], line["task"]) == ("error", task)


async def test_rebalance_and_stop_do_not_end_the_process(broker_alone: str, topic: str) -> None:
    """A consumer that rejoins its group, reads metadata again and stops is no failure."""
    async with consuming(KafkaConfig(broker_alone), topic) as (consumer, process):
        consumer._coordinator.request_rejoin()
        await consumer._client.force_metadata_update()
        await asyncio.sleep(QUIET_SECONDS)
        consumer._coordinator.reset_generation()  # as after an answer of Kafka that it does not know the member
        await asyncio.sleep(QUIET_SECONDS)
        assert not process.stop.is_set()
    assert process.failure is None

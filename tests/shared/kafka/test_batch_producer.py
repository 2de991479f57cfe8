"""The producer of whole batches, against a real broker: order, repetitions, and what is unknown after an error."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, NotLeaderForPartitionError, UnknownTopicOrPartitionError

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import PROPERTIES, Kafka
from shared.kafka import batch_producer
from shared.kafka.batch_producer import BatchProducer, sequence_after
from shared.kafka.config import KafkaConfig

PARTITIONS = 3


@pytest.fixture
async def topic(broker_alone: str) -> str:
    """A new topic that has the brokers' times."""
    name = f"batches-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    await admin.create_topics(
        [NewTopic(name, PARTITIONS, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})]
    )
    await admin.close()
    return name


@asynccontextmanager
async def started(
    broker: str, topic: str, batch_bytes: int = 100_000, seconds: float = 30
) -> AsyncIterator[BatchProducer]:
    async with asyncio.timeout(seconds):
        producer = BatchProducer(KafkaConfig(broker), topic, batch_bytes=batch_bytes, request_seconds=5)
        try:
            assert await producer.start() == PARTITIONS
            yield producer
        finally:
            await producer.stop()


async def logged(broker: str, topic: str) -> dict[int, list[bytes]]:
    """Return what the log of each partition has."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    found: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
    async with asyncio.timeout(20), AIOKafkaConsumer(bootstrap_servers=broker, group_id=None) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for one, records in (await consumer.getmany(timeout_ms=100)).items():
                found[one.partition] += [record.value for record in records]
    return found


def values(count: int, mark: str = "") -> list[bytes]:
    return [f"{mark}{number}".encode().ljust(100, b".") for number in range(count)]


async def test_batch_is_appended_to_each_partition_in_order(broker_alone: str, topic: str) -> None:
    """Values of several batches follow each other on their partitions, with the broker's time."""
    async with started(broker_alone, topic) as producer:
        first = await producer.send({0: values(3, "a"), 2: values(2, "b")})
        second = await producer.send({0: values(2, "c"), 1: []})
    assert sorted(one.partition for one in first) == [0, 2]
    assert [one.partition for one in second] == [0]
    assert all(one.appended_at is not None and one.appended_at > 1_700_000_000_000 for one in [*first, *second])
    assert await logged(broker_alone, topic) == {0: [*values(3, "a"), *values(2, "c")], 1: [], 2: values(2, "b")}


async def test_values_beyond_the_size_of_a_batch_follow_in_more_batches(broker_alone: str, topic: str) -> None:
    """What has no room in a record batch is sent after it, in order."""
    async with started(broker_alone, topic, batch_bytes=500) as producer:
        appended = await producer.send({0: values(10), 1: values(1)})
    assert len([one for one in appended if one.partition == 0]) > 2
    assert await logged(broker_alone, topic) == {0: values(10), 1: values(1), 2: []}


async def test_lost_response_repeats_the_batch_once(
    broker_alone: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose acknowledgement is lost is sent again, and the broker drops the repetition."""
    async with started(broker_alone, topic) as producer:
        await producer.send({0: values(1, "a")})
        lost = lose_responses(producer, 1, monkeypatch)
        await producer.send({0: values(2, "b"), 1: values(1)})
        assert not lost
        await producer.send({0: values(1, "c")})
    assert (await logged(broker_alone, topic))[0] == [*values(1, "a"), *values(2, "b"), *values(1, "c")]


def lose_responses(producer: BatchProducer, count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the producer lose the next responses; return those that are left to be lost."""
    left, send = list(range(count)), producer.client.send

    async def lossy(*arguments: Any) -> Any:
        response = await send(*arguments)
        if left:
            left.pop()
            raise KafkaConnectionError("lost")
        return response

    monkeypatch.setattr(producer.client, "send", lossy)
    return left


async def test_partition_that_moves_is_sent_to_its_new_leader(
    broker_alone: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several partitions only the one that was refused is sent again, after the metadata were read again."""
    async with started(broker_alone, topic) as producer:
        send, requests = producer.client.send, []

        async def moved(leader: int, request: Any) -> Any:
            requests.append(request)
            response = await send(leader, request)
            if len(requests) > 1:
                return response
            return [
                (number, NotLeaderForPartitionError.errno if number == 1 else code, *rest)
                for number, code, *rest in response
            ]

        monkeypatch.setattr(producer.client, "send", moved)
        appended = await producer.send({0: values(1), 1: values(1)})
        assert sorted(one.partition for one in appended) == [0, 1]
        assert len(requests) == 2
    assert await logged(broker_alone, topic) == {0: values(1), 1: values(1), 2: []}


class JoiningBroker(Kafka):
    """Broker 2 of the cluster of a broker that is running, which stays its controller."""

    def prepare_in(self, cluster: str) -> None:
        """Write the configuration, and format the storage for that cluster."""
        text = PROPERTIES.format(
            port=self._port, controller_port=self._controller_port, data=self._properties.parent / "data"
        )
        listener = f",CONTROLLER://127.0.0.1:{self._controller_port}"
        for own, new in (("=broker,controller", "=broker"), ("node.id=1", "node.id=2"), (listener, "")):
            assert own in text
            text = text.replace(own, new)
        self._properties.parent.mkdir()
        self._properties.write_text(text)
        tool = [self._java, "-cp", self._class_path, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        subprocess.run([*tool, "-c", str(self._properties)], check=True, capture_output=True)


async def brokers_of(bootstrap: str) -> tuple[str, set[int]]:
    """Return the id of a cluster and its live brokers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await admin.describe_cluster()
    finally:
        await admin.close()
    return found["cluster_id"], {one["node_id"] for one in found["brokers"]}


async def until_brokers_are(bootstrap: str, expected: set[int]) -> None:
    async with asyncio.timeout(120):
        while (await brokers_of(bootstrap))[1] != expected:  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.1)


@pytest.fixture
async def second_broker(
    broker_alone: str, tmp_path: Path, free_ports: Callable[[int], int]
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A second broker of the same cluster; afterwards the first is alone again."""
    java = java_command()
    assert java is not None
    cluster, _ = await brokers_of(broker_alone)
    controller_port = int(broker_alone.rpartition(":")[2]) + 1
    server = JoiningBroker(tmp_path / "second", jars_folder(), java, free_ports(1), controller_port)
    await asyncio.to_thread(server.prepare_in, cluster)
    with (tmp_path / "kafka.log").open("wb") as log:
        process = subprocess.Popen(server.command(), env=server.environment(), stdout=log, stderr=log)  # noqa: ASYNC220 - it only starts
    try:
        await until_brokers_are(broker_alone, {1, 2})
        yield process
    finally:
        process.kill()
        process.wait(20)
        await until_brokers_are(broker_alone, {1})


async def test_batches_of_a_killed_leader_are_appended_once_by_the_next_one(
    broker_alone: str, second_broker: subprocess.Popen[bytes]
) -> None:
    """A real broker dies while batches are sent to it: each is in the log once, in order, and the producer goes on."""
    topic = f"moving-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    replicas = {0: [2, 1], 1: [1, 2], 2: [2, 1]}
    await admin.create_topics([NewTopic(topic, -1, -1, replica_assignments=replicas)])
    await admin.close()
    async with started(broker_alone, topic, seconds=120) as producer:
        for number in range(30):
            if number == 10:
                assert [producer._leader(one) for one in replicas] == [2, 1, 2]
                asyncio.get_running_loop().call_soon(second_broker.kill)
            await producer.send({one: values(5, f"{number}-") for one in replicas})
        assert [producer._leader(one) for one in replicas] == [1, 1, 1]
    sent = [value for number in range(30) for value in values(5, f"{number}-")]
    assert await logged(broker_alone, topic) == dict.fromkeys(replicas, sent)


async def test_unknown_leader_is_waited_for(broker_alone: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a partition has no leader its values wait."""
    async with started(broker_alone, topic) as producer:
        cluster = producer.client.cluster
        leaders, leader_of = [None, -1], cluster.leader_for_partition
        monkeypatch.setattr(
            cluster, "leader_for_partition", lambda partition: leaders.pop() if leaders else leader_of(partition)
        )
        assert await producer.send({2: values(1)}) != []
    assert (await logged(broker_alone, topic))[2] == values(1)


async def test_send_after_an_unknown_outcome_is_refused(
    broker_alone: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer whose call was given up sends nothing any more: sequence numbers of what follows would be wrong."""
    async with started(broker_alone, topic) as producer:
        lose_responses(producer, 1_000, monkeypatch)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await producer.send({0: values(1)})
        monkeypatch.undo()
        with pytest.raises(KafkaError, match="unknown"):
            await producer.send({0: values(1)})
    assert (await logged(broker_alone, topic))[0] == values(1)


async def test_refused_batch_raises_the_error_of_the_broker(broker_alone: str, topic: str) -> None:
    """An error that a repetition cannot mend is raised at once: here a value beyond the broker's limit."""
    async with started(broker_alone, topic) as producer:
        with pytest.raises(KafkaError, match=r"(?i)large"):
            await producer.send({0: [b"x" * 2_000_000]})


async def test_start_without_the_topic_says_that_it_is_missing(
    broker_alone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that does not exist is reported after the time of a request."""
    monkeypatch.setattr(batch_producer, "RETRY_SECONDS", 0.02)
    producer = BatchProducer(KafkaConfig(broker_alone), f"missing-{uuid4()}", batch_bytes=1_000, request_seconds=0.2)
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.start()
    await producer.stop()


def test_sequence_numbers_begin_again_after_the_last() -> None:
    """Kafka's sequence numbers have 31 bits."""
    assert sequence_after(5, 3) == 8
    assert sequence_after(2**31 - 1, 1) == 0
    assert sequence_after(2**31 - 2, 4) == 2

"""The local Kafka in its small memory: heavy publishing, compaction and a kill, counted exactly."""

import asyncio
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import Kafka
from shared.kafka.config import READ_COMMITTED
from shared.topics import COMPACTED, PAGE_VIEWS
from tests.conftest import free_ports, wait_for

KEYS = 400_000
"""More than the cleaner's buffer has room for, so that a partition needs several passes."""
VERSIONS = 3
VIEWS = 1_000_000
PARTITIONS = 12
COMPACT_SECONDS = 240.0
SEED = 20_261_129


class Broker:
    """The local Kafka, which can be killed."""

    def __init__(self, folder: Path) -> None:
        java = java_command()
        assert java is not None, "Kafka needs Java"
        ports = free_ports(2)
        self.log = folder / "kafka.log"
        self.server = Kafka(folder, jars_folder(), java, ports, ports + 1)
        self.server.prepare()
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.server.command(), env=self.server.environment(), stdout=log, stderr=subprocess.STDOUT
            )
        wait_for(self.server.is_ready, 90, "Kafka")
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)
        self.process = self.start()

    def resident_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A Kafka of its own, as the local copy starts it."""
    started = Broker(tmp_path)
    yield started
    started.process.send_signal(signal.SIGTERM)
    started.process.wait(30)


async def create(bootstrap: str, name: str, partitions: int, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    await admin.close()


def value_of(key: int, version: int) -> bytes:
    return b"%d %d " % (key, version) + b"x" * (key % 150)


async def publish_versions(bootstrap: str, topic: str) -> dict[bytes, bytes]:
    """Publish versions of all keys, withdraw some, and return what must be left. Some transactions are aborted."""
    chance = random.Random(SEED)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="versions", acks="all", linger_ms=20)
    await producer.start()
    expected: dict[bytes, bytes] = {}
    for version in range(VERSIONS):
        for first in range(0, KEYS, 20_000):
            await producer.begin_transaction()
            is_aborted = chance.random() < 0.1
            sent = []
            for key in range(first, min(first + 20_000, KEYS)):
                is_tombstone = version == VERSIONS - 1 and key % 10 == 0
                value = None if is_tombstone else value_of(key, version)
                sent.append(await producer.send(topic, value, key=b"%d" % key, partition=0))
                if is_aborted:
                    continue
                if value is None:
                    expected.pop(b"%d" % key, None)
                else:
                    expected[b"%d" % key] = value
            await asyncio.gather(*sent)
            await (producer.abort_transaction() if is_aborted else producer.commit_transaction())
    await producer.stop()
    return expected


async def publish_views(bootstrap: str) -> None:
    """Publish views to all partitions as fast as the broker takes them, while the cleaner works."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=5)
    await producer.start()
    for first in range(0, VIEWS, 10_000):
        sent = [
            await producer.send(PAGE_VIEWS.name, b"%d" % number + b"v" * 230, partition=number % PARTITIONS)
            for number in range(first, first + 10_000)
        ]
        await asyncio.gather(*sent)
    await producer.stop()


async def read_all(bootstrap: str, topic: str, partitions: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Return (key, value) of all committed records."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level=READ_COMMITTED, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning()
    ends = await consumer.end_offsets(places)
    found = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        fetched = await consumer.getmany(timeout_ms=1_000, max_records=20_000)
        found += [(record.key, record.value) for records in fetched.values() for record in records]
    await consumer.stop()
    return iter(found)


async def wait_until_compacted(bootstrap: str, topic: str, records_max: int) -> list[tuple[bytes | None, bytes | None]]:
    """Wait until so few records are left that the cleaner has been through, and return them."""
    async with asyncio.timeout(COMPACT_SECONDS):
        while len(records := list(await read_all(bootstrap, topic, 1))) > records_max:  # noqa: ASYNC110 - no event
            await asyncio.sleep(5)
    return records


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_small_kafka_under_load_and_compaction_keeps_every_record(broker: Broker) -> None:
    """A compacted topic with more keys than the cleaner's buffer is compacted, and nothing acknowledged is lost."""
    bootstrap = broker.server.bootstrap
    quick = {"min.cleanable.dirty.ratio": "0.01", "segment.bytes": str(16 * 1024**2), "delete.retention.ms": "100"}
    await create(bootstrap, "versions", 1, COMPACTED | quick)
    await create(bootstrap, PAGE_VIEWS.name, PARTITIONS, PAGE_VIEWS.config)
    expected, _ = await asyncio.gather(publish_versions(bootstrap, "versions"), publish_views(bootstrap))
    broker.kill()
    await wait_until_compacted(bootstrap, "versions", KEYS * 2)
    left = {}
    for key, value in await read_all(bootstrap, "versions", 1):
        left.pop(key, None)
        if value is not None:
            left[key] = value
    assert left == expected
    views = sorted(int(value.split(b"v")[0]) for _, value in await read_all(bootstrap, PAGE_VIEWS.name, PARTITIONS))
    assert views == list(range(VIEWS))
    assert broker.resident_mb() < 256
    assert "OutOfMemoryError" not in broker.log.read_text(errors="replace")

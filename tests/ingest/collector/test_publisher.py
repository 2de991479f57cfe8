"""Group commit to Kafka or the spool, with a fake producer (with Kafka: tests/e2e/test_collector_faults.py)."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.collector.clock_check import ClockCheck
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.spool import Spool, SpooledEvent
from shared.kafka.config import KafkaConfig
from shared.kafka.producer import KafkaUnavailable
from shared.role import Process
from tests.ingest.collector.fake_kafka import PARTITIONS, Broker


class Router:
    """Distributes over all partitions of the fake broker."""

    def observe(self, partitions: int) -> None:
        self.observed = partitions

    async def partitions(self, events: list[SpooledEvent]) -> list[int]:
        return [event.partition_hash % PARTITIONS for event in events]


def start(folder: Path, deadline_seconds: float = 60) -> EventPublisher:
    spool = Spool(folder / "0", 10_000)
    kafka = KafkaConfig("localhost:1")
    router: Any = Router()
    return EventPublisher(
        kafka,
        "page-views",
        spool,
        folder,
        router=router,
        clock=ClockCheck(),
        deadline_seconds=deadline_seconds,
        process=Process(),
    )


@pytest.fixture
async def publisher(broker: Broker, tmp_path: Path) -> AsyncIterator[EventPublisher]:
    publisher = start(tmp_path)
    yield publisher
    await publisher.stop()


def events(count: int, size: int = 10) -> list[SpooledEvent]:
    return [SpooledEvent(number, f"{number} ".encode().ljust(size, b".")) for number in range(count)]


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the publisher has no event for it
            await asyncio.sleep(0.01)


async def test_publish_sends_events_to_partitions_of_their_hashes(broker: Broker, publisher: EventPublisher) -> None:
    """Events go to hash modulo partitions, in order, all with one call."""
    await until(lambda: publisher.warning is None)
    await publisher.publish(events(12))
    for partition, values in broker.log.items():
        assert values == [event.value for event in events(12) if event.partition_hash % PARTITIONS == partition]
    assert broker.sends == 1
    assert (publisher.pending_events, publisher.problem, publisher.spool_bytes) == (0, None, 0)


async def test_publish_during_a_flush_shares_the_next_batch(broker: Broker, publisher: EventPublisher) -> None:
    """Requests that arrive while a batch is in flight are acknowledged together."""
    await until(lambda: publisher.warning is None)
    broker.hold = asyncio.Event()
    first = publisher.publish(events(1))
    await until(lambda: broker.sends == 1)
    later = [publisher.publish(events(1)) for _ in range(2)]
    assert publisher.pending_events == 3
    broker.hold.set()
    await asyncio.gather(first, *later)
    assert broker.sends == 2


async def test_publish_without_kafka_is_spooled_and_drained_later(broker: Broker, publisher: EventPublisher) -> None:
    """While Kafka is down events are acknowledged from the spool, with a warning; later Kafka gets all, in order."""
    await until(lambda: publisher.warning is None)
    broker.is_up = False
    await publisher.publish(events(6))
    await publisher.publish(events(6))
    assert broker.values == []
    assert publisher.spool_bytes > 0
    assert "Kafka unavailable" in str(publisher.warning)
    assert publisher.problem is None
    broker.is_up = True
    await until(lambda: publisher.warning is None)
    assert (len(broker.values), publisher.spool_bytes) == (12, 0)
    assert broker.log[1] == [event.value for event in [*events(6), *events(6)] if event.partition_hash % 4 == 1]


async def test_publish_to_hanging_kafka_is_spooled_after_the_deadline(broker: Broker, tmp_path: Path) -> None:
    """A broker that does not acknowledge within the deadline counts as down."""
    publisher = start(tmp_path, deadline_seconds=0.3)
    await until(lambda: publisher.warning is None)
    broker.hold = asyncio.Event()
    await asyncio.wait_for(publisher.publish(events(1)), 60)
    assert publisher.spool_bytes > 0 or broker.values
    assert publisher.warning is not None
    broker.hold.set()
    await until(lambda: publisher.warning is None)
    assert broker.values == [events(1)[0].value]
    await publisher.stop()


async def test_publish_without_kafka_and_with_full_spool_is_rejected(broker: Broker, publisher: EventPublisher) -> None:
    """When neither Kafka nor the spool accepts events the request fails, and a problem is reported until it is over."""
    await until(lambda: publisher.warning is None)
    broker.is_up = False
    with pytest.raises(KafkaUnavailable, match="spool"):
        await publisher.publish(events(10, 2_000))
    assert "spool" in str(publisher.problem)
    await publisher.publish(events(1))
    assert publisher.problem is None


async def test_publish_above_pending_limit_is_rejected(
    broker: Broker, publisher: EventPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit of pending events a request is rejected at once, which bounds memory."""
    await until(lambda: publisher.warning is None)
    monkeypatch.setattr("services.ingest.collector.event_queue.PENDING_MAX", 5)
    broker.hold = asyncio.Event()
    accepted = publisher.publish(events(6))
    await until(lambda: broker.sends)
    with pytest.raises(KafkaUnavailable, match="already queued"):
        await publisher.publish(events(1))
    broker.hold.set()
    await accepted


async def test_orphaned_spool_of_another_collector_is_drained(
    broker: Broker, publisher: EventPublisher, tmp_path: Path
) -> None:
    """A spool that a gone replica left is sent to Kafka and emptied."""
    orphan = Spool(tmp_path / "7", 10_000)
    orphan.append(events(5))
    orphan.close()
    await until(lambda: len(broker.values) == 5)
    await until(lambda: not list((tmp_path / "7").glob("*.spool")))
    assert sorted(broker.values) == sorted(event.value for event in events(5))


async def test_stop_completes_queued_events(broker: Broker, tmp_path: Path) -> None:
    """Events that are queued at the stop are acknowledged first."""
    publisher = start(tmp_path)
    await until(lambda: publisher.warning is None)
    futures = [publisher.publish(events(3)) for _ in range(3)]
    await publisher.stop()
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(broker.values) == 9


async def test_stop_waits_for_a_slow_disk(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the spool are closed when nothing is written to them any more: their numbers may be those of others."""
    publisher = start(tmp_path, deadline_seconds=0.05)
    await until(lambda: publisher.warning is None)
    broker.is_up = False
    begun, finish, append = threading.Event(), threading.Event(), publisher._spool.append

    def slow(events: list[SpooledEvent]) -> None:
        begun.set()
        assert finish.wait(60)
        append(events)

    monkeypatch.setattr(publisher._spool, "append", slow)
    sent = publisher.publish(events(3))
    await until(begun.is_set)
    stopping = asyncio.create_task(publisher.stop())
    assert not (await asyncio.wait([stopping], timeout=1.5))[0]
    finish.set()
    await stopping
    with pytest.raises(KafkaUnavailable):
        await sent
    spool = Spool(tmp_path / "0", 10_000)
    assert spool.read(9) == events(3)
    spool.close()


async def test_restart_drains_the_spool_of_the_former_process(broker: Broker, tmp_path: Path) -> None:
    """Events that a stopped collector had spooled are sent by its successor."""
    broker.is_up = False
    former = start(tmp_path)
    await former.publish(events(4))
    await former.stop()
    broker.is_up = True
    publisher = start(tmp_path)
    try:
        await until(lambda: publisher.warning is None)
        assert sorted(broker.values) == sorted(event.value for event in events(4))
    finally:
        await publisher.stop()


async def test_spool_does_not_wait_for_other_threads(broker: Broker, publisher: EventPublisher) -> None:
    """Events are spooled at once although all threads of the process's own pool are busy, as by imports."""
    await until(lambda: publisher.warning is None)
    broker.is_up = False
    finish = threading.Event()
    busy = [asyncio.create_task(asyncio.to_thread(finish.wait, 30)) for _ in range(64)]
    try:
        async with asyncio.timeout(10):
            await publisher.publish(events(1))
    finally:
        finish.set()
        await asyncio.wait(busy)


async def test_clock_far_from_the_brokers_rejects_events_until_it_is_right(
    broker: Broker, publisher: EventPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector whose clock is wrong acknowledges nothing and says why, until the clock is set."""
    await until(lambda: publisher.warning is None)
    broker.clock_ahead_seconds = 400.0
    with pytest.raises(KafkaUnavailable, match=r"this machine's clock is 400 s behind Kafka's"):
        await publisher.publish(events(1))
    sends = broker.sends
    with pytest.raises(KafkaUnavailable, match="clock"):
        await publisher.publish(events(1))
    assert broker.sends == sends, "what would be refused is not sent"
    assert "400 s behind" in str(publisher.problem)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400.0)
    assert publisher.problem is None
    broker.clock_ahead_seconds = 0.0  # of the clock that was set
    await publisher.publish(events(1))

"""Events with a 202 are counted once, whatever fails under load: Kafka, Postgres or the collector."""

import asyncio
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.conftest import wait_for
from tests.settled import settled_counter

Wait = Callable[..., Any]
SITE = "giao-thuy"
SENDERS = 4
PARTITIONS = 12
EVENTS_MIN = 100


class Senders:
    """Clients that send views, each repeatedly until it gets its 202, as the tracker does."""

    def __init__(self, system: Any) -> None:
        self._system = system
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        self.acknowledged: list[str] = []
        self.rejected = 0
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        while not self._stop.is_set():
            identity, happened = str(uuid.uuid4()), time.monotonic()
            while True:
                age = int((time.monotonic() - happened) * 1000)
                event = {"id": identity, "site": SITE, "kind": "view", "path": "/tin.html", "age": age}
                try:
                    answer = self._system.post_events(event, user_agent=f"Mozilla/5.0 sender/{number}")
                except OSError:
                    answer = None
                if answer is not None and answer.status == 202:
                    self.acknowledged.append(identity)
                    break
                assert answer is None or answer.status in (500, 502, 503), answer.text
                self.rejected += 1
                time.sleep(0.2)
            time.sleep(0.01)

    def stop(self) -> list[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        return self.acknowledged


@contextmanager
def sending(system: Any, seconds: float = 1.5) -> Iterator[Senders]:
    senders = Senders(system)
    time.sleep(seconds)
    try:
        yield senders
        time.sleep(seconds)
        wait_for(lambda: len(senders.acknowledged) > EVENTS_MIN, 60, "enough events, however slow the machine is")
    finally:
        senders.stop()


def pid(system: Any, part: str) -> int:
    return int(system.state()["parts"][part])


def back(system: Any, part: str, before: int) -> bool:
    return pid(system, part) != before and bool(system.all_ready())


async def ids_in_the_topic(system: Any) -> set[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition("page-views", number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: set[str] = set()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    try:
                        found.add(json.loads(record.value)["id"])
                    except (ValueError, TypeError, KeyError):
                        continue
        return found
    finally:
        await consumer.stop()


async def check_all_counted_once(system: Any, senders: Senders, before: int, wait: Wait) -> None:
    """Check that every acknowledged ID is in the topic, and that the counter rose by exactly their number."""
    acknowledged = senders.acknowledged
    assert len(acknowledged) > EVENTS_MIN
    wait(lambda: system.counter(SITE, measure="views")["total"] >= before + len(acknowledged), 60, "the views")
    await asyncio.sleep(1)
    assert system.counter(SITE, measure="views")["total"] == before + len(acknowledged)
    assert set(acknowledged) <= await ids_in_the_topic(system)


@pytest.fixture
def before(system: Any, wait: Wait) -> int:
    wait(system.all_ready, 60, "the system")
    return int(settled_counter(system, SITE, measure="views")["total"])


async def test_kafka_killed_events_are_spooled_and_counted_once(system: Any, before: int, wait: Wait) -> None:
    """While Kafka is killed and restarts, events are accepted into the spool and all are counted once."""
    with sending(system) as senders:
        rejected, old = senders.rejected, pid(system, "kafka")
        os.kill(old, signal.SIGKILL)
        wait(lambda: back(system, "kafka", old), 60, "Kafka")
        assert senders.rejected == rejected, "a collector with a spool rejects nothing while Kafka is unavailable"
    await check_all_counted_once(system, senders, before, wait)


async def test_kafka_frozen_events_are_spooled_and_readiness_warns(system: Any, before: int, wait: Wait) -> None:
    """While Kafka is frozen, events are accepted after the deadline, and readiness warns; all are counted once."""
    ready = f"http://127.0.0.1:{system.port('ingest')}/readyz"
    with sending(system) as senders:
        rejected, kafka = senders.rejected, pid(system, "kafka")
        os.kill(kafka, signal.SIGSTOP)
        try:
            warnings = wait(lambda: system.get(ready).json()["warnings"], what="the warning")
            assert "collector: Kafka unavailable" in warnings[0]
            assert system.get(ready).status == 200
            accepted = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > accepted + 50, what="spooled events")
        finally:
            os.kill(kafka, signal.SIGCONT)
        wait(lambda: not system.get(ready).json()["warnings"], 60, "Kafka again")
        assert senders.rejected == rejected
    await check_all_counted_once(system, senders, before, wait)


async def test_collector_killed_acknowledged_events_are_counted_once(system: Any, before: int, wait: Wait) -> None:
    """A killed collector has stored what it acknowledged; the rest is sent again and counted once."""
    with sending(system) as senders:
        for _ in range(2):
            old = pid(system, "ingest")
            os.kill(old, signal.SIGKILL)
            wait(lambda old=old: back(system, "ingest", old), 60, "ingest")
    await check_all_counted_once(system, senders, before, wait)


async def test_collector_killed_while_kafka_is_down_spool_survives(system: Any, before: int, wait: Wait) -> None:
    """Spooled events survive a kill of the collector, and reach Kafka once both are back."""
    with sending(system) as senders:
        kafka, ingest = pid(system, "kafka"), pid(system, "ingest")
        os.kill(kafka, signal.SIGSTOP)
        accepted = len(senders.acknowledged)
        wait(lambda: len(senders.acknowledged) > accepted + 200, what="spooled events")
        os.kill(ingest, signal.SIGKILL)
        wait(lambda: pid(system, "ingest") != ingest, what="ingest")
        accepted = len(senders.acknowledged)
        wait(lambda: len(senders.acknowledged) > accepted + 50, what="events accepted by the new one")
        os.kill(kafka, signal.SIGKILL)
        wait(lambda: back(system, "kafka", kafka), 60, "Kafka")
    await check_all_counted_once(system, senders, before, wait)


async def test_postgres_frozen_events_are_accepted(system: Any, before: int, wait: Wait) -> None:
    """While Postgres is frozen, events are accepted, also by a collector that starts meanwhile."""
    with sending(system) as senders:
        postgres, ingest = pid(system, "postgres"), pid(system, "ingest")
        os.kill(postgres, signal.SIGSTOP)
        try:
            accepted = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > accepted + 100, what="events without Postgres")
            os.kill(ingest, signal.SIGKILL)
            wait(lambda: pid(system, "ingest") != ingest, what="ingest")
            accepted = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > accepted + 100, what="events by the new collector")
        finally:
            os.kill(postgres, signal.SIGCONT)
        wait(system.all_ready, 60, "the system")
    await check_all_counted_once(system, senders, before, wait)

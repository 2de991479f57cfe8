"""What got a 202 is counted once, whatever dies: Kafka, Postgres or the collector, under load, through the gateway."""

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

Wait = Callable[..., Any]
SITE = "giao-thuy"
SENDERS = 4
PARTITIONS = 12


class Senders:
    """Pages that send view after view, each again and again until it gets its 202, as the tracker does."""

    def __init__(self, system: Any) -> None:
        self._system = system
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        self.acknowledged: list[str] = []
        self.refused = 0
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
                self.refused += 1
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
        places = [TopicPartition("page-views", number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: set[str] = set()
        while any([await consumer.position(place) < end for place, end in ends.items()]):
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
    """Every id that got a 202 is in the log, and the counter rose by exactly so many."""
    acknowledged = senders.acknowledged
    assert len(acknowledged) > 100
    wait(lambda: system.counter(SITE, measure="views")["total"] >= before + len(acknowledged), 60, "the views")
    await asyncio.sleep(1)
    assert system.counter(SITE, measure="views")["total"] == before + len(acknowledged)
    assert set(acknowledged) <= await ids_in_the_topic(system)


@pytest.fixture
def before(system: Any, wait: Wait) -> int:
    wait(system.all_ready, 60, "the system")
    return int(system.counter(SITE, measure="views")["total"])


async def test_killed_kafka(system: Any, before: int, wait: Wait) -> None:
    """While Kafka is killed and comes back, events are taken (on the disk) and all are counted once."""
    with sending(system) as senders:
        refused, old = senders.refused, pid(system, "kafka")
        os.kill(old, signal.SIGKILL)
        wait(lambda: back(system, "kafka", old), 60, "Kafka")
        assert senders.refused == refused, "a collector with a spool refuses nothing while Kafka is away"
    await check_all_counted_once(system, senders, before, wait)


async def test_frozen_kafka(system: Any, before: int, wait: Wait) -> None:
    """While Kafka stands still, events are taken after the deadline, and readiness tells; all are counted once."""
    ready = f"http://127.0.0.1:{system.port('ingest')}/readyz"
    with sending(system) as senders:
        refused, kafka = senders.refused, pid(system, "kafka")
        os.kill(kafka, signal.SIGSTOP)
        try:
            told = wait(lambda: system.get(ready).json()["warnings"], 20, "the concern")
            assert "collector: Kafka does not acknowledge" in told[0]
            assert system.get(ready).status == 200
            taken = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > taken + 50, 20, "events that go to the spool")
        finally:
            os.kill(kafka, signal.SIGCONT)
        wait(lambda: not system.get(ready).json()["warnings"], 60, "Kafka again")
        assert senders.refused == refused
    await check_all_counted_once(system, senders, before, wait)


async def test_killed_collector(system: Any, before: int, wait: Wait) -> None:
    """A collector that is killed has kept what it acknowledged; what it had not is sent again and counts once."""
    with sending(system) as senders:
        for _ in range(2):
            old = pid(system, "ingest")
            os.kill(old, signal.SIGKILL)
            wait(lambda old=old: back(system, "ingest", old), 60, "ingest")
    await check_all_counted_once(system, senders, before, wait)


async def test_killed_collector_while_kafka_is_away(system: Any, before: int, wait: Wait) -> None:
    """What is on the disk survives the collector's kill, and reaches Kafka after both are back."""
    with sending(system) as senders:
        kafka, ingest = pid(system, "kafka"), pid(system, "ingest")
        os.kill(kafka, signal.SIGSTOP)
        taken = len(senders.acknowledged)
        wait(lambda: len(senders.acknowledged) > taken + 200, 30, "events that go to the spool")
        os.kill(ingest, signal.SIGKILL)
        wait(lambda: pid(system, "ingest") != ingest, 20, "ingest")
        taken = len(senders.acknowledged)
        wait(lambda: len(senders.acknowledged) > taken + 50, 30, "events taken by the new one")
        os.kill(kafka, signal.SIGKILL)
        wait(lambda: back(system, "kafka", kafka), 60, "Kafka")
    await check_all_counted_once(system, senders, before, wait)


async def test_postgres_away(system: Any, before: int, wait: Wait) -> None:
    """While Postgres is away, collecting goes on, also by a collector that starts meanwhile."""
    with sending(system) as senders:
        postgres, ingest = pid(system, "postgres"), pid(system, "ingest")
        os.kill(postgres, signal.SIGSTOP)
        try:
            taken = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > taken + 100, 20, "events without Postgres")
            os.kill(ingest, signal.SIGKILL)
            wait(lambda: pid(system, "ingest") != ingest, 20, "ingest")
            taken = len(senders.acknowledged)
            wait(lambda: len(senders.acknowledged) > taken + 100, 40, "events by the new collector")
        finally:
            os.kill(postgres, signal.SIGCONT)
        wait(system.all_ready, 60, "the system")
    await check_all_counted_once(system, senders, before, wait)

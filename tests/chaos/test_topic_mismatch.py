"""Topics that do not match the counts: the counter stops with a message, or records what was lost."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import alter_config
from shared.topic_check import topic_client
from tests.chaos.cluster import PARTITIONS, Cluster, Installation, RunningCounter
from tests.chaos.polling import becomes_true, wait_until
from tests.conftest import answers

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.asyncio(loop_scope="session")


def view(number: int) -> bytes:
    event = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": "/", "visitor": f"{number:016x}"}
    event["article"] = f"bai-{number // 100}"
    return json.dumps({**event, "at": time.time_ns() // 1_000_000}).encode()


async def send(cluster: Cluster, values: list[bytes], partition: int | None = None) -> None:
    sender = cluster.sender()
    await sender.send(
        [(number % PARTITIONS if partition is None else partition, value) for number, value in enumerate(values)]
    )
    await sender.stop()


async def ask(here: Installation, query: str) -> Any:
    connection = await asyncpg.connect(here.cluster.url(here.database))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def views(here: Installation, wanted: int) -> None:
    """Wait until this many views are counted."""
    query = """SELECT coalesce(sum(views), 0) FROM stats.counts JOIN stats.generations USING (generation)
        WHERE state = 'current' AND site = 'haihau' AND article = '' AND grain = 'total'"""

    async def are_counted() -> bool:
        return bool(await ask(here, query) == wanted)

    assert await becomes_true(are_counted, 60), f"{wanted} views"


async def not_ready_reason(counter: RunningCounter) -> str:
    """Wait until a counter has stopped counting, and return its readiness; the process must go on."""
    url = f"http://127.0.0.1:{counter.part.environment['PRESSTALLY_HTTP_PORT']}/readyz"

    def read() -> str:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    async def condition() -> bool:
        return "Nothing is counted" in await asyncio.to_thread(read)

    assert await becomes_true(condition, 60), read()
    assert counter.alive
    return read()


async def last_log_lines(here: Installation, counter: RunningCounter) -> str:
    """Wait until a counter has exited on its own, and return its log."""
    await wait_until(lambda: not counter.alive, 30, "the counter's end")
    assert counter.part.process is not None
    assert counter.part.process.returncode == 1
    return (here.cluster.folder / "logs" / f"{counter.part.name}.log").read_text()


async def command(here: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await here.command(*arguments)


async def test_recreated_topic_stops_the_counter(cluster: Cluster, here: Installation) -> None:
    """A topic that was deleted and created again is detected at any length, and --new-log keeps the old counts."""
    await here.ensure_counters(1)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    await here.stop()
    await cluster.begin_new_log()
    await send(cluster, [view(number) for number in range(90)])
    assert "was it deleted and created again" in await not_ready_reason(await here.start_counter(ready=False))
    await views(here, 60)
    refused = await command(here, "rebuild")
    assert (refused.returncode, "--new-log keeps them" in refused.stderr) == (1, True)
    done = await command(here, "rebuild", "--new-log")
    assert done.returncode == 0, done.stderr
    await views(here, 150)
    await here.ensure_counters(1)
    await send(cluster, [view(number) for number in range(30)])
    await views(here, 180)
    for verb in ("verify", "rebuild", "verify"):
        done = await command(here, verb)
        assert done.returncode == 0, done.stdout + done.stderr
    await views(here, 180)


async def test_log_shorter_than_counts_stops_the_counter(cluster: Cluster, here: Installation) -> None:
    """If Kafka has lost counted records, no new ones are counted at their offsets."""
    await here.ensure_counters(1)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    await here.stop()
    await cluster.admin(here.database, "UPDATE stats.offsets SET next_offset = next_offset + 5 WHERE partition = 2")
    reason = await not_ready_reason(await here.start_counter(ready=False))
    assert "the log ends at 10: Kafka has lost records" in reason


async def test_deleted_records_are_recorded_as_gap(cluster: Cluster, here: Installation) -> None:
    """Records that Kafka deleted uncounted are recorded in a row and a metric, and counting continues after them."""
    await here.ensure_counters(1)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    await here.stop()
    await send(cluster, [view(number) for number in range(20)], partition=4)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition("page-views", 4): RecordsToDelete(before_offset=17)})
    await admin.close()
    await here.ensure_counters(1)
    await views(here, 60 + 13)
    assert await ask(here, "SELECT (partition, first_lost, next_available) = (4, 10, 17) FROM stats.gaps")
    await send(cluster, [view(number) for number in range(5)], partition=4)
    await views(here, 60 + 18)
    assert (await command(here, "verify")).returncode == 0


async def test_wrong_timestamps_stop_counting_until_applied(cluster: Cluster, here: Installation) -> None:
    """With the timestamps of senders nothing is counted, the widget goes on, and `apply` lets counting continue."""
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    async with topic_client(KafkaConfig(cluster.bootstrap)) as client:
        await alter_config(client, "page-views", {"message.timestamp.type": "CreateTime"})
    reason = await not_ready_reason(counter)
    assert "message.timestamp.type is CreateTime instead of LogAppendTime" in reason
    assert "Run `presstally topics apply`, and counting continues by itself" in reason
    await send(cluster, [view(number) for number in range(30)])
    await asyncio.sleep(6)
    await views(here, 60)
    port = counter.part.environment["PRESSTALLY_HTTP_PORT"]
    assert await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/stats/haihau/counter")
    applied = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "shared.topics", "apply"],
        cwd=ROOT,
        env={**counter.part.environment, "PRESSTALLY_PARTITIONS": str(PARTITIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stdout + applied.stderr
    await views(here, 90)
    assert (await command(here, "verify")).returncode == 0


async def test_counter_that_starts_with_wrong_timestamps_counts_nothing(cluster: Cluster, here: Installation) -> None:
    """A counter that finds the topic so at its start does not count a single record before it is mended."""
    async with topic_client(KafkaConfig(cluster.bootstrap)) as client:
        await alter_config(client, "page-views", {"message.timestamp.type": "CreateTime"})
        await send(cluster, [view(number) for number in range(12)])
        counter = await here.start_counter(ready=False)
        assert "message.timestamp.type is CreateTime" in await not_ready_reason(counter)
        await views(here, 0)
        await alter_config(client, "page-views", {"message.timestamp.type": "LogAppendTime"})
    await views(here, 12)

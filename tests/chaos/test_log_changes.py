"""A log that changes under a running counter: each outcome is counted, a recorded gap, or a stop with the way back."""

import asyncio
import math
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete

from shared.kafka.consumer import FETCH_WAIT_MS
from shared.topics import PAGE_VIEWS
from tests.chaos.cluster import PARTITIONS, Cluster, Installation, RunningCounter
from tests.chaos.polling import becomes_true
from tests.chaos.test_offsets_in_kafka import metrics
from tests.chaos.test_topic_mismatch import ask, command, send, view, views

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
NOTICED_SECONDS = 40.0
GAP = "SELECT coalesce(sum(next_available - first_lost), 0) FROM stats.gaps"


def _get(counter: RunningCounter, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{counter.part.environment['PRESSTALLY_HTTP_PORT']}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def get(counter: RunningCounter, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(_get, counter, path)


async def becomes_not_ready(counter: RunningCounter, *words: str) -> str:
    """Wait until the counter is not ready for a reason with these words, and return the reason."""
    seen = ""

    async def condition() -> bool:
        nonlocal seen
        status, seen = await get(counter, "/readyz")
        return status == 503 and all(word in seen for word in words)

    assert await becomes_true(condition, NOTICED_SECONDS), seen
    return seen


async def becomes_ready(counter: RunningCounter) -> None:
    async def condition() -> bool:
        return (await get(counter, "/readyz"))[0] == 200

    assert await becomes_true(condition, NOTICED_SECONDS), await get(counter, "/readyz")


@asynccontextmanager
async def widget_answers(counter: RunningCounter) -> AsyncIterator[None]:
    """Ask the widget of the same process all the time: it must answer every time."""
    answers: list[Any] = []

    async def poll() -> None:
        while True:
            try:
                answers.append((await get(counter, "/stats/haihau/counter"))[0])
            except OSError as error:
                answers.append(error)
            await asyncio.sleep(0.1)

    polling = asyncio.create_task(poll())
    try:
        yield
    finally:
        polling.cancel()
    assert set(answers) == {200}
    assert counter.alive


async def has_unknown_lag(counter: RunningCounter) -> bool:
    """Return whether the lag is not a number for some partition: its offsets are of another log."""
    found = await asyncio.to_thread(metrics, counter, "presstally_consumer_lag")
    return any(math.isnan(value) for value in found.values())


async def delete_records(cluster: Cluster, partition: int, before_offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(PAGE_VIEWS.name, partition): RecordsToDelete(before_offset=before_offset)}
        )
    finally:
        await admin.close()


async def copy_data(cluster: Cluster, copy: Path) -> None:
    """Copy Kafka's data while it is frozen: as if it had been killed at this moment."""
    assert cluster.kafka.process is not None
    kafka = psutil.Process(cluster.kafka.process.pid)
    processes = [kafka, *kafka.children(recursive=True)]
    for process in processes:
        process.suspend()
    await asyncio.to_thread(shutil.copytree, cluster.folder / "kafka", copy)
    for process in processes:
        process.resume()


async def restore_data(cluster: Cluster, copy: Path) -> None:
    """Kill Kafka, put an earlier copy of its data in their place, and start it again."""
    await cluster.kill(cluster.kafka)
    await asyncio.to_thread(shutil.rmtree, cluster.folder / "kafka")
    await asyncio.to_thread(shutil.copytree, copy, cluster.folder / "kafka")
    cluster.spawn(cluster.kafka)
    await cluster.wait_until_up()


async def test_records_deleted_under_a_frozen_counter_become_a_gap(cluster: Cluster, here: Installation) -> None:
    """Retention that overtakes a frozen counter is a gap of the right size, and counting continues behind it."""
    # Guards against a consumer that fetches before the log's beginning without end: ready, lag 0, nothing counted.
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    counter.signal(signal.SIGSTOP)
    await asyncio.sleep(FETCH_WAIT_MS / 1_000 + 0.5)  # until the reply to its last fetch has left Kafka
    await send(cluster, [view(number) for number in range(300)], partition=2)
    await delete_records(cluster, 2, 250)
    counter.signal(signal.SIGCONT)
    async with widget_answers(counter):
        lost = await _gap_appears(here)
        assert lost == 240
        await views(here, 60 + 60)
        await becomes_ready(counter)
        await send(cluster, [view(number) for number in range(40)])
        await views(here, 60 + 60 + 40)
    assert metrics(counter, "presstally_consumer_lost_records_total")["presstally_consumer_lost_records_total"] == lost
    assert (await command(here, "verify")).returncode == 0


async def _gap_appears(here: Installation) -> int:
    lost = 0

    async def condition() -> bool:
        nonlocal lost
        lost = await ask(here, GAP)
        return lost > 0

    assert await becomes_true(condition, NOTICED_SECONDS)
    return lost


async def test_idle_partition_overtaken_by_retention_is_noticed(cluster: Cluster, here: Installation) -> None:
    """Records behind the position of a connected, idle counter that vanish uncounted are a gap within seconds."""
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    back = "UPDATE stats.offsets SET next_offset = 4, last_record = NULL, epoch = epoch + 1 WHERE partition = 3"
    await ask(here, back)
    await delete_records(cluster, 3, 8)
    async with widget_answers(counter):
        await send(cluster, [view(number) for number in range(5)], partition=3)
        assert await _gap_appears(here) == 4
        await views(here, 60 + 2 + 5)


async def test_recreated_topic_stops_a_running_counter(cluster: Cluster, here: Installation) -> None:
    """A topic that is deleted and created again stops counting within seconds, and --new-log continues it."""
    # Guards against five minutes of nothing while ready, and then a crash loop that takes the widget along.
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    async with widget_answers(counter):
        await cluster.begin_new_log()
        await send(cluster, [view(number) for number in range(90)])
        await becomes_not_ready(counter, "was it deleted and created again", "rebuild --new-log")
        assert metrics(counter, "presstally_consumer_counting_stopped") == {"presstally_consumer_counting_stopped": 1}
        await views(here, 60)
        done = await command(here, "rebuild", "--new-log")
        assert done.returncode == 0, done.stderr
        await views(here, 150)
        await becomes_ready(counter)
        assert metrics(counter, "presstally_consumer_counting_stopped") == {"presstally_consumer_counting_stopped": 0}
        await send(cluster, [view(number) for number in range(30)])
        await views(here, 180)


async def test_deleted_topic_stops_a_running_counter(cluster: Cluster, here: Installation) -> None:
    """While the topic does not exist the counter is not ready, and names the command that creates it."""
    counter = await here.start_counter(with_widget=True)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([PAGE_VIEWS.name])
    finally:
        await admin.close()
    async with widget_answers(counter):
        await becomes_not_ready(counter, "page-views does not exist", "presstally topics")


@pytest.mark.parametrize("outgrown", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_lost_tail_stops_counting_and_loses_nothing(
    cluster: Cluster, here: Installation, tmp_path: Path, outgrown: bool
) -> None:
    """A Kafka with older data stops counting, outgrown or not; nothing is lost, and nothing sent again counts twice."""
    # Guards against counting from the middle of the new log: 1,319 of 1,676 views were counted; and against a counter
    # that forgets the lost records when it stops: those that were sent again were counted again.
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(600)])
    await views(here, 600)
    copy = tmp_path / "older"
    await copy_data(cluster, copy)
    lost = [view(number) for number in range(1_000, 1_600)]
    await send(cluster, lost)
    await views(here, 1_200)
    async with widget_answers(counter):
        await restore_data(cluster, copy)
        after = 900 if outgrown else 60
        await send(cluster, [view(number) for number in range(2_000, 2_000 + after)])
        await send(cluster, lost[:90])  # from a collector that got no acknowledgement before Kafka lost them
        message = await becomes_not_ready(counter, "Kafka has lost records", "rebuild --lost-records")
        assert await becomes_true(lambda: has_unknown_lag(counter), NOTICED_SECONDS)
        await views(here, 1_200)
        refused = await command(here, "rebuild")
        assert (refused.returncode, "--lost-records" in refused.stderr) == (1, True), message
        done = await command(here, "rebuild", "--lost-records")
        assert done.returncode == 0, done.stderr
        await views(here, 1_200 + after)
        await becomes_ready(counter)
        await send(cluster, [view(number) for number in range(5_000, 5_060)])
        await views(here, 1_260 + after)
    only_in_lost_records = "SELECT count(DISTINCT article) FROM stats.known_articles WHERE article ~ '^bai-1[0-5]$'"
    assert await ask(here, only_in_lost_records) == 6
    for verb in ("verify", "rebuild", "verify"):
        done = await command(here, verb)
        assert done.returncode == 0, done.stdout + done.stderr
        await views(here, 1_260 + after)


@pytest.mark.long
async def test_counting_continues_by_itself_when_the_newer_data_are_back(
    cluster: Cluster, here: Installation, tmp_path: Path
) -> None:
    """An older data directory that is replaced by the right one needs no command."""
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    older, newer = tmp_path / "older", tmp_path / "newer"
    await copy_data(cluster, older)
    await send(cluster, [view(number) for number in range(100, 160)])
    await views(here, 120)
    await copy_data(cluster, newer)
    async with widget_answers(counter):
        await restore_data(cluster, older)
        await becomes_not_ready(counter, "Kafka has lost records")
        await restore_data(cluster, newer)
        await becomes_ready(counter)
        await send(cluster, [view(number) for number in range(200, 260)])
        await views(here, 180)


async def test_new_partitions_are_counted_within_seconds(cluster: Cluster, here: Installation) -> None:
    """Views on partitions that are added while a counter runs are counted soon, and not when metadata are old."""
    await here.start_counter()
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({PAGE_VIEWS.name: NewPartitions(PARTITIONS + 2)})
    finally:
        await admin.close()
    await send(cluster, [view(number) for number in range(30)], partition=PARTITIONS + 1)
    began = asyncio.get_running_loop().time()
    await views(here, 90)
    assert asyncio.get_running_loop().time() - began < 60


async def test_flood_of_unreadable_records_stops_its_partition_only(cluster: Cluster, here: Installation) -> None:
    """The flooded partition waits, the widget and other partitions go on; `dlq accept` continues it by itself."""
    # Guards against the end of the process, and with it of the widget.
    counter = await here.start_counter(with_widget=True)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    async with widget_answers(counter):
        await send(cluster, [b"invalid"] * 5_000, partition=1)
        await becomes_not_ready(counter, "page-views-1 is not counted", "are unreadable", "dlq accept")
        name = "presstally_consumer_unreadable_partitions"
        assert metrics(counter, name) == {name: 1}
        dead = "SELECT coalesce(sum(events), 0) FROM stats.ledger WHERE outcome = 'dead_lettered'"
        assert await ask(here, dead) <= 1_500
        await send(cluster, [view(number) for number in range(30)], partition=2)
        await send(cluster, [view(number) for number in range(7)], partition=1)
        await views(here, 90)
        done = await command(here, "dlq", "accept")
        assert done.returncode == 0, done.stderr
        await views(here, 97)
        await becomes_ready(counter)
        assert await ask(here, dead) == 5_000
        assert metrics(counter, name) == {name: 0}
    assert (await command(here, "verify")).returncode == 0

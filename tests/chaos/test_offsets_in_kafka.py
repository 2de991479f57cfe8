"""The offsets in Kafka, which lag tools and autoscalers read; the exact offsets are in Postgres."""

import asyncio
import re
import signal
import urllib.request

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from services.stats.counting.offset_reporter import POLL_SECONDS
from shared.topics import PAGE_VIEWS, TOPICS
from tests.chaos.cluster import PARTITIONS, SESSION_SECONDS, Cluster, Installation, RunningCounter
from tests.chaos.polling import becomes_true
from tests.chaos.test_topic_mismatch import ask, command, send, view, views

pytestmark = pytest.mark.asyncio(loop_scope="session")
NO_LAG = dict.fromkeys(range(PARTITIONS), 0)


async def outside_lag(here: Installation) -> dict[int, int]:
    """Return the lag of each partition with a committed offset, as tools compute it: log end minus offset."""
    admin = AIOKafkaAdminClient(bootstrap_servers=here.cluster.bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(here.database)
    finally:
        await admin.close()
    ends = await here.stored_counts._log.ends()
    committed = {one.partition: meta.offset for one, meta in offsets.items() if one.topic == "page-views"}
    return {part: ends[part] - committed[part] for part in ends if committed.get(part, -1) >= 0}


async def has_lag(here: Installation, wanted: dict[int, int], seconds: float = 10) -> None:
    seen: dict[int, int] = {}

    async def condition() -> bool:
        seen.clear()
        seen.update(await outside_lag(here))
        return seen == wanted

    assert await becomes_true(condition, seconds), seen


def metrics(counter: RunningCounter, pattern: str) -> dict[str, float]:
    """Return the values of a counter's metrics whose names match."""
    url = f"http://127.0.0.1:{counter.part.environment['PRESSTALLY_HTTP_PORT']}/metrics"
    with urllib.request.urlopen(url, timeout=5) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines) if re.match(pattern, name)}


async def test_lag_tools_report_uncounted_records(cluster: Cluster, here: Installation) -> None:
    """An empty topic, partitions without records and counted ones have lag 0; uncounted records are the lag."""
    await here.ensure_counters(1)
    await has_lag(here, NO_LAG)
    await send(cluster, [view(number) for number in range(30)], partition=2)
    await views(here, 30)
    await has_lag(here, NO_LAG)
    await here.stop()
    await send(cluster, [view(number) for number in range(7)], partition=4)
    await has_lag(here, {**NO_LAG, 4: 7})
    await here.ensure_counters(1)
    await has_lag(here, NO_LAG)


async def test_stop_commits_the_last_offsets(cluster: Cluster, here: Installation) -> None:
    """A counter that stops right after it counted has committed everything to Kafka, before the next poll."""
    await here.ensure_counters(1)
    await has_lag(here, NO_LAG)
    for turn in range(1, 4):
        await send(cluster, [view(number) for number in range(60)])
        await views(here, 60 * turn)
        (counter,) = here.counters
        counter.signal(signal.SIGTERM)
        await asyncio.to_thread(counter.part.process.wait, 15)  # type: ignore[union-attr]
        assert await outside_lag(here) == NO_LAG
        await here.ensure_counters(1)


async def test_offsets_after_rebalances_are_right(cluster: Cluster, here: Installation) -> None:
    """Counters that start, die, or continue after a takeover do not change the offsets of the active ones."""
    await here.ensure_counters(2)
    await send(cluster, [view(number) for number in range(120)])
    await views(here, 120)
    await has_lag(here, NO_LAG)
    frozen = here.counters[0]
    frozen.signal(signal.SIGSTOP)
    await asyncio.sleep(SESSION_SECONDS + 1)
    await send(cluster, [view(number) for number in range(120)])
    await views(here, 240)
    await has_lag(here, NO_LAG)
    frozen.signal(signal.SIGCONT)
    await asyncio.sleep(3 * POLL_SECONDS)
    await has_lag(here, NO_LAG)
    here.counters[1].signal(signal.SIGKILL)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 300)
    await has_lag(here, NO_LAG)


async def test_transaction_markers_are_not_lag(cluster: Cluster, here: Installation) -> None:
    """Views that another program writes in transactions leave no lag, and commands finish."""
    await here.ensure_counters(1)
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, transactional_id="another-program")
    await producer.start()
    try:
        async with producer.transaction():
            for number in range(12):
                await producer.send("page-views", view(number), partition=number % PARTITIONS)
    finally:
        await producer.stop()
    await views(here, 12)
    await has_lag(here, NO_LAG)
    gauges = metrics(here.counters[0], "presstally_consumer_lag")
    assert len(gauges) == 2 * PARTITIONS
    assert set(gauges.values()) == {0}
    for verb in ("verify", "rebuild", "verify"):
        done = await command(here, verb)
        assert done.returncode == 0, done.stdout + done.stderr
    await has_difference(here, {"ledger": 0, "totals": 0})


@pytest.mark.parametrize("how", ["refuse", "hang"])
async def test_counting_continues_when_kafka_rejects_offsets(cluster: Cluster, here: Installation, how: str) -> None:
    """Whether Kafka rejects the offsets or never answers, everything is counted in time and the counter stays ready."""
    counter = await here.start_counter(commits=how)
    for turn in range(1, 4):
        await send(cluster, [view(number) for number in range(60)])
        await views(here, 60 * turn)
        await asyncio.sleep(POLL_SECONDS)
    assert counter.ready
    assert await outside_lag(here) == {}
    counter.signal(signal.SIGTERM)
    assert await asyncio.to_thread(counter.part.process.wait, 15) == 0  # type: ignore[union-attr]
    assert "Kafka does not accept the offsets" in (cluster.folder / "logs" / f"{counter.part.name}.log").read_text()


async def test_tampered_counts_set_the_difference_metric(cluster: Cluster, here: Installation) -> None:
    """Tampered counts show in the metric, and a rebuild corrects them."""
    await here.ensure_counters(1)
    await send(cluster, [view(number) for number in range(60)])
    await views(here, 60)
    await has_difference(here, {"ledger": 0, "totals": 0})
    await ask(here, "UPDATE stats.counts SET views = views + 7 WHERE partition = 0 AND grain = 'total'")
    await ask(here, "UPDATE stats.ledger SET events = events - 2 WHERE partition = 1")
    await has_difference(here, {"ledger": 2, "totals": 7})
    done = await command(here, "rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    await has_difference(here, {"ledger": 0, "totals": 0})


async def test_dead_letter_depth_counts_each_topic(cluster: Cluster, here: Installation) -> None:
    """A metric has the number of dead letters of each topic, as long as Kafka keeps them."""
    await here.ensure_counters(1)
    await send(cluster, [b"not an event"] * 3, partition=1)
    dead = "SELECT count(*) FROM stats.dead_letters"
    entered = "SELECT sum(events) FROM stats.ledger WHERE outcome = 'dead_lettered'"

    async def are_dead_lettered() -> bool:
        return bool(await ask(here, entered) == 3 and await ask(here, dead) == 0)

    assert await becomes_true(are_dead_lettered, 60)
    await here.stop()
    counter = await here.start_counter()
    seen: dict[str, float] = {}

    async def condition() -> bool:
        seen.update(metrics(counter, "presstally_dead_letters_depth"))
        return len(seen) == len(TOPICS)

    assert await becomes_true(condition, 60)
    assert {re.findall('topic="(.*?)"', name)[0]: letters for name, letters in seen.items()} == {
        topic.name: 3 if topic is PAGE_VIEWS else 0 for topic in TOPICS
    }


async def has_difference(here: Installation, wanted: dict[str, int]) -> None:
    """Start a new counter, which reconciles at once, and compare its metric."""
    await here.stop()
    counter = await here.start_counter()
    seen: dict[str, float] = {}

    async def condition() -> bool:
        found = metrics(counter, "presstally_reconciliation_difference_events")
        seen.update({re.findall('check="(.*?)"', name)[0]: value for name, value in found.items()})
        return len(seen) == len(wanted)

    assert await becomes_true(condition, 60)
    assert seen == wanted

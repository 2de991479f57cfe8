"""Negative controls: counters without one of their safeguards, and actions that expose the difference.

A check that has never failed proves nothing. Therefore each safeguard is disabled, in a process or a database of the
suite's own, and the same actions are applied to an intact counter and to the broken one, on the same log: the intact
one must count exactly, and the broken one must be detected.
"""

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.assertions import Verdict
from tests.chaos.cluster import Cluster, Installation
from tests.chaos.faults import HOOK_SECONDS
from tests.chaos.kafka_log import LogReader, Sender
from tests.chaos.oracle import History
from tests.chaos.polling import becomes_true, wait_until

COMMIT = "SELECT pg_get_functiondef('stats.apply_batch'::regproc)"
SLOW_LOAD_SECONDS = 2.0
ROUNDS = 12
COUNTED_SECONDS = 30.0
BROKEN_SECONDS = 5.0
"""Time to wait for a broken counter, which may never reach the end."""


@dataclass
class Subject:
    """One of the two installations that are compared: with intact or with broken counters."""

    installation: Installation
    broken: str | None

    async def start(self, *, ready: bool = True, **hooks: Any) -> Any:
        if self.broken:
            hooks["broken"] = self.broken
        return await self.installation.start_counter(ready=ready, **hooks)


@dataclass
class Scenario:
    """The log that both subjects count, and its sender."""

    cluster: Cluster
    history: History
    log: LogReader
    sender: Sender

    async def send(self, rounds: int = ROUNDS) -> None:
        for _ in range(rounds):
            await self.sender.send(self.history.next_round(time.time_ns() // 1_000_000))

    async def counted(self, subject: Subject) -> None:
        """Wait until a subject has counted the whole log."""
        ends = await self.log.ends()
        assert await subject.installation.stored_counts.reach(ends, COUNTED_SECONDS), (
            "the log was not counted before the actions"
        )


# --- Broken safeguards ----------------------------------------------------------------------------------------------


def latest_without_seek() -> None:
    """Start reading where Kafka and its client choose: at the end of the log."""
    from aiokafka import AIOKafkaConsumer

    _begin_with_latest()
    AIOKafkaConsumer.seek = lambda *_: None


def no_pause_on_assignment() -> None:
    """Accept records from the moment of the assignment, and process them when the partition is loaded."""
    from aiokafka import AIOKafkaConsumer

    from services.stats.counting.consumer import CountingConsumer

    _begin_with_latest()
    seek, on_batch = AIOKafkaConsumer.seek, CountingConsumer._on_batch
    AIOKafkaConsumer.pause = lambda *_: None
    # The consumer first parks a partition at offset 0, which is ignored here, and seeks again once it is loaded.
    AIOKafkaConsumer.seek = lambda self, partition, offset: seek(self, partition, offset) if offset else None

    async def unguarded(self: CountingConsumer, records: list[Any]) -> None:
        wanted = {(record.topic, record.partition) for record in records}

        async def are_loaded() -> bool:
            return wanted <= {tuple(partition) for partition in self._assigned}

        await becomes_true(are_loaded, COUNTED_SECONDS)
        await on_batch(self, records)

    async def always(*_: Any) -> bool:
        return True

    CountingConsumer._on_batch = unguarded
    CountingConsumer._is_current = always


def _begin_with_latest() -> None:
    """Commit no offsets to Kafka, so that the client without a seek starts at the end of the log."""
    from faststream.kafka import KafkaBroker

    from services.stats.counting.offset_reporter import OffsetReporter

    OffsetReporter.commit_offsets = lambda _: None
    subscriber = KafkaBroker.subscriber

    def from_latest(self: KafkaBroker, *topics: str, **options: Any) -> Any:
        if options.get("auto_offset_reset") == "none":
            options["auto_offset_reset"] = "latest"
            options["group_id"] += "-broken"
        return subscriber(self, *topics, **options)

    KafkaBroker.subscriber = from_latest


def offset_apart() -> None:
    """Update the offset in a separate statement, after the counts were committed."""
    from services.stats.counting import consumer

    commit_batch = consumer.commit_batch

    async def apart(pool: Any, topic: str, partition: int, *arguments: Any, position: Any, new: Any) -> None:
        await commit_batch(pool, topic, partition, *arguments, position=position, new=new)
        await pool.execute(
            "UPDATE stats.offsets SET next_offset = $3 WHERE topic = $1 AND partition = $2",
            topic,
            partition,
            new.next_offset,
        )

    consumer.commit_batch = apart


async def counts_without_offset(installation: Installation) -> None:
    """Let the commit keep the old offset."""
    await _edit_commit(
        installation, r"next_offset = new_position\.next_offset", "next_offset = old_position.next_offset"
    )


async def commit_without_compare(installation: Installation) -> None:
    """Let the commit update the offset without comparing its old value."""
    await _edit_commit(installation, r"AND epoch = old_position\.epoch AND next_offset = old_position\.next_offset", "")


async def _edit_commit(installation: Installation, words: str, other_words: str) -> None:
    cluster, database = installation.cluster, installation.database
    text = await cluster.admin(database, COMMIT)
    edited, edits = re.subn(words.replace(" ", r"\s+"), other_words, text, count=1)
    assert edits == 1, f"the commit has no {words!r} any more"
    await cluster.admin(database, edited)


async def _intact(installation: Installation) -> None:
    pass


BREAKAGES: dict[str, Callable[[], None]] = {
    "latest": latest_without_seek,
    "no pause": no_pause_on_assignment,
    "offset apart": offset_apart,
}
"""How `instrumented_counter` breaks its own process."""


# --- Actions --------------------------------------------------------------------------------------------------------


async def wake_behind_another(scenario: Scenario, subject: Subject) -> None:
    """Freeze a counter before it commits a batch, let another one count on, and continue the first."""
    sleeper = await subject.start(ready=False, point="before", action="stop", call=2)
    await wait_until(lambda: sleeper.frozen, HOOK_SECONDS, "a frozen counter")
    await subject.start(ready=False)
    await scenario.counted(subject)
    sleeper.signal(signal.SIGCONT)


async def die_after_commit(scenario: Scenario, subject: Subject) -> None:
    """Kill a counter right after its commit, and start another one."""
    victim = await subject.start(ready=False, point="after", action="kill", call=2)
    await wait_until(lambda: not victim.alive, HOOK_SECONDS, "a killed counter")
    await subject.start()


async def count_and_leave(scenario: Scenario, subject: Subject) -> None:
    """Count and stop, as an intact counter: the next counter must find the records that are sent afterwards."""
    first = await subject.installation.start_counter()
    await scenario.counted(subject)
    await subject.installation.stop_counter(first)


async def load_slowly(scenario: Scenario, subject: Subject) -> None:
    """Start a counter that loads slowly, so that records arrive before its partitions are loaded."""
    await subject.start(ready=False, slow_load_seconds=SLOW_LOAD_SECONDS)


@dataclass(frozen=True)
class Control:
    """How to disable a safeguard, and the actions; events are sent before each action and at the end."""

    actions: tuple[Callable[[Scenario, Subject], Awaitable[None]], ...]
    broken_process: str | None = None
    broken_database: Callable[[Installation], Awaitable[None]] = _intact


CONTROLS = {
    "no-compare-and-set": Control((wake_behind_another,), broken_database=commit_without_compare),
    "offset-apart": Control((die_after_commit,), "offset apart", counts_without_offset),
    "latest-without-seek": Control((count_and_leave, load_slowly), "latest"),
    "no-pause-on-assignment": Control((count_and_leave, load_slowly), "no pause"),
}


async def run_control(cluster: Cluster, control: Control, seed: int) -> tuple[Verdict, Verdict]:
    """Apply the actions to both subjects at once, on one log; return the verdicts on the intact and the broken one."""
    await cluster.begin_new_log()
    # Without invalid records: storing a dead letter twice violates its key, which would protect the broken counter.
    history = History(seed, cluster.partitions, with_invalid=False)
    log = cluster.log_reader(history.invalid_values)
    scenario = Scenario(cluster, history, log, cluster.sender())
    subjects = [Subject(await cluster.install(log), None), Subject(await cluster.install(log), control.broken_process)]
    await control.broken_database(subjects[1].installation)
    try:
        for action in control.actions:
            await scenario.send()
            doing = [asyncio.create_task(action(scenario, subject)) for subject in subjects]
            await asyncio.gather(*doing)
        until = time.monotonic() + 2 * SLOW_LOAD_SECONDS
        while time.monotonic() < until:  # while the broken one loads, and afterwards
            await scenario.send(1)
            await asyncio.sleep(0.1)
        intact = await subjects[0].installation.stored_counts.check(history.expected)
        broken = await subjects[1].installation.stored_counts.check(history.expected, quiet_seconds=BROKEN_SECONDS)
    finally:
        for subject in subjects:
            await subject.installation.stop()
        await scenario.sender.stop()
    return intact, broken

"""Negative controls: counters without one of their safeguards, and actions that expose the difference.

A check that has never failed proves nothing. Therefore each safeguard is disabled, in a process or a database of the
suite's own, and the same actions are applied to an intact counter and to the broken one, on the same log: the intact
one must count exactly, and the broken one must be detected.
"""

import asyncio
import re
import signal
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.topics import PAGE_VIEWS
from tests.chaos.assertions import Verdict
from tests.chaos.cluster import Cluster, Installation
from tests.chaos.faults import HOOK_SECONDS
from tests.chaos.kafka_log import LogReader, Sender
from tests.chaos.oracle import History
from tests.chaos.polling import becomes_true, wait_until

COMMIT = "SELECT pg_get_functiondef('stats.apply_batch'::regproc)"
SLOW_LOAD_SECONDS = 2.0
LOST_RECORDS = 3
STARTED_SECONDS = 20.0
ROUNDS = 12
COUNTED_SECONDS = 30.0
BROKEN_SECONDS = 5.0
"""Time to wait for a broken counter, which may never reach the end."""


@dataclass
class Subject:
    """One of the two installations that are compared: with intact or with broken counters."""

    installation: Installation
    broken: str | None

    async def move(self, offsets: int) -> None:
        """Move all stored positions by some offsets, as a reload of another position would."""
        moved = f"next_offset = next_offset + {offsets}, epoch = epoch + 1"
        await self.installation.cluster.admin(self.installation.database, f"UPDATE stats.offsets SET {moved}")

    @property
    def is_ready(self) -> bool:
        """Whether its counters that are alive are ready: on a busy machine a start takes a while."""
        return all(counter.ready for counter in self.installation.counters if counter.alive)

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
    from services.stats.counting import commits

    commit_batches = commits.commit_batches

    async def apart(pool: Any, topic: str, batches: Any) -> list[int]:
        fenced = await commit_batches(pool, topic, batches)
        for one in batches:
            await pool.execute(
                "UPDATE stats.offsets SET next_offset = $3 WHERE topic = $1 AND partition = $2",
                topic,
                one.partition,
                one.new.next_offset,
            )
        return fenced

    commits.commit_batches = apart


def read_uncommitted() -> None:
    """Read the records of all transactions, also of aborted ones."""
    from services.stats.counting import consumer

    consumer.READ_COMMITTED = "read_uncommitted"


def no_log_check() -> None:
    """Never compare the log with the record that was counted last."""
    from services.stats.counting.log_check import LogChecker

    check = LogChecker.check

    async def unchecked(self: LogChecker, *arguments: Any) -> Any:
        return {number: one._replace(mismatch=None) for number, one in (await check(self, *arguments)).items()}

    LogChecker.check = unchecked


def visits_by_arrival() -> None:
    """Take an event that arrives late for one of the time at which its visitor was last seen."""
    from services.stats.counting.activities import ActivityTable

    update = ActivityTable.update

    def by_arrival(self: ActivityTable, ids: Any, events: Any, *arguments: Any) -> Any:
        at, last = events.at.copy(), self.end.copy()
        for row, place in enumerate(events.place.tolist()):
            at[row] = last[place] = max(at[row], last[place])
        return update(self, ids, replace(events, at=at), *arguments)

    ActivityTable.update = by_arrival


async def counts_without_offset(installation: Installation) -> None:
    """Let the commit keep the old offset."""
    await _edit_commit(installation, r"next_offset = new\.next_offset", "next_offset = new.counted_from")


async def commit_without_compare(installation: Installation) -> None:
    """Let the commit update the offset without comparing its old value.

    The key of known articles would protect the broken counter: each article is accepted once.
    """
    key = "ALTER TABLE stats.known_articles DROP CONSTRAINT known_articles_pkey"
    await installation.cluster.admin(installation.database, key)
    await _edit_commit(installation, r"AND o\.epoch = new\.epoch AND o\.next_offset = new\.counted_from", "")


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
    "read uncommitted": read_uncommitted,
    "no log check": no_log_check,
    "visits by arrival": visits_by_arrival,
}
"""How `instrumented_counter` breaks its own process."""


# --- Actions --------------------------------------------------------------------------------------------------------


async def wake_behind_another(scenario: Scenario, subject: Subject) -> None:
    """Freeze a counter before it commits a batch, let another one count on, and continue the first."""
    sleeper = await subject.start(ready=False, point="before", action="stop", call=1)
    await wait_until(lambda: sleeper.frozen, HOOK_SECONDS, "a frozen counter")
    await subject.start(ready=False)
    await scenario.counted(subject)
    sleeper.signal(signal.SIGCONT)


async def die_after_commit(scenario: Scenario, subject: Subject) -> None:
    """Kill a counter right after its commit, and start another one."""
    victim = await subject.start(ready=False, point="after", action="kill", call=1)
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


async def start_counting(scenario: Scenario, subject: Subject) -> None:
    """Start a counter."""
    await subject.start()


async def count_then_lose(scenario: Scenario, subject: Subject) -> None:
    """Count and stop, and leave a position that is not where the counted record is: as if Kafka had lost its tail.

    The log grows beyond that position before the next counter starts.
    """
    await count_and_leave(scenario, subject)
    await subject.move(LOST_RECORDS)


async def continue_then_restore(scenario: Scenario, subject: Subject) -> None:
    """Start a counter, which must stop counting; once the log is right again, it must continue by itself."""
    counter = await subject.start(ready=False)
    if subject.broken:
        await scenario.counted(subject)
    else:
        await wait_until(lambda: _has_stopped(counter), COUNTED_SECONDS, "a stop of counting")
    await subject.move(-LOST_RECORDS)


def _has_stopped(counter: Any) -> bool:
    url = f"http://127.0.0.1:{counter.part.environment['PRESSTALLY_HTTP_PORT']}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return b"presstally_consumer_counting_stopped 1.0" in response.read()
    except OSError:
        return False


async def abort_a_transaction(scenario: Scenario) -> None:
    """Send events in a transaction and abort it: nobody must count them."""
    phantoms = History(scenario.history.seed + 1, scenario.cluster.partitions, with_invalid=False)
    producer = AIOKafkaProducer(bootstrap_servers=scenario.cluster.bootstrap, transactional_id="chaos")
    await producer.start()
    try:
        await producer.begin_transaction()
        for partition, value in phantoms.next_round(time.time_ns() // 1_000_000):
            await producer.send_and_wait(PAGE_VIEWS.name, value, partition=partition)
        await producer.abort_transaction()
    finally:
        await producer.stop()


async def _nothing(scenario: Scenario) -> None:
    pass


@dataclass(frozen=True)
class Control:
    """How to disable a safeguard, and the actions; events are sent before each action and at the end."""

    actions: tuple[Callable[[Scenario, Subject], Awaitable[None]], ...]
    broken_process: str | None = None
    broken_database: Callable[[Installation], Awaitable[None]] = _intact
    disturb: Callable[[Scenario], Awaitable[None]] = _nothing
    """What happens to the log of both before the first action."""


CONTROLS = {
    "no-compare-and-set": Control((wake_behind_another,), broken_database=commit_without_compare),
    "offset-apart": Control((die_after_commit,), "offset apart", counts_without_offset),
    "latest-without-seek": Control((count_and_leave, load_slowly), "latest"),
    "no-pause-on-assignment": Control((count_and_leave, load_slowly), "no pause"),
    "read-uncommitted": Control((start_counting,), "read uncommitted", disturb=abort_a_transaction),
    "visits-by-arrival": Control((start_counting,), "visits by arrival"),
    "no-log-check": Control((count_then_lose, continue_then_restore), "no log check"),
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
        await control.disturb(scenario)
        for action in control.actions:
            await scenario.send()
            doing = [asyncio.create_task(action(scenario, subject)) for subject in subjects]
            await asyncio.gather(*doing)
        begun = time.monotonic()
        while (seconds := time.monotonic() - begun) < STARTED_SECONDS:  # while the broken one loads, and afterwards
            await scenario.send(1)
            await asyncio.sleep(0.1)
            if seconds > 2 * SLOW_LOAD_SECONDS and all(subject.is_ready for subject in subjects):
                break
        intact = await subjects[0].installation.stored_counts.check(history.expected)
        broken = await subjects[1].installation.stored_counts.check(history.expected, quiet_seconds=BROKEN_SECONDS)
    finally:
        for subject in subjects:
            await subject.installation.stop()
        await scenario.sender.stop()
    return intact, broken

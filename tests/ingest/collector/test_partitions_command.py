"""`partitions show|add` with a real Kafka and Postgres: what it refuses, and that a collector follows."""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from services.ingest.collector import partitions_command
from services.ingest.collector.clock_check import ClockCheck
from services.ingest.collector.partition_plan import NOTICE_MS, PlanEntry
from services.ingest.collector.partition_router import PartitionRouter, add_entry, read_plan
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.spool import Spool, SpooledEvent
from services.ingest.settings import IngestSettings
from services.stats.counting.decoding import RawRecord
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from shared.cli import CommandError
from shared.events import PageEvent
from shared.role import Process
from shared.sites_file import read_sites
from shared.topics import create_topics
from tests.conftest import SITES


@pytest.fixture
async def settings(
    broker_without_topics: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> IngestSettings:
    """Settings of a Kafka with fresh topics of 3 partitions, and a fresh database."""
    (tmp_path / "sites.toml").write_text(SITES, encoding="utf-8")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", broker_without_topics)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PRESSTALLY_SITES", str(tmp_path / "sites.toml"))
    settings = IngestSettings.load()
    await create_topics(settings.kafka, 3, 1)
    return settings


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    partitions_command.add_arguments(parser)
    return parser.parse_args(words)


async def command(settings: IngestSettings, *words: str) -> None:
    await partitions_command.run(parse(*words), settings)


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the publisher has no event for it
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_collector(
    settings: IngestSettings, pool: asyncpg.Pool, folder: Path
) -> AsyncIterator[tuple[EventPublisher, PartitionRouter]]:
    """Run a publisher and its router, connected."""
    clock = ClockCheck()
    router = PartitionRouter(pool, folder / "partition-plan.json", clock)
    process = Process()
    publisher = EventPublisher(
        settings.kafka,
        "page-views",
        Spool(folder / "spool/0", 10_000_000),
        folder / "spool",
        router=router,
        clock=clock,
        deadline_seconds=60,
        process=process,
    )
    refreshing = process.spawn(router.run_refresh(), "refresh")
    await until(lambda: publisher.warning is None and router._plan.newest is not None)
    try:
        yield publisher, router
    finally:
        refreshing.cancel()
        await publisher.stop()


@pytest.fixture
async def collector(settings: IngestSettings, pool: asyncpg.Pool, tmp_path: Path) -> Any:
    """A publisher and its router, connected."""
    async with running_collector(settings, pool, tmp_path) as running:
        yield running


async def test_added_partitions_are_seen_and_used_from_the_agreed_time_on(
    settings: IngestSettings, collector: Any, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A running collector sees partitions within 10 s, and uses them for events behind the change only."""
    publisher, router = collector
    await command(settings, "show")
    assert capsys.readouterr().out == "page-views has 3 partitions in Kafka\n  3 in use since the beginning\n"
    await command(settings, "add", "5", "--at", "soon")
    printed = capsys.readouterr().out
    assert "page-views has 5 partitions in Kafka" in printed
    assert "5 are used from" in printed
    now, plan = await read_plan(pool)
    assert plan.newest is not None
    assert now + NOTICE_MS < plan.newest.effective_at < now + NOTICE_MS + 120_000
    async with asyncio.timeout(60):
        await until(lambda: router._kafka.partitions == 5 and router._plan == plan)
    at = {"before": int(now), "after": plan.newest.effective_at + 7_200_000}
    for moment in at.values():
        for visitor in range(15):
            value = json.dumps({"id": str(uuid4()), "kind": "view", "at": moment}).encode()
            await publisher.publish([SpooledEvent(visitor, value)])
    found: dict[int, list[int]] = {}
    async with AIOKafkaConsumer(
        "page-views", bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(60):
            while sum(map(len, found.values())) < 30:
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    found.setdefault(partition.partition, []).extend(json.loads(one.value)["at"] for one in records)
    assert {number: sorted(times) for number, times in found.items()} == {
        **{number: [at["before"]] * 5 + [at["after"]] * 3 for number in range(3)},
        **{number: [at["after"]] * 3 for number in (3, 4)},
    }


async def test_copies_through_two_collectors_around_a_change_count_once(
    settings: IngestSettings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """Of 40 views each collector gets one copy, with times on both sides of the change; the counter counts 40."""
    now = time.time_ns() // 1_000_000
    changed_at = now - 30 * 60_000
    await partitions_command.create_partitions(settings.kafka, 5)
    for entry in (PlanEntry(0, 3), PlanEntry(changed_at, 5)):
        await add_entry(pool, entry)
    ids = [str(uuid4()) for _ in range(40)]

    def copies(seconds: int) -> list[SpooledEvent]:
        """Return a copy of each view; the times of a visitor's copies differ by some seconds."""
        return [
            SpooledEvent(
                number * 7_919,
                msgspec.json.encode(
                    PageEvent(
                        id=one,
                        site="haihau",
                        kind="view",
                        path="/",
                        at=changed_at + (seconds if number % 2 else -seconds) * 1_000,
                        visitor=f"{number:016x}",
                    )
                ),
            )
            for number, one in enumerate(ids)
        ]

    async with (
        running_collector(settings, pool, tmp_path / "a") as (first, _),
        running_collector(settings, pool, tmp_path / "b") as (second, _),
    ):
        await asyncio.gather(first.publish(copies(3)), second.publish(copies(-4)))
        await asyncio.gather(second.publish(copies(-1_200)), first.publish(copies(1_500)))
    log: dict[int, list[RawRecord]] = {}
    async with AIOKafkaConsumer(
        "page-views", bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(60):
            while sum(map(len, log.values())) < 160:
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    raw = [RawRecord(one.offset, one.timestamp, one.value) for one in records]
                    log.setdefault(partition.partition, []).extend(raw)
    assert len(log) == 5
    sites = read_sites(settings.sites)
    ledger: Counter[str] = Counter()
    for records in log.values():
        for (_, _, outcome, _), events in fold(records, PartitionState(), sites).ledger.items():
            ledger[outcome] += events
    assert (ledger["counted"] + ledger["late"], ledger["duplicate"]) == (40, 120), ledger


async def test_partitions_of_kafkas_own_tools_are_taken_into_use(
    settings: IngestSettings, collector: Any, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Partitions that were added by other means stay empty with a warning, until the command records the number."""
    _, router = collector
    await partitions_command.create_partitions(settings.kafka, 4)
    await until(lambda: router.warning)
    await command(settings, "show")
    assert "run `presstally ingest partitions add 4`" in capsys.readouterr().out
    await command(settings, "add", "4")
    await command(settings, "add", "4")  # a repetition changes nothing
    _, plan = await read_plan(pool)
    assert [entry.partitions for entry in plan.entries] == [3, 4]
    assert plan.newest is not None
    midnight = datetime.fromtimestamp(plan.newest.effective_at / 1000, UTC)
    assert (midnight.hour, midnight.minute) == (17, 0), "the midnight of Vietnam"
    await until(lambda: router.warning is None)


async def test_unsafe_changes_are_refused_with_a_reason(
    settings: IngestSettings, collector: Any, pool: asyncpg.Pool
) -> None:
    """Fewer partitions, too short a notice, and a second change within two hours are refused; nothing is recorded."""
    soon = (datetime.now(UTC) + timedelta(minutes=14)).isoformat()
    for words, message in {
        ("0",): "must be 1 to 1000",
        ("1001",): "must be 1 to 1000",
        ("2",): "has 3 partitions already, and Kafka cannot remove any",
        ("4", "--at", soon): "at least 15 minutes ahead",
        ("4", "--at", "2020-01-01T00:00Z"): "at least 15 minutes ahead",
    }.items():
        with pytest.raises(CommandError, match=message):
            await command(settings, "add", *words)
    assert await partitions_command.count_partitions(settings.kafka) == 3
    await command(settings, "add", "4", "--at", "soon")
    with pytest.raises(CommandError, match="the next change must be at least 2 hours later"):
        await command(settings, "add", "6", "--at", (datetime.now(UTC) + timedelta(hours=1)).isoformat())
    _, plan = await read_plan(pool)
    assert [entry.partitions for entry in plan.entries] == [3, 4]


@pytest.mark.parametrize("at", ["tomorrow", "2026-12-01T00:00", "", "24:00"])
def test_time_without_offset_is_rejected(at: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A time needs a date and its offset from UTC: midnight is another instant in each zone."""
    with pytest.raises(SystemExit):
        parse("add", "24", "--at", at)
    assert "2026-12-01T00:00+07:00" in capsys.readouterr().err or at == "2026-12-01T00:00"


async def test_missing_topic_names_the_command(settings: IngestSettings) -> None:
    """Without the topic the message says how to create it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    await admin.start()
    await admin.delete_topics(["page-views"])
    async with asyncio.timeout(60):
        while "page-views" in await admin.list_topics():  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.05)
    await admin.close()
    with pytest.raises(CommandError, match=r"does not exist; run `presstally topics`"):
        await command(settings, "show")

"""`make doctor` on the running system: passing checks in health, and messages for what is wrong."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import doctor as doctor_module
from deploy.local.doctor import Installation
from deploy.local.kafka_lookups import describe_numbers, open_consumer, unread_partitions
from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import alter_config
from shared.topic_check import topic_client

ROOT = Path(__file__).parent.parent.parent


def doctor(system: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli", "doctor"]
    return subprocess.run(command, cwd=ROOT, env=system.environment, capture_output=True, text=True, check=False)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def poison(kafka: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait("articles", b"not an article", key=b"x", partition=0)


def test_doctor_reports_each_fault_and_exits_with_1(system: Any, wait: Callable[..., Any]) -> None:
    """A wrong ledger and a dead letter are each reported, and the exit code is 1."""
    system.post_events([{"id": "0f1e2d3c-0000-4000-8000-00000000d0c7", "site": "haihau", "kind": "view", "path": "/"}])

    def sentences() -> str:
        done = doctor(system)
        return done.stdout + done.stderr

    healthy = wait(
        lambda: print(said := sentences()) or ("ledger: consistent in 12 of 12" in said and said),
        30,
        "a balanced ledger",
    )
    for fine in (
        "topics: all are as they must be",
        "consumers: every partition is read",
        "clocks: the collector's is 0.0 s ahead of the broker's",
        "processes running",
        "ingest is ready",
        "stats is ready",
        "render is ready",
        "gateway: ok",
        "GB free",
    ):
        assert f"ok      {fine}" in healthy or fine in healthy, healthy
    cut = (
        "UPDATE stats.ledger SET events = events {} 1 WHERE (site, day, outcome, reason, partition) = "
        "(SELECT site, day, outcome, reason, partition FROM stats.ledger "
        "ORDER BY partition, site, day, outcome, reason LIMIT 1)"
    )
    asyncio.run(execute(system.database_url, cut.format("-")))
    asyncio.run(poison(system.kafka))
    try:
        wait(lambda: "`presstally stats dlq list --topic articles` shows them" in sentences(), what="the dead letter")
        done = doctor(system)
        assert done.returncode == 1
        assert "but the ledger has" in done.stdout
        assert "; run `presstally stats verify`" in done.stdout
        assert "check(s) failed" in done.stdout
    finally:
        asyncio.run(execute(system.database_url, cut.format("+")))
    assert "ledger: consistent in 12 of 12 partitions" in sentences()


@pytest.mark.parametrize(
    ("part", "messages"),
    [
        ("stats", ["stats is frozen", "stats does not answer", "ok      render is ready"]),
        (
            "postgres",
            [
                "postgres is frozen",
                "Postgres cannot be used: it does not answer within 3 s; `presstally logs postgres` shows",
            ],
        ),
        (
            "gateway",
            [
                "gateway is frozen",
                "gateway does not answer: timed out; `presstally logs gateway` shows",
                "ok      stats is ready",
            ],
        ),
    ],
)
def test_doctor_names_frozen_process_and_checks_others(
    system: Any, wait: Callable[..., Any], part: str, messages: list[str]
) -> None:
    """A frozen process is named, and the other processes are still checked."""
    pid = system.state()["parts"][part]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = doctor(system)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 1
    for sentence in messages:
        assert sentence in done.stdout, done.stdout
    wait(system.all_ready, what="health")


def test_doctor_names_partitions_that_nobody_reads(system: Any, wait: Callable[..., Any]) -> None:
    """Once Kafka has removed a frozen counter from its group, its partitions are named."""
    pid = system.state()["parts"]["stats"]
    os.kill(pid, signal.SIGSTOP)
    try:
        sentence = "FAILED  page-views: nobody reads partitions 0-11: no consumer is assigned to them"
        wait(lambda: sentence in doctor(system).stdout, 30, sentence)
        assert "FAILED  counter-adjustments: nobody reads partitions 0-11" in doctor(system).stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    wait(lambda: "consumers: every partition is read" in doctor(system).stdout, what="readers")


def test_wrong_topics_are_reported_by_doctor_and_readiness(system: Any, wait: Callable[..., Any]) -> None:
    """Each service that uses a wrong topic stays ready with a warning, the doctor fails, and `apply` mends both."""
    environment = {**system.environment, "KAFKA_BOOTSTRAP": system.kafka, "DATABASE_URL": system.database_url}
    asyncio.run(set_property(system.kafka, "articles", "cleanup.policy", "delete"))
    try:
        for service in ("articles", "stats", "render"):
            url = f"http://127.0.0.1:{system.port(service)}/readyz"
            answer = wait(lambda url=url: (said := system.get(url)).json()["warnings"] and said, 45, "the warning")
            assert answer.status == 200
            (warning,) = answer.json()["warnings"]
            assert "topic articles: cleanup.policy is delete instead of compact" in warning
            assert "run `presstally topics apply`" in warning
            page = system.get(f"http://127.0.0.1:{system.port(service)}/metrics").text
            assert 'presstally_topic_deviations{property="cleanup.policy",topic="articles"} 1.0' in page
        done = doctor(system)
        assert (done.returncode, "FAILED  topic articles: cleanup.policy is delete" in done.stdout) == (1, True)
    finally:
        command = [sys.executable, "-m", "shared.topics", "apply"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "articles: cleanup.policy was delete and is compact\n"), done.stderr
    assert "topics: all are as they must be" in doctor(system).stdout
    for service in ("articles", "stats", "render"):
        url = f"http://127.0.0.1:{system.port(service)}/readyz"
        wait(lambda url=url: not system.get(url).json()["warnings"], 45, "the end of the warning")


async def set_property(kafka: str, topic: str, name: str, value: str) -> None:
    async with topic_client(KafkaConfig(kafka)) as client:
        await alter_config(client, topic, {name: value})


async def test_unread_partitions_are_those_without_a_member(broker_alone: str) -> None:
    """A topic whose only consumer has left, or joins a moment later, is unread in between."""
    kafka, name = KafkaConfig(broker_alone), f"read-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1)])
    await admin.close()
    assert await unread_partitions(kafka, [name]) == {name: [0, 1, 2]}
    async with (
        AIOKafkaConsumer(name, bootstrap_servers=broker_alone, group_id=name) as consumer,
        AIOKafkaConsumer(name, bootstrap_servers=broker_alone, group_id=f"{name}-2") as other,
    ):
        while not (consumer.assignment() and other.assignment()):  # noqa: ASYNC110 - they have no event
            await asyncio.sleep(0.05)
        assert await unread_partitions(kafka, [name]) == {}
    assert await unread_partitions(kafka, [name]) == {name: [0, 1, 2]}


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([4], "partition 4"), ([0, 1, 2, 3], "partitions 0-3"), ([0, 2, 3, 7], "partitions 0, 2-3, 7")],
)
def test_partitions_are_described_as_ranges(numbers: list[int], text: str) -> None:
    """Neighbouring numbers are one range."""
    assert describe_numbers(numbers) == text


@pytest.mark.parametrize(
    ("offset", "is_fine", "text"),
    [(0.0, True, "0.0 s ahead of"), (12.34, True, "12.3 s ahead of"), (-90.0, False, "90.0 s behind")],
)
async def test_clock_difference_is_shown_with_its_direction(
    monkeypatch: pytest.MonkeyPatch, offset: float, is_fine: bool, text: str
) -> None:
    """The difference is shown in any case, and fails beyond half a minute."""

    async def page(_: str) -> str:
        return f"# HELP\npresstally_collector_clock_offset_seconds {offset}\n"

    monkeypatch.setattr(doctor_module, "_get", page)
    installation = Installation(Path(), {"ingest": 1}, {}, KafkaConfig("127.0.0.1:1"), "")
    (finding,) = await doctor_module._clocks(installation)
    assert (finding.is_fine, text in finding.message) == (is_fine, True)


async def test_sites_that_no_service_would_start_with_are_reported(tmp_path: Path) -> None:
    """A theme's folder that was removed and a half-written file are named before a restart fails by them."""
    sites = tmp_path / "sites.toml"
    sites.write_text('[[site]]\nslug = "a"\nname = "A"\norigins = ["https://a.vn"]\ntimezone = "UTC"\ntheme = "t"\n')
    installation = Installation(tmp_path, {}, {}, KafkaConfig("127.0.0.1:1"), "", sites)
    (finding,) = await doctor_module._sites(installation)
    missing = f"site a: theme {tmp_path / 't'}: no such folder"
    assert finding == (False, f"sites: a service would not start with them: {missing}")
    (tmp_path / "t").mkdir()
    (finding,) = await doctor_module._sites(installation)
    assert finding == (True, f"sites: 1 declared in {sites}")
    sites.write_text("[[site")
    (finding,) = await doctor_module._sites(installation)
    assert not finding.is_fine
    assert "is not TOML" in finding.message


async def test_what_several_services_report_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence of several processes and roles is printed once, with the names of all; others have their own."""
    shared = "topic page-views: retention.ms is 1, not 604800000"
    refused = "the sites' configuration was refused, the former one is in use: sites.toml: site a: x"

    async def get(url: str) -> str:
        role = "counter" if url.endswith(":2/readyz") else "site"
        problems = ["counter: lag"] if role == "counter" else []
        return json.dumps({"problems": problems, "warnings": [refused, f"{role}: {shared}"]})

    monkeypatch.setattr(doctor_module, "_get", get)
    ports = {"ingest": 1, "articles": 1, "stats": 2, "render": 1}
    findings = await doctor_module._readiness(SimpleNamespace(ports=ports))  # type: ignore[arg-type] # all that it reads
    assert sorted(finding.message for finding in findings) == [
        f"ingest, articles, stats, render: {refused}",
        f"ingest: site, articles: site, stats: counter, render: site: {shared}",
        "stats: counter: lag",
    ]


async def test_what_keeps_several_checks_from_an_answer_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each store and service that does not answer is one finding, with the checks that it keeps and its log."""

    async def needs_kafka(here: Installation) -> list[Any]:
        async with open_consumer(here.kafka):
            return []

    async def needs_stats(here: Installation) -> list[Any]:
        await doctor_module._get(f"http://127.0.0.1:{here.ports['stats']}/metrics")
        return []

    async def needs_postgres(here: Installation) -> list[Any]:
        async with doctor_module._postgres(here):
            return []

    needs = {"kafka": needs_kafka, "stats": needs_stats, "postgres": needs_postgres}
    checks = {f"{name} {number}": check for name, check in needs.items() for number in (1, 2)}
    monkeypatch.setattr(doctor_module, "CHECKS", checks)
    with socket.socket() as closed:  # bound and not listening: everything is refused
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"postgresql://u:x@127.0.0.1:{port}/x"
        parts = {"kafka": 1, "stats": 1}
        findings = await doctor_module.run_checks(
            Installation(Path(), {"stats": port}, parts, KafkaConfig(f"127.0.0.1:{port}"), url)
        )
    kafka, stats, postgres = (finding.message for finding in findings)
    assert kafka.startswith(f"Kafka at 127.0.0.1:{port} ")
    assert kafka.endswith("; `presstally logs kafka` shows why; not checked: kafka 1, kafka 2")
    said = "stats does not answer: Connection refused; `presstally logs stats` shows why"
    assert stats == f"{said}; not checked: stats 1, stats 2"
    assert postgres.startswith("Postgres cannot be used: ")
    assert postgres.endswith("; not checked: postgres 1, postgres 2")  # it is another's, whose log is elsewhere
    assert "`" not in postgres


def test_doctor_without_installation_fails(tmp_path: Path) -> None:
    """Without a running installation the doctor says so and fails."""
    command = [sys.executable, "-m", "deploy.cli", "doctor"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PRESSTALLY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, f"presstally: nothing is running at {tmp_path}\n")

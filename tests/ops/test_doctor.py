"""`make doctor` on the running system: passing checks in health, and messages for what is wrong."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

ROOT = Path(__file__).parent.parent.parent


def doctor(system: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.local", "doctor"]
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
        wait(lambda: "unreadable records of articles" in sentences(), 20, "the dead letter")
        done = doctor(system)
        assert done.returncode == 1
        assert "but the ledger has" in done.stdout
        assert "; run `python -m services.stats verify`" in done.stdout
        assert "check(s) failed" in done.stdout
    finally:
        asyncio.run(execute(system.database_url, cut.format("+")))
    assert "ledger: consistent in 12 of 12 partitions" in sentences()


@pytest.mark.parametrize(
    ("part", "messages"),
    [
        ("stats", ["stats is frozen", "stats does not answer", "ok      render is ready"]),
        ("postgres", ["postgres is frozen", "ledger: check failed: Postgres does not answer within 3 s"]),
        ("gateway", ["gateway is frozen", "gateway: check failed: timed out", "ok      stats is ready"]),
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
    wait(system.all_ready, 30, "health")


def test_doctor_without_installation_fails(tmp_path: Path) -> None:
    """Without a running installation the doctor says so and fails."""
    command = [sys.executable, str(ROOT / "deploy/local/bootstrap.py"), "doctor"]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "PRESSTALLY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "presstally: nothing is running\n")

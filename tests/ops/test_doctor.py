"""`make doctor` on the running system: silent in health, and in words when something is wrong."""

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


def test_the_doctor_tells_health_from_illness(system: Any, wait: Callable[..., Any]) -> None:
    """A hole in the ledger, a dead letter and an overdue article are each named, and the exit code is 1."""
    system.post_events([{"id": "0f1e2d3c-0000-4000-8000-00000000d0c7", "site": "haihau", "kind": "view", "path": "/"}])

    def sentences() -> str:
        done = doctor(system)
        return done.stdout + done.stderr

    healthy = wait(
        lambda: print(said := sentences()) or ("ledger balances in 12 of 12" in said and said), 30, "a balanced ledger"
    )
    for fine in (
        "parts run",
        "ingest is ready",
        "stats is ready",
        "render is ready",
        "the gateway answers",
        "GB are free",
    ):
        assert f"ok     {fine}" in healthy or fine in healthy, healthy
    cut = (
        "UPDATE stats.ledger SET events = events {} 1 WHERE (site, day, outcome, reason, part) = "
        "(SELECT site, day, outcome, reason, part FROM stats.ledger ORDER BY part, site, day, outcome, reason LIMIT 1)"
    )
    asyncio.run(execute(system.database_url, cut.format("-")))
    asyncio.run(poison(system.kafka))
    try:
        wait(lambda: "of articles could not be read" in sentences(), 20, "the dead letter")
        done = doctor(system)
        assert done.returncode == 1
        assert "are in the ledger; run `python -m services.stats verify`" in done.stdout
        assert "thing(s) are wrong" in done.stdout
    finally:
        asyncio.run(execute(system.database_url, cut.format("+")))
    assert "the ledger balances in 12 of 12 partitions" in sentences()


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("stats", ["stats is frozen", "stats does not answer", "ok     render is ready"]),
        ("postgres", ["postgres is frozen", "the ledger cannot be looked at: Postgres does not answer within 3 s"]),
        ("gateway", ["gateway is frozen", "the gateway cannot be looked at: timed out", "ok     stats is ready"]),
    ],
)
def test_the_doctor_names_who_does_not_answer(
    system: Any, wait: Callable[..., Any], part: str, says: list[str]
) -> None:
    """A part that stands still is named, and the other parts are looked at too."""
    pid = system.state()["parts"][part]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = doctor(system)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 1
    for sentence in says:
        assert sentence in done.stdout, done.stdout
    wait(system.all_ready, 30, "health")


def test_the_doctor_of_nothing(tmp_path: Path) -> None:
    """Where nothing runs the doctor says so and fails."""
    command = [sys.executable, str(ROOT / "deploy/local/bootstrap.py"), "doctor"]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "PRESSTALLY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "presstally: nothing is running\n")

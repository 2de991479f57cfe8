"""A service's process, from its start to its exit code."""

import os
import resource
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from shared.process import raise_open_files_limit
from tests.conftest import free_ports, wait_for

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import asyncio, resource, sys
from contextlib import asynccontextmanager
import shared.process
from shared.process import run_service
from shared.role import Role
from shared.settings import Settings

hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if sys.argv[1] == "kafka":
    from aiokafka.conn import AIOKafkaConnection

@asynccontextmanager
async def run_steady(settings, process):
    yield Role("steady")
    print("stopped", flush=True)

@asynccontextmanager
async def run_kafka(settings, process):
    process.stop.set()
    yield Role("kafka")
    print(AIOKafkaConnection.send.__name__, flush=True)

@asynccontextmanager
async def run_limited(settings, process):
    process.stop.set()
    yield Role("limited")
    print(resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)

@asynccontextmanager
async def run_failing(settings, process):
    async def fail():
        await asyncio.sleep(0.2)
        raise LookupError("broken")
    process.spawn(fail(), "fail")
    yield Role("failing")
    print("stopped", flush=True)

@asynccontextmanager
async def run_stuck(settings, process):
    yield Role("stuck")
    await asyncio.sleep(60)

shared.process.DRAIN_SECONDS = 0.1
if sys.argv[1:] == ["stuck"]:
    shared.process.STOP_SECONDS = 0.5
roles = {"steady": run_steady, "kafka": run_kafka, "limited": run_limited, "failing": run_failing, "stuck": run_stuck}
sys.exit(run_service("test", roles, Settings.load(), sys.argv[1:]))
"""


def start(role: str, port: int, log: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    settings = {
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://u:x@127.0.0.1:1/x",
        "PRESSTALLY_HTTP_PORT": str(port),
    }
    command = [sys.executable, "-c", PROGRAM, role]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=pipe, stderr=log, text=True)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("role", "signal_number", "code", "output"),
    [
        ("steady", signal.SIGTERM, 0, "stopped\n"),
        ("steady", signal.SIGINT, 0, "stopped\n"),
        ("stuck", signal.SIGTERM, 1, ""),
    ],
)
def test_process_stops_within_its_bound(role: str, signal_number: int, code: int, output: str) -> None:
    """After SIGTERM or SIGINT the roles stop and the exit code is 0; a role that does not stop is left, with 1."""
    port = free_ports(1)
    process = start(role, port)
    try:
        wait_for(lambda: is_ready(port), what="the role")
        process.send_signal(signal_number)
        printed, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, printed) == (code, output), log
    assert ("stop took too long" in log) is (code == 1)


def test_failed_background_task_ends_the_process() -> None:
    """A task that raises stops all roles in order; the exit code is 1 and the log says which task it was."""
    process = start("failing", free_ports(1))
    printed, log = process.communicate(timeout=60)
    assert (process.returncode, printed) == (1, "stopped\n"), log
    assert "LookupError('broken')" in log


def test_process_reports_writes_to_broken_connections() -> None:
    """Every Kafka client of a service's process raises connection errors, which it retries, for such a write."""
    process = start("kafka", free_ports(1))
    printed, log = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "send_or_report\n"), log


def test_process_that_crashes_leaves_no_memory_on_the_disk() -> None:
    """Core dumps are off in every service, whatever its parent allows."""
    process = start("limited", free_ports(1))
    printed, log = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "0\n"), log


@pytest.mark.parametrize(("role", "is_stopped_by_itself"), [("steady", False), ("failing", True), ("stuck", False)])
def test_full_disk_under_the_log_does_not_stop_the_process(role: str, is_stopped_by_itself: bool) -> None:
    """A service whose log lines cannot be written serves, and stops in time when it is asked to."""
    port = free_ports(1)
    with Path("/dev/full").open("w") as full, start(role, port, full) as process:
        try:
            if not is_stopped_by_itself:
                wait_for(lambda: is_ready(port), what="the role")
                process.send_signal(signal.SIGTERM)
            printed, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert printed == ("" if role == "stuck" else "stopped\n")


def test_open_files_limit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit becomes the hard one."""
    limits: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    assert (raise_open_files_limit(), limits) == (4_096, [(4_096, 4_096)])

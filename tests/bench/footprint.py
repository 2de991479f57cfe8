"""Memory and processor time of a whole local copy: at rest, and at 50 views a second.

The copy is one of its own, started as `presstally up` starts it. Memory is PSS, which counts shared pages once in all.
Processor time is that of the process and its children, in percent of one processor, so that other programs on the
machine do not change it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from deploy.local.bootstrap import PORT_NAMES, ROOT
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.measurements import cpu_of_tree
from tests.bench.options import Options
from tests.conftest import PERSON, free_ports
from tests.soak.client import Client

SITE = "haihau"
PER_SECOND = 50
SETTLE_SECONDS = 45.0
SECONDS = 60.0
START_SECONDS = 120.0
STOP_SECONDS = 60.0
VISITORS = 5_000
ARTICLES = 200
SUPERVISOR = "supervisor"


class Usage(NamedTuple):
    """What one part of the copy takes."""

    pss_mb: float
    cpu_percent: float


def footprint(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Measure a local copy of its own at rest and at 50 views a second: PSS and percent of a processor."""
    with tempfile.TemporaryDirectory(prefix="presstally-footprint-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with running_copy(Path(folder) / "home") as state:
            parts = {**state["parts"], SUPERVISOR: state["pid"]}
            time.sleep(SETTLE_SECONDS)
            rest = measure(parts, SECONDS)
            sending = pool.submit(send_views, state["ports"]["gateway"], SETTLE_SECONDS + SECONDS)
            time.sleep(SETTLE_SECONDS / 2)
            busy = measure(parts, SECONDS)
            views = sending.result()
        print_table(rest, busy)
        print(f"  {views:,} views were acknowledged", flush=True)


@contextmanager
def running_copy(home: Path, **environment: str) -> Iterator[dict[str, Any]]:
    """Start a local installation, yield its state file's content once it is ready, and stop it."""
    port = free_ports(len(PORT_NAMES))
    given = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP", "DATABASE_URL")}
    given |= {"PRESSTALLY_HOME": str(home), "PRESSTALLY_PORT": str(port), "PRESSTALLY_TRUSTED_PROXIES": "127.0.0.1/32"}
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT,
        env=given | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _wait_until_ready(home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOP_SECONDS)


def _wait_until_ready(home: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(f"the copy did not start: {process.communicate()[0].strip()[-1000:]}")
        try:
            state = json.loads((home / "stack.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            state = {}
        if state.get("ready"):
            return dict(state)
        time.sleep(0.2)
    raise BenchmarkError(f"the copy was not ready within {START_SECONDS:.0f} s")


def measure(parts: Mapping[str, int], seconds: float) -> dict[str, Usage]:
    """Return what each part takes over this time; memory is that at its end."""
    began, before = time.monotonic(), {name: cpu_seconds(name, pid) for name, pid in parts.items()}
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    return {
        name: Usage(_pss_mb(name, pid), 100 * (cpu_seconds(name, pid) - before[name]) / elapsed)
        for name, pid in parts.items()
    }


def cpu_seconds(name: str, pid: int) -> float:
    """Return the processor time that a part of the copy has taken, with its children."""
    if name == SUPERVISOR:  # its children are the other parts
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return cpu_of_tree(pid)


def _pss_mb(name: str, pid: int) -> float:
    tree = [psutil.Process(pid)]
    if name != SUPERVISOR:
        tree += tree[0].children(recursive=True)
    return sum(map(pss_kb, (one.pid for one in tree))) / 1024


def pss_kb(pid: int) -> int:
    """Return the proportional set size of a process in KiB; 0 if it has exited."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def print_table(rest: Mapping[str, Usage], busy: Mapping[str, Usage]) -> None:
    """Print the rows of the table in docs/benchmarks.md."""
    print(f"  | part | MB at rest | % of a core | MB at {PER_SECOND} views/s | % of a core |")
    print("  | --- | --- | --- | --- | --- |")
    totals = [sum(column) for column in zip(*((*rest[name], *busy[name]) for name in rest), strict=True)]
    for name, numbers in [*((name, [*rest[name], *busy[name]]) for name in rest), ("all", totals)]:
        print("  | {} | {:.0f} | {:.1f} | {:.0f} | {:.1f} |".format(name, *numbers))


def send_views(port: int, seconds: float) -> int:
    """Send views of many visitors through the gateway at a steady rate; return how many were acknowledged."""
    return asyncio.run(_send_views(port, seconds))


async def _send_views(port: int, seconds: float) -> int:
    client, acknowledged, begun = Client(port), 0, time.monotonic()
    origin = f"http://localhost:{port}"

    async def send(number: int) -> None:
        nonlocal acknowledged
        visitor, article = number * 7_919 % VISITORS, number * 104_729 % ARTICLES
        event = {
            "id": str(uuid.uuid4()),
            "site": SITE,
            "kind": "view",
            "path": f"/bai-{article}",
            "article": f"b{article}",
        }
        address = f"10.{visitor // 65_536}.{visitor // 256 % 256}.{visitor % 256}"
        headers = {"content_type": "text/plain", "user_agent": PERSON, "origin": origin, "x_forwarded_for": address}
        reply = await client.request("POST", "/e", json.dumps(event).encode(), **headers)
        acknowledged += reply.status == 202

    async with asyncio.TaskGroup() as sending:
        for number in range(int(seconds * PER_SECOND)):
            await asyncio.sleep(begun + number / PER_SECOND - time.monotonic())
            sending.create_task(send(number))
    client.close()
    return acknowledged

"""Requests per second on `GET /stats/{site}/counter`, alternating with a minimal ASGI application."""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from deploy.local.bootstrap import ROOT
from tests.bench.infrastructure import Infrastructure, Service
from tests.bench.load import SITE
from tests.bench.measurements import cpu_of
from tests.bench.options import Options
from tests.bench.summary import keep
from tests.conftest import answers, free_ports, wait_for

CONNECTIONS = 64
SECONDS = 5
PAUSE_SECONDS = 0.5
KNOWN = """
wrk.headers["If-None-Match"] = "*"
"""
STORM = """
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", string.format("/stats/haihau/articles/invented-%d-%d/counter", math.random(1e9), count))
end
"""


def counter_api(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Measure both in rounds; then the counter under a flood of requests for invented articles."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("  wrk is not installed (apt install wrk): nothing was measured")
        return
    with infrastructure.counting("127.0.0.1:9") as counting, _hello() as (hello_port, hello_pid):
        widget = counting.start("widget")
        url = f"http://127.0.0.1:{widget.port}/stats/{SITE}/counter"
        print(f"  {CONNECTIONS} connections, {SECONDS} s each")
        print("  round       hello/s  p99 ms   counter/s  p99 ms   ratio  CPU ratio   304/s  ratio")
        rounds: list[tuple[float, ...]] = []
        for number in range(1, options.rounds + 1):
            bare, bare_p99, bare_cpu = _run(wrk, f"http://127.0.0.1:{hello_port}/", hello_pid)
            full, p99, cpu = _run(wrk, url, widget.pid)
            known, _, _ = _run(wrk, url, widget.pid, KNOWN)
            rounds.append((bare, bare_p99, full, p99, full / bare, bare_cpu / cpu, known, known / bare))
            _print_line(str(number), rounds[-1])
        medians = tuple(statistics.median(column) for column in zip(*rounds, strict=True))
        _print_line("median", medians)
        keep(counter_api=medians[4])
        print("  The CPU ratio compares the servers' processor seconds a request; wrk runs beside them.")
        _print_storm(wrk, url, widget)
        widget.end()


def _print_line(name: str, values: tuple[float, ...]) -> None:
    bare, bare_p99, full, p99, ratio, cpu_ratio, known, known_ratio = values
    line = f"{bare:>10,.0f}{bare_p99:>8.1f}{full:>12,.0f}{p99:>8.1f}{ratio:>8.2f}{cpu_ratio:>11.2f}"
    print(f"  {name:<9}{line}{known:>8,.0f}{known_ratio:>7.2f}", flush=True)


def _print_storm(wrk: str, url: str, widget: Service) -> None:
    calm = _run(wrk, url, widget.pid, connections=2)
    with _script(STORM) as script:
        storm = subprocess.Popen(
            [wrk, "-t1", "-c64", f"-d{SECONDS + 2}", "-s", script, url], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        stormy = _run(wrk, url, widget.pid, connections=2)
        output = storm.communicate()[0]
    print("  The site's counter on 2 connections, alone and while 64 others request articles that do not exist:")
    print(
        f"  p99 {calm[1]:.1f} ms and {stormy[1]:.1f} ms; the flood had {_figure(output, 'Requests/sec'):,.0f} resp./s,"
    )
    status, metrics = widget.get("/metrics")
    reads = re.search(r'presstally_widget_reads_total\{result="read"\} (\S+)', metrics) if status == 200 else None
    print(
        f"  and {float(reads[1]) if reads else float('nan'):,.0f} counters were read from Postgres in all.", flush=True
    )


@contextmanager
def _hello() -> Iterator[tuple[int, int]]:
    port = free_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.baseline_http", str(port)], cwd=ROOT)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"), what="the bare ASGI application")
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def _script(text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as file:
        file.write(text)
    try:
        yield file.name
    finally:
        Path(file.name).unlink()


def _run(wrk: str, url: str, pid: int, lua: str = "", connections: int = CONNECTIONS) -> tuple[float, float, float]:
    """Return requests per second, p99 in milliseconds, and the server's CPU seconds per request."""
    time.sleep(PAUSE_SECONDS)
    with _script(lua) as script:
        command = [wrk, "-t1", f"-c{connections}", f"-d{SECONDS}", "--latency", "-s", script, url]
        before = cpu_of(pid)
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = cpu_of(pid) - before
    requests = _figure(output, r"\s(\d+) requests in")
    return _figure(output, "Requests/sec"), _milliseconds(output), used / requests


def _figure(output: str, name: str) -> float:
    found = re.search(name if "(" in name else rf"{name}:\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


def _milliseconds(output: str) -> float:
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    assert found, output
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]

"""Processor time of each part of a whole local copy for an event, at everyday rates and as many as it takes."""

import json
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.collect import Measured, acknowledged_events, wrk
from tests.bench.footprint import SITE, SUPERVISOR, cpu_seconds, running_copy
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.options import Options
from tests.bench.summary import keep

RATES = (1, 50, 500, 5_000)
CONNECTIONS_MAX = 500
CONNECTIONS_AT_FULL_RATE = 64
SETTLE_SECONDS = 10
SECONDS = 30
COUNTED_WITHIN_SECONDS = 120.0


class Load(NamedTuple):
    """What a rate of single events costs.

    Attributes:
        name: The wanted rate.
        sent: As wrk saw it.
        counted_per_second: Events by the time from the first request to the last commit.
        milliseconds: Processor time of each part for an event.
    """

    name: str
    sent: Measured
    counted_per_second: float
    milliseconds: Mapping[str, float]


def everyday_loads(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Measure a local copy at 1, 50, 500, 5,000 events a second and at full rate: processor time of an event."""
    with tempfile.TemporaryDirectory(prefix="presstally-loads-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with running_copy(Path(folder) / "home") as state:
            _send(state, 50, SETTLE_SECONDS)  # warm
            loads = [_measure(state, f"{rate:,}/s", rate) for rate in RATES]
            loads.append(_measure(state, "full", None))
    print_loads(loads)
    keep(system=loads[-1].counted_per_second, calm=50 * sum(loads[RATES.index(50)].milliseconds.values()) / 10)


def _measure(state: Mapping[str, Any], name: str, rate: int | None) -> Load:
    parts = {**state["parts"], SUPERVISOR: state["pid"]}
    _send(state, rate, SETTLE_SECONDS)
    _wait_until_counted(state)
    accepted, began = _accepted(state), time.monotonic()
    before = {part: cpu_seconds(part, pid) for part, pid in parts.items()}
    sent = _send(state, rate, SECONDS)
    _wait_until_counted(state)
    elapsed, events = time.monotonic() - began, _accepted(state) - accepted
    if sent.refused:
        raise BenchmarkError(f"{sent.refused} requests were refused")
    used = {part: 1_000 * (cpu_seconds(part, pid) - before[part]) / events for part, pid in parts.items()}
    print(f"  {name}: {sum(used.values()):.3f} ms an event", flush=True)
    return Load(name, sent, events / elapsed, used)


def _send(state: Mapping[str, Any], rate: int | None, seconds: int) -> Measured:
    """Send single events to the collector, without the gateway, whose work does not depend on what an event is."""
    connections = CONNECTIONS_AT_FULL_RATE if rate is None else min(rate, CONNECTIONS_MAX)
    pause = 0 if rate is None else round(1_000 * connections / rate)
    origin = f"http://localhost:{state['ports']['gateway']}"
    return wrk(state["ports"]["ingest"], seconds, script=True, pause=pause, connections=connections, origin=origin)


def _accepted(state: Mapping[str, Any]) -> int:
    """Return how many events Kafka has acknowledged: wrk does not wait for its last responses."""
    return acknowledged_events(_get(state["ports"]["ingest"], "/metrics"))


def _wait_until_counted(state: Mapping[str, Any]) -> None:
    """Wait until all accepted events are in the public counter: the copy began with none."""
    time.sleep(1)  # the last requests may still be in progress
    deadline = time.monotonic() + COUNTED_WITHIN_SECONDS
    while (counted := _counted(state)) != (accepted := _accepted(state)):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{accepted:,} events were accepted and {counted:,} counted")
        time.sleep(0.1)


def _counted(state: Mapping[str, Any]) -> int:
    values = json.loads(_get(state["ports"]["stats"], f"/stats/{SITE}/counter?measure=views"))
    return int(values["total"])


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        return str(response.read().decode())


def print_loads(loads: Sequence[Load]) -> None:
    """Print the rows of the table in docs/benchmarks.md."""
    print("  | part | " + " | ".join(load.name for load in loads) + " |")
    print("  | --- |" + " --- |" * len(loads))
    for part in loads[0].milliseconds:
        print(f"  | {part} | " + " | ".join(f"{load.milliseconds[part]:.3f}" for load in loads) + " |")
    print("  | all, ms an event | " + " | ".join(f"{sum(load.milliseconds.values()):.3f}" for load in loads) + " |")
    print("  | counted a second | " + " | ".join(f"{load.counted_per_second:,.0f}" for load in loads) + " |")
    print("  | p50 of a request, ms | " + " | ".join(f"{load.sent.p50_milliseconds:.1f}" for load in loads) + " |")
    print("  | p99 of a request, ms | " + " | ".join(f"{load.sent.p99_milliseconds:.1f}" for load in loads) + " |")

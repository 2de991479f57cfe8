"""Records per second of the counter on a full topic, alternating with a consumer that only reads it."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import Executor
from dataclasses import dataclass

from deploy.local.bootstrap import ROOT
from services.stats.settings import StatsSettings
from tests.bench.baseline_consumer import SILENCE_SECONDS
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.load import fill, fills
from tests.bench.measurements import cpu_of, cpu_of_tree, follow, rate
from tests.bench.options import Options
from tests.bench.summary import keep

VISITORS = 100_000
POLL_SECONDS = 0.05
SLOWEST_PER_SECOND = 5_000
"""A slower run is aborted."""


@dataclass
class Counted:
    """One run of the counter over the whole topic."""

    per_second: float
    seconds: float
    cpu_seconds: float
    postgres_cpu_seconds: float


def batch_records_max() -> int:
    """Return the counter's maximum batch size, as its process reads it."""
    default = StatsSettings.model_fields["batch_records_max"].default
    return int(os.environ.get("PRESSTALLY_BATCH_RECORDS_MAX") or default)


def throughput(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Fill a topic once; in each round, only read it and count it."""
    with infrastructure.broker("throughput") as kafka:
        begun = time.monotonic()
        sent = sum(pool.map(fill, fills(kafka, options.seed, options.events, VISITORS)))
        print(f"  {sent:,} views of {VISITORS:,} visitors were sent in {time.monotonic() - begun:.1f} s")
        if sent != options.events:
            raise BenchmarkError(f"{options.events:,} were expected")
        most = batch_records_max()
        ways = {"aiokafka's defaults": 0, f"max_records={most}": most}
        print("  round        bare/s   counter/s   ratio  CPU ratio  whole s   CPU s  Postgres CPU s")
        rounds: list[tuple[float, ...]] = []
        for number in range(1, options.rounds + 1):
            bare = {way: _read_bare(kafka, sent, records) for way, records in ways.items()}
            fastest, bare_cpu = max(bare.values())
            counted = _count(infrastructure, kafka, sent)
            ratio = counted.per_second / fastest
            used = (bare_cpu / counted.cpu_seconds, counted.seconds, counted.cpu_seconds, counted.postgres_cpu_seconds)
            rounds.append((fastest, counted.per_second, ratio, *used))
            _print_line(str(number), rounds[-1])
            rates = ", ".join(f"{way} {speed:,.0f}/s" for way, (speed, _) in bare.items())
            print(f"          bare: {rates}", flush=True)
        medians = tuple(statistics.median(column) for column in zip(*rounds, strict=True))
        _print_line("median", medians)
        keep(counter=medians[2])
    print("  The faster bare one is compared. Rates are fitted between 10 % and 95 % of the records; 'whole' runs from")
    print("  the first commit seen to the last, and the CPU seconds are of that time. The CPU ratio compares the two")
    print("  processes' processor seconds: it says more than the ratio while something else runs on the machine.")


def _print_line(name: str, values: tuple[float, ...]) -> None:
    bare, counter, ratio, cpu_ratio, seconds, cpu, postgres = values
    speeds = f"{bare:>12,.0f}{counter:>12,.0f}{ratio:>8.3f}"
    print(f"  {name:<7}{speeds}{cpu_ratio:>11.3f}{seconds:>9.1f}{cpu:>8.1f}{postgres:>16.1f}", flush=True)


def _read_bare(kafka: str, views: int, max_records: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.bench.baseline_consumer", kafka, str(views), str(max_records)]
    bound = SILENCE_SECONDS + views / SLOWEST_PER_SECOND
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=bound)
    if done.returncode:
        raise BenchmarkError(f"the bare consumer ended with code {done.returncode}: {done.stderr[-500:]}")
    cpu, pairs = json.loads(done.stdout)
    samples = [(at, seen) for at, seen in pairs]
    if not samples or samples[-1][1] != views:
        raise BenchmarkError(f"the bare consumer read {samples[-1][1] if samples else 0:,} records of {views:,}")
    return rate(samples, views), cpu


def _count(infrastructure: Infrastructure, kafka: str, views: int) -> Counted:
    with infrastructure.counting(kafka) as counting:
        counter = counting.start("counter", until_ready=False)
        used: list[tuple[float, float]] = []

        def note() -> None:
            used.append((cpu_of(counter.pid), cpu_of_tree(infrastructure.postgres_pid)))

        samples = asyncio.run(
            follow(
                counting.database,
                views,
                every_seconds=POLL_SECONDS,
                timeout_seconds=60 + views / SLOWEST_PER_SECOND,
                check=counter.check,
                at_first=note,
            )
        )
        note()
        counter.end()
        counting.check_total("views", views)
        (own, postgres), (own_after, postgres_after) = used
        return Counted(rate(samples, views), samples[-1][0] - samples[0][0], own_after - own, postgres_after - postgres)

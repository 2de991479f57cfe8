"""Events per second that the collector accepts, acknowledged by Kafka, compared with a minimal ASGI application."""

import asyncio
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from aiokafka import AIOKafkaProducer

from deploy.local.bootstrap import ROOT
from deploy.local.supervisor import ManagedProcess, Supervisor
from shared.topics import PAGE_VIEWS
from tests.bench.infrastructure import BenchmarkError, Counting, Infrastructure, Service
from tests.bench.load import PARTITIONS
from tests.bench.options import Options
from tests.bench.summary import keep
from tests.conftest import answers, free_ports

SECONDS = 5
CONNECTIONS = 128
BATCH = 100
CALM_CONNECTIONS = 200
PRODUCER_EVENTS = 300_000
SCRIPT = Path(__file__).with_name("events.lua")


class Measured(NamedTuple):
    """The results of one run of wrk."""

    per_second: float
    refused: int
    p50_milliseconds: float
    p99_milliseconds: float


def collect(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Post events to one collector; 202 means that Kafka has them (acks=all, idempotent; one broker, no fsync)."""
    if shutil.which("wrk") is None:
        raise BenchmarkError("this needs wrk (Debian: apt-get install wrk)")
    with (
        infrastructure.broker("collect") as kafka,
        infrastructure.counting(kafka) as counting,
        hello(counting.supervisor) as bare,
    ):
        collector = counting.start("collector", service="ingest")
        wrk(bare, 1), wrk(collector.port, 1, script=True)  # both warm
        print("  round      hello/s     one/s   ratio  p99 ms  events/s by 100  p99 ms")
        rows = [_round(number, bare, collector) for number in range(1, options.rounds + 1)]
        singles, batches = [row[1].per_second for row in rows], [row[2].per_second * BATCH for row in rows]
        ratio = statistics.median(one.per_second / bare.per_second for bare, one, _ in rows)
        top = asyncio.run(_produce(kafka))
        print(f"  median  {statistics.median(singles):,.0f}/s single events, ratio {ratio:.3f}")
        keep(collector=ratio)
        by_100 = statistics.median(batches)
        print(f"  by 100: {by_100:,.0f} events/s; producer alone {top:,.0f}/s, ratio {by_100 / top:.3f}")
        _calm(collector, statistics.median(singles) / 2)
        _memory(collector)
        _check_all_counted(counting, collector)


def _round(number: int, hello: int, collector: Service) -> tuple[Measured, Measured, Measured]:
    bare = wrk(hello, SECONDS)
    one = wrk(collector.port, SECONDS, script=True)
    by_100 = wrk(collector.port, SECONDS, script=True, per_request=BATCH, connections=32)
    _check_none_refused(one, by_100)
    print(
        f"  {number:<8}{bare.per_second:>10,.0f}{one.per_second:>10,.0f}{one.per_second / bare.per_second:>8.3f}"
        f"{one.p99_milliseconds:>8.1f}{by_100.per_second * BATCH:>17,.0f}{by_100.p99_milliseconds:>8.1f}",
        flush=True,
    )
    return bare, one, by_100


def _calm(collector: Service, per_second: float) -> None:
    """Print the latency at half of the maximum rate."""
    pause = 1_000 * CALM_CONNECTIONS / per_second
    calm = wrk(collector.port, SECONDS, script=True, pause=round(pause), connections=CALM_CONNECTIONS)
    _check_none_refused(calm)
    print(
        f"  at {calm.per_second:,.0f}/s, about half of that: p50 {calm.p50_milliseconds:.1f} ms, "
        f"p99 {calm.p99_milliseconds:.1f} ms"
    )


def _memory(collector: Service, seconds: int = 30) -> None:
    before = psutil.Process(collector.pid).memory_info().rss
    wrk(collector.port, seconds, script=True)
    after = psutil.Process(collector.pid).memory_info().rss
    print(f"  resident MB: {before / 1e6:.0f} before and {after / 1e6:.0f} after {seconds} s at full rate", flush=True)


def _check_none_refused(*runs: Measured) -> None:
    if any(run.refused for run in runs):
        raise BenchmarkError(f"{sum(run.refused for run in runs)} requests were refused")


def _check_all_counted(counting: Counting, collector: Service) -> None:
    """Stop the run unless the counter counts each event that Kafka acknowledged.

    wrk exits without waiting for its last responses: the events of those are acknowledged, too.
    """
    time.sleep(2)  # wrk has exited, but its last requests may still be in progress
    expected = acknowledged_events(collector.get("/metrics")[1])
    collector.end()
    counter = counting.start("counter")
    deadline = time.monotonic() + 120
    while (counted := counting.numbers(measure="views")["total"]) != expected:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{expected:,} events were acknowledged and {counted:,} counted")
        time.sleep(1)
    counter.end()
    print(f"  {expected:,} events were acknowledged, and {counted:,} counted", flush=True)


def acknowledged_events(metrics: str) -> int:
    """Return how many events Kafka has acknowledged to a collector, by its metrics."""
    (found,) = [line for line in metrics.splitlines() if line.startswith("presstally_producer_batch_events_sum")]
    return int(float(found.rsplit(" ", 1)[1]))


@contextmanager
def hello(supervisor: Supervisor) -> Iterator[int]:
    """Run the baseline and yield its port."""
    port = free_ports(1)
    command = [sys.executable, "-m", "tests.bench.baseline_http", str(port)]
    supervisor.start(
        [ManagedProcess("hello", command, lambda: answers(f"http://127.0.0.1:{port}/"), account={"cwd": str(ROOT)})], 20
    )
    yield port


def wrk(
    port: int,
    seconds: int,
    *,
    script: bool = False,
    per_request: int = 1,
    pause: int = 0,
    connections: int = CONNECTIONS,
    path: str = "/",
    origin: str = "",
    headers: Mapping[str, str] | None = None,
) -> Measured:
    """Run wrk with one thread; with the script it posts events."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    command[1:1] = ["-s", str(SCRIPT)]
    if script:
        command += ["--", str(per_request), str(pause), *([origin] if origin else [])]
    else:
        command[1:3] = ["-s", str(SCRIPT.with_name("get.lua"))]
    for name, value in (headers or {}).items():
        command[1:1] = ["-H", f"{name}: {value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    requests, microseconds, refused, p50, p99 = map(float, done.stdout.split("RESULT ")[1].split())
    return Measured(requests / microseconds * 1e6, int(refused), p50 / 1_000, p99 / 1_000)


async def _produce(kafka: str) -> float:
    """Return how many similar events per second an idempotent producer alone sends."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", linger_ms=5)
    await producer.start()
    try:
        values = [
            b'{"id":"%s","site":"bench","kind":"view","path":"/tin-tuc/bai-viet-%d.html","at":1790000000000,'
            b'"article":"a-%d","visitor":"0123456789abcdef","referrer":"www.google.com"}'
            % (str(uuid.uuid4()).encode(), number % 2000, number % 2000)
            for number in range(PRODUCER_EVENTS)
        ]
        topic = f"{PAGE_VIEWS.name}.dlq"  # a similar topic that is not counted
        begun = time.monotonic()
        sent = [await producer.send(topic, value, partition=number % PARTITIONS) for number, value in enumerate(values)]
        await asyncio.gather(*sent)
        return PRODUCER_EVENTS / (time.monotonic() - begun)
    finally:
        await producer.stop()

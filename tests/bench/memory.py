"""Memory of a counter with a million visitors at once, and how soon a killed counter has recovered."""

import asyncio
import json
import signal
import time
from concurrent.futures import Executor

from tests.bench.infrastructure import SESSION_TIMEOUT_MS, BenchmarkError, Counting, Infrastructure, Service
from tests.bench.load import PARTITIONS, Fill, fill, fills
from tests.bench.measurements import assigned_partitions, follow, memory_mb
from tests.bench.options import Options

SECONDS = 60.0
IDLE_SECONDS = 10.0
POLL_SECONDS = 0.05
BOUND_SECONDS = 240.0


def memory(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Let every visitor come once within a minute; then kill the counter and wait until it counts again."""
    visitors = options.visitors
    with infrastructure.broker("memory") as kafka, infrastructure.counting(kafka) as counting:
        counter = counting.start("counter")
        before, _ = memory_mb(counter.pid)
        jobs = fills(kafka, options.seed, visitors, visitors, each_once=True, seconds=SECONDS)
        sending = [pool.submit(fill, job) for job in jobs]
        _wait_until_counted(counting, counter, visitors)
        if sum(job.result() for job in sending) != visitors:
            raise BenchmarkError(f"{visitors:,} views were expected")
        busy, _ = memory_mb(counter.pid)
        numbers = counting.numbers(measure="views")  # at once: after 300 s nobody is online any more
        time.sleep(IDLE_SECONDS)
        idle, peak = memory_mb(counter.pid)
        print(f"  {visitors:,} visitors within {SECONDS:.0f} s; online by the widget: {numbers['online']:,}")
        print(
            f"  resident MB: {before:.0f} at the start, {busy:.0f} when all were counted, "
            f"{idle:.0f} after {IDLE_SECONDS:.0f} s without views; {peak:.0f} at most",
            flush=True,
        )
        counter.end(signal.SIGKILL)
        _print_return(counting, visitors, pool, _again(kafka, options))
        counting.check_total("views", visitors + PARTITIONS)
        # The rebuilt state knows the visitors: a second view soon after is not a second visit.
        counting.check_total("visits", visitors)


def _again(kafka: str, options: Options) -> Fill:
    """One more view on each partition, by its first visitor."""
    return Fill(kafka, options.seed + 500, tuple(range(PARTITIONS)), PARTITIONS, PARTITIONS, each_once=True)


def _wait_until_counted(counting: Counting, counter: Service, views: int) -> float:
    samples = asyncio.run(
        follow(
            counting.database,
            views,
            every_seconds=POLL_SECONDS,
            timeout_seconds=BOUND_SECONDS,
            check=counter.check,
        )
    )
    return samples[-1][0]


def _print_return(counting: Counting, visitors: int, pool: Executor, again: Fill) -> None:
    begun = time.monotonic()
    counter = counting.start("counter", until_ready=False)
    sending = pool.submit(fill, again)
    while not _is_back(counter):
        counter.check()
        if time.monotonic() - begun > BOUND_SECONDS:
            raise BenchmarkError(f"the counter was not ready again within {BOUND_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    ready = time.monotonic() - begun
    sending.result()
    counted = _wait_until_counted(counting, counter, visitors + PARTITIONS) - begun
    print(f"  killed and started again, with {visitors:,} events of history: ready after {ready:.1f} s,")
    print(f"  the first new view of every partition counted after {counted:.1f} s.")
    print(f"  Kafka waits {SESSION_TIMEOUT_MS / 1000:g} s for the killed one first, which is in both.", flush=True)
    _, peak = memory_mb(counter.pid)
    print(f"  resident MB of the new one: {peak:.0f} at most", flush=True)
    counter.end()


def _is_back(counter: Service) -> bool:
    """Return whether it is ready, without loading partitions and with all of them assigned."""
    status, body = counter.get("/readyz")
    return status == 200 and not json.loads(body)["problems"] and assigned_partitions(counter) == PARTITIONS

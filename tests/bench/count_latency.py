"""The latency from a view to its committed count, at a steady rate of views."""

import asyncio
import statistics
import time
from bisect import bisect_right
from concurrent.futures import Executor
from itertools import pairwise

import asyncpg

from tests.bench.infrastructure import BenchmarkError, Infrastructure, Service
from tests.bench.load import Sent, Steady, steady
from tests.bench.measurements import Offsets
from tests.bench.options import Options

PER_SECOND = 1_000
SECONDS = 20
VISITORS = 100_000
POLL_SECONDS = 0.005
EVERY = 10
COUNTED_WITHIN_SECONDS = 30.0

OffsetSample = tuple[float, dict[int, int]]


def delay(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Send views steadily and measure when each tenth is committed."""
    with infrastructure.broker("delay") as kafka, infrastructure.counting(kafka) as counting:
        counter = counting.start("counter")
        job = Steady(kafka, options.seed, PER_SECOND, SECONDS, VISITORS)
        sent, samples = asyncio.run(_watch(counting.database, counter, job, pool))
        counter.end()
        counting.check_total("views", len(sent))
    delays = sorted(1_000 * (_counted_at(view, samples) - view.at) for view in sent[::EVERY])
    gaps = [1_000 * (after[0] - before[0]) for before, after in pairwise(samples)]
    percent = statistics.quantiles(delays, n=100)
    print(f"  {len(sent):,} views at {PER_SECOND:,}/s; from the event to its commit, of each {EVERY}th:")
    print(f"  p50 {percent[49]:.0f} ms   p99 {percent[98]:.0f} ms   max {delays[-1]:.0f} ms")
    print(f"  Polled every {statistics.median(gaps):.0f} ms: a latency may be overestimated by that much.", flush=True)


async def _watch(database: str, counter: Service, job: Steady, pool: Executor) -> tuple[list[Sent], list[OffsetSample]]:
    connection = await asyncpg.connect(database)
    try:
        offsets = Offsets(connection)
        sending = asyncio.get_running_loop().run_in_executor(pool, steady, job)
        samples: list[OffsetSample] = []
        ends: dict[int, int] = {}
        deadline = time.monotonic() + SECONDS + COUNTED_WITHIN_SECONDS
        while True:
            seen = await offsets.by_partition()
            samples.append((time.monotonic(), seen))
            if not ends and sending.done():
                for view in sending.result():
                    ends[view.partition] = max(ends.get(view.partition, 0), view.offset + 1)
            if ends and all(seen.get(partition, 0) >= end for partition, end in ends.items()):
                return sending.result(), samples
            counter.check()
            if samples[-1][0] > deadline:
                raise BenchmarkError(f"not all was counted within {COUNTED_WITHIN_SECONDS:.0f} s after the last view")
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


def _counted_at(view: Sent, samples: list[OffsetSample]) -> float:
    place = bisect_right(samples, view.offset, key=lambda sample: sample[1].get(view.partition, 0))
    return samples[place][0]

"""Thousands of open live streams on one process: its memory, and the latency from a view to all of them."""

import asyncio
import os
import statistics
import time
from concurrent.futures import Executor

from aiokafka import AIOKafkaProducer

from shared.topics import PAGE_VIEWS
from tests.bench.infrastructure import BenchmarkError, Infrastructure, Service
from tests.bench.load import PARTITIONS, SITE, Views, now
from tests.bench.measurements import cpu_of, memory_mb
from tests.bench.options import Options
from tests.streams import Stream, StreamMessage, open_stream

STREAMS = 5_000
OPENED_AT_ONCE = 200
CHANGES = 10
QUIET_SECONDS = 2.5
BOUND_SECONDS = 10.0


def live_streams(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Open the streams, then send a view now and then and wait until every stream shows it."""
    os.environ |= {
        "PRESSTALLY_LIVE_STREAMS_PER_ADDRESS": str(STREAMS + 10),
        "PRESSTALLY_LIVE_STREAMS_MAX": str(STREAMS + 10),
    }
    with infrastructure.broker("live_streams") as kafka, infrastructure.counting(kafka) as counting:
        counter, widget = counting.start("counter"), counting.start("widget")
        asyncio.run(_measure(kafka, options.seed, widget))
        widget.end()
        counter.end()


async def _measure(kafka: str, seed: int, widget: Service) -> None:
    empty, _ = memory_mb(widget.pid)
    begun = time.monotonic()
    delays: list[float] = []
    sent_at: dict[int, float] = {}

    def note(told: StreamMessage) -> None:
        at = sent_at.get(told.numbers["total"])
        if at is not None:
            delays.append(told.at - at)

    streams: list[Stream] = []
    while len(streams) < STREAMS:
        path = f"/stats/{SITE}/live?measure=views"
        streams += await asyncio.gather(*(open_stream(widget.port, path, note) for _ in range(OPENED_AT_ONCE)))
    for stream in streams:
        stream.keep = False
        await stream.until(lambda stream: stream.messages, BOUND_SECONDS)
    print(f"  {len(streams):,} streams were open after {time.monotonic() - begun:.1f} s", flush=True)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    views, cpu = Views(seed), cpu_of(widget.pid)
    for total in range(1, CHANGES + 1):
        await asyncio.sleep(QUIET_SECONDS)
        sent_at[total] = time.monotonic()
        await producer.send_and_wait(PAGE_VIEWS.name, views.value(total, now()), partition=total % PARTITIONS)
        while len(delays) < total * STREAMS:
            await asyncio.sleep(0.01)
            if time.monotonic() - sent_at[total] > BOUND_SECONDS:
                raise BenchmarkError(f"view {total} was on {len(delays) - (total - 1) * STREAMS:,} streams only")
    await producer.stop()
    full, peak = memory_mb(widget.pid)
    percent = statistics.quantiles((1_000 * delay for delay in delays), n=100)
    print(f"  resident MB: {empty:.0f} without streams, {full:.0f} with them, {peak:.0f} at most")
    print(f"  from a view to its number on all streams ({CHANGES} views): p50 {percent[49]:.0f} ms, ", end="")
    print(f"p99 {percent[98]:.0f} ms, max {1_000 * max(delays):.0f} ms")
    print(f"  CPU seconds of the process meanwhile: {cpu_of(widget.pid) - cpu:.1f}", flush=True)
    for stream in streams:
        stream.close()

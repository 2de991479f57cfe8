"""Counters that join and leave under load: exact totals, and the time in which a partition has no counter."""

import asyncio
import signal
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import pairwise

import asyncpg

from tests.bench.infrastructure import BenchmarkError, Counting, Infrastructure, Service
from tests.bench.load import PARTITIONS, Sent, Steady, steady
from tests.bench.measurements import Offsets, assigned_partitions, follow
from tests.bench.options import Options

PER_SECOND = 2_000
SECONDS = 40
VISITORS = 100_000
JOINS_AT = (8.0, 18.0)
LEAVES_AT = 28.0
POLL_SECONDS = 0.05
SCRAPE_SECONDS = 0.2
COUNTED_WITHIN_SECONDS = 60.0


@dataclass
class Seen:
    """Observations from outside."""

    owned: list[tuple[float, int]] = field(default_factory=list)
    """[(time, partitions with a counter, by the counters' metrics)]."""
    moved: dict[int, list[float]] = field(default_factory=dict)
    """{partition: times at which its offset had changed}."""
    actions: list[tuple[float, str]] = field(default_factory=list)


def scaling(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """One counter, then two, then three, then two, under a steady load."""
    with infrastructure.broker("scaling") as kafka, infrastructure.counting(kafka) as counting:
        counters = [counting.start("counter")]
        job = Steady(kafka, options.seed, PER_SECOND, SECONDS, VISITORS)
        begun = time.monotonic()
        sent, seen = asyncio.run(_watch(counting, counters, job, pool))
        loaded_until = max(view.at for view in sent)
        _wait_until_counted(counting, counters, len(sent))
        for counter in counters:
            if counter.runs:
                counter.end()
        counting.check_total("views", len(sent))
        counting.check_total("visits", len({view.visitor for view in sent}))
    _print(sent, seen, begun, loaded_until)


async def _watch(counting: Counting, counters: list[Service], job: Steady, pool: Executor) -> tuple[list[Sent], Seen]:
    seen = Seen()
    sending = asyncio.get_running_loop().run_in_executor(pool, steady, job)
    ended = asyncio.Event()
    watching = [
        asyncio.create_task(_watch_offsets(counting.database, seen, ended)),
        asyncio.create_task(_watch_assignments(counters, seen, ended)),
    ]
    begun = time.monotonic()
    try:
        for at in JOINS_AT:
            await asyncio.sleep(begun + at - time.monotonic())
            # In this thread: the kernel ends a service together with the thread that started it.
            counters.append(counting.start("counter", until_ready=False))
            seen.actions.append((time.monotonic(), f"a {('second', 'third')[len(counters) - 2]} one is started"))
        await asyncio.sleep(begun + LEAVES_AT - time.monotonic())
        counters[0].send(signal.SIGTERM)
        seen.actions.append((time.monotonic(), "the first one is stopped"))
        sent = await sending
    finally:
        ended.set()
        await asyncio.gather(*watching)
    return sent, seen


async def _watch_offsets(database: str, seen: Seen, ended: asyncio.Event) -> None:
    connection = await asyncpg.connect(database)
    before: dict[int, int] = {}
    try:
        while not ended.is_set():
            stands = await Offsets(connection).by_partition()
            for partition, offset in stands.items():
                if offset != before.get(partition):
                    seen.moved.setdefault(partition, []).append(time.monotonic())
            before = stands
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


async def _watch_assignments(counters: list[Service], seen: Seen, ended: asyncio.Event) -> None:
    while not ended.is_set():
        begun = time.monotonic()
        running = [counter for counter in counters if counter.runs]
        owned = await asyncio.gather(*(asyncio.to_thread(assigned_partitions, counter) for counter in running))
        seen.owned.append((begun, sum(owned)))
        await asyncio.sleep(max(0.0, begun + SCRAPE_SECONDS - time.monotonic()))


def _wait_until_counted(counting: Counting, counters: list[Service], views: int) -> None:
    def check() -> None:
        if not any(counter.runs for counter in counters):
            raise BenchmarkError("no counter runs any more")

    asyncio.run(
        follow(
            counting.database,
            views,
            every_seconds=POLL_SECONDS,
            timeout_seconds=COUNTED_WITHIN_SECONDS,
            check=check,
        )
    )


def _print(sent: list[Sent], seen: Seen, begun: float, loaded_until: float) -> None:
    print(f"  {len(sent):,} views at {PER_SECOND:,}/s; views and visits are exact")
    for at, action in seen.actions:
        print(f"  {at - begun:5.1f} s: {action}")
    orphaned = _spans_without_owner(seen.owned)
    for at, seconds, fewest in orphaned:
        print(f"  {at - begun:5.1f} s: only {fewest} of {PARTITIONS} partitions had a counter, for {seconds:.1f} s")
    longest = max((seconds for _, seconds, _ in orphaned), default=0.0)
    print(f"  longest time that any partition had no counter: {longest:.1f} s (polled every {SCRAPE_SECONDS} s)")
    seconds, at = max(_standstills(seen.moved, loaded_until))
    print(f"  longest time that a partition was not counted while views came: {seconds:.1f} s, at {at - begun:.1f} s")
    if max(owned for _, owned in seen.owned) > PARTITIONS:
        print("  for a moment two counters said that they had the same partition")


def _spans_without_owner(owned: list[tuple[float, int]]) -> list[tuple[float, float, int]]:
    """Return (begin, seconds, fewest partitions owned) of each time in which some partition had no counter."""
    spans = []
    begin, fewest = None, PARTITIONS
    for at, partitions in owned:
        if partitions < PARTITIONS:
            begin = at if begin is None else begin
            fewest = min(fewest, partitions)
        elif begin is not None:
            spans.append((begin, at - begin, fewest))
            begin, fewest = None, PARTITIONS
    if begin is not None:
        spans.append((begin, owned[-1][0] - begin, fewest))
    return spans


def _standstills(moved: dict[int, list[float]], until: float) -> list[tuple[float, float]]:
    """Return (seconds, begin) of the times between two movements of a partition, while all of them had work."""
    return [(after - before, before) for times in moved.values() for before, after in pairwise(times) if before < until]

"""Measurements from outside: committed offsets, CPU time, memory, metrics."""

import asyncio
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil

from shared.topics import PAGE_VIEWS
from tests.bench.infrastructure import BenchmarkError, Service

OFFSETS = "SELECT partition, next_offset FROM stats.offsets WHERE topic = $1"
FIT_FROM, FIT_TO = 0.10, 0.95
"""Rates are fitted between these shares of the records, without the start and the last small batches."""

Sample = tuple[float, int]


class Offsets:
    """Reads the committed offsets over one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def by_partition(self) -> dict[int, int]:
        """Return {partition: next offset}."""
        return {row["partition"]: row["next_offset"] for row in await self._connection.fetch(OFFSETS, PAGE_VIEWS.name)}


async def follow(
    database: str,
    total: int,
    *,
    every_seconds: float,
    timeout_seconds: float,
    check: Callable[[], None],
    at_first: Callable[[], None] = lambda: None,
) -> list[Sample]:
    """Poll until this many records are counted; return [(time, records counted)], starting with the first commit."""
    connection = await asyncpg.connect(database)
    samples: list[Sample] = []
    deadline = time.monotonic() + timeout_seconds
    try:
        while not samples or samples[-1][1] < total:
            counted = sum((await Offsets(connection).by_partition()).values())
            if counted:
                samples.append((time.monotonic(), counted))
                if len(samples) == 1:
                    at_first()
            check()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{counted:,} of {total:,} were counted within {timeout_seconds:.0f} s")
            await asyncio.sleep(every_seconds)
    finally:
        await connection.close()
    return samples


def rate(samples: list[Sample], total: int) -> float:
    """Return records per second, fitted to the middle of the samples."""
    middle = [sample for sample in samples if FIT_FROM * total <= sample[1] <= FIT_TO * total]
    if len(middle) < 3:
        middle = samples  # the run was too short
    if len(middle) < 2:
        return float("nan")
    return statistics.linear_regression(*zip(*middle, strict=True)).slope


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def cpu_of_tree(pid: int) -> float:
    """Return the CPU seconds of a process and of all its children, including exited ones."""
    seconds = 0.0
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            seconds += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return seconds


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the resident memory and its peak, in MB of a million bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))  # type: ignore[index,return-value]


def assigned_partitions(service: Service) -> int:
    """Return how many partitions a counter is assigned by its metrics; 0 if it does not answer."""
    _, body = service.get("/metrics")
    found = re.search(r"^presstally_consumer_assigned_partitions (\S+)", body, re.MULTILINE)
    return int(float(found[1])) if found else 0

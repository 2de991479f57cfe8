"""Measurements during the load: memory of each process, and the latency from a view to the live counter."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from tests.conftest import PERSON
from tests.soak.client import NO_RESPONSE, Client
from tests.soak.load import RETRY_SECONDS, streamed_totals
from tests.soak.system import RunningSystem

SAMPLE_SECONDS = 5.0
PROBE_SITE = "giao-thuy"
PROBE_SECONDS = 1.0
WARM_UP_SHARE = 1 / 3
CONCLUSIVE_SECONDS = 300.0
"""Shorter measurements are not conclusive."""
WINDOW_SECONDS = 30
MINUTE_MB_MAX = 1.0
"""A leak of one kilobyte per request would be ten times as much; a counter keeps the IDs of an hour."""
GROWTH_MB_MAX = 40.0
"""From the first to the last quarter, by medians, including steps."""
KAFKA_MB_MAX = 900.0
"""Java fills its heap (512 MB) before it collects garbage, so only a limit is checked."""
MEGABYTE = 1024 * 1024


@dataclass
class ProcessRun:
    """One process from its start to its exit; samples are (seconds since the start of the soak, bytes of memory)."""

    name: str
    pid: int
    samples: list[tuple[float, int]] = field(default_factory=list)

    @property
    def warm(self) -> list[tuple[float, int]]:
        """Samples after the first third, which is the warm-up."""
        return self.samples[int(len(self.samples) * WARM_UP_SHARE) :]

    @property
    def warm_seconds(self) -> float:
        return self.warm[-1][0] - self.warm[0][0] if self.warm else 0.0

    @property
    def minute_mb(self) -> float:
        """Growth in megabytes per minute: the median of all half-minutes after the first third.

        A counter that takes over the partitions of a killed one needs more memory from then on: that is a step, not a
        leak. A leak grows all the time.
        """
        step = round(WINDOW_SECONDS / SAMPLE_SECONDS)
        sizes = [size for _, size in self.warm]
        grown = [b - a for a, b in zip(sizes, sizes[step:], strict=False)]
        return median(grown) / MEGABYTE * 60 / WINDOW_SECONDS if grown else 0.0

    @property
    def growth_mb(self) -> float:
        """Growth in megabytes from the first quarter to the last one, both after the first third."""
        sizes = [size for _, size in self.warm]
        quarter = max(1, len(sizes) // 4)
        return (median(sizes[-quarter:]) - median(sizes[:quarter])) / MEGABYTE if sizes else 0.0

    @property
    def is_conclusive(self) -> bool:
        return self.warm_seconds >= CONCLUSIVE_SECONDS

    def finding(self) -> str | None:
        """Return what is wrong with this process's memory, or None."""
        peak = max((size for _, size in self.samples), default=0) / MEGABYTE
        if self.name == "kafka":
            return f"kafka has {peak:.0f} MB, more than {KAFKA_MB_MAX:.0f}" if peak > KAFKA_MB_MAX else None
        if self.is_conclusive and self.minute_mb > MINUTE_MB_MAX:
            return f"{self.name} grows by {self.minute_mb:.2f} MB a minute after its first third"
        if self.is_conclusive and self.growth_mb > GROWTH_MB_MAX:
            return f"{self.name} has grown by {self.growth_mb:.0f} MB after its first third"
        return None


def private_bytes(pid: int) -> int:
    """Return the private resident memory (RssAnon) of a process and its children.

    Postgres's shared buffers are left out: the kernel counts them for each process, and their size is fixed.
    """
    try:
        tree = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for one in tree:
        try:
            lines = Path(f"/proc/{one}/status").read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
    return total


class MemorySampler:
    """Samples the memory of all processes of a system."""

    def __init__(self, system: RunningSystem, begun: float) -> None:
        self._system = system
        self._begun = begun
        self.runs: list[ProcessRun] = []

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await asyncio.to_thread(self._sample)
            await asyncio.sleep(SAMPLE_SECONDS)

    def _sample(self) -> None:
        at = time.monotonic() - self._begun
        known = {(run.name, run.pid): run for run in self.runs}
        for name in self._system.parts:
            pid = self._system.pid(name)
            if pid is None:
                continue
            run = known.get((name, pid))
            if run is None:
                run = ProcessRun(name, pid)
                self.runs.append(run)
            if size := private_bytes(pid):
                run.samples.append((at, size))

    def names(self) -> list[str]:
        """Return the names of the processes, in the order of their first start."""
        return list(dict.fromkeys(run.name for run in self.runs))

    def longest(self, name: str) -> ProcessRun:
        """Return the longest run of a process, which is the most conclusive one."""
        return max((run for run in self.runs if run.name == name), key=lambda run: run.warm_seconds)

    def total_mb(self) -> float:
        """Return the newest memory of all processes together."""
        newest = {run.name: run.samples[-1][1] for run in self.runs if run.samples}
        return sum(newest.values()) / MEGABYTE


class Probe:
    """Measures the latency: sends a view and waits until a live stream shows it, repeatedly."""

    def __init__(self, port: int, begun: float) -> None:
        self._client = Client(port)
        self._port = port
        self._begun = begun
        self._stop = asyncio.Event()
        self.sent = 0
        self.delays: list[tuple[float, float]] = []
        """[(seconds since the start of the soak, seconds from the first attempt to the live stream)]"""

    async def run(self) -> None:
        """Probe until `stop`."""
        totals = streamed_totals(self._port, PROBE_SITE)
        base = (await anext(totals))[1]
        while not self._stop.is_set():
            sent = time.monotonic()
            await self._send()
            self.sent += 1
            async for at, total in totals:
                if total >= base + self.sent:
                    self.delays.append((sent - self._begun, max(0.0, at - sent)))
                    break
            await asyncio.sleep(max(0.0, sent + PROBE_SECONDS - time.monotonic()))
        await totals.aclose()  # type: ignore[attr-defined]
        self._client.close()

    def stop(self) -> None:
        self._stop.set()

    async def _send(self) -> None:
        event = {"id": str(uuid.uuid4()), "site": PROBE_SITE, "kind": "view", "path": "/probe"}
        while True:
            try:
                reply = await self._client.request("POST", "/e", json.dumps(event).encode(), user_agent=PERSON)
            except NO_RESPONSE:
                reply = None
            if reply is not None and reply.status == 202:
                return
            await asyncio.sleep(RETRY_SECONDS)

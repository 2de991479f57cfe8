"""Gauges of the pools, the histogram of the event loop's lag, and the search for garbage."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from shared import process_metrics
from shared.metrics import LOOP_LAG, POOL
from shared.postgres import POOLS, open_pool


def connections(state: str) -> float:
    return float(POOL.labels(state)._value.get())


def lags() -> tuple[float, float]:
    """Return count and sum of the observed lags."""
    samples = {sample.name.rsplit("_", 1)[1]: sample.value for sample in LOOP_LAG.collect()[0].samples}
    return samples["count"], samples["sum"]


async def sampled(condition: Callable[[], bool], block_seconds: float = 0.0) -> None:
    """Run the sampler until the condition is true, and block the event loop once."""
    task = asyncio.create_task(process_metrics.sample_process())
    await asyncio.sleep(0)
    time.sleep(block_seconds)  # noqa: ASYNC251
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it is what is tested
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_sample_process_blocked_loop_is_observed_as_lag(monkeypatch: Any) -> None:
    """A loop that was blocked for 0.2 s has that lag; samples of an idle loop are never negative."""
    monkeypatch.setattr(process_metrics, "SAMPLE_SECONDS", 0.02)
    begun, (count, total) = time.monotonic(), lags()
    await sampled(lambda: lags()[0] - count >= 2, block_seconds=0.2)
    assert 0.1 < lags()[1] - total < time.monotonic() - begun


async def test_sample_process_counts_used_and_idle_connections(database: str, monkeypatch: Any) -> None:
    """Connections of all open pools are counted by state, and a closed pool is forgotten."""
    monkeypatch.setattr(process_metrics, "SAMPLE_SECONDS", 0.02)
    POOLS.clear()
    pool = await open_pool(database, role="presstally_render", size=3)
    async with pool.acquire(), pool.acquire():
        size = pool.get_size()
        await sampled(lambda: [connections(state) for state in ("used", "idle", "max")] == [2, size - 2, 3])
    await pool.close()
    await sampled(lambda: [connections(state) for state in ("used", "idle", "max")] == [0, 0, 0])
    assert pool not in POOLS


async def test_collect_garbage_frees_cycles_that_have_survived(monkeypatch: Any) -> None:
    """Objects that refer to each other are freed after they were found in use once."""
    monkeypatch.setattr(process_metrics, "COLLECT_SECONDS", 0.02)
    monkeypatch.setattr(process_metrics, "COLLECT_SHARE", 1.0)

    class Node:
        other: "Node"

    node = Node()
    node.other = node
    gc.collect()  # it is of the oldest generation now
    was = weakref.ref(node)
    del node
    gc.disable()
    task = asyncio.create_task(process_metrics.collect_garbage())
    try:
        async with asyncio.timeout(60):
            while was() is not None:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
        task.cancel()

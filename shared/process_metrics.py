"""Work of every process: metrics of its event loop and its connections to Postgres, and the search for garbage."""

import asyncio
import ctypes
import gc

from shared.metrics import LOOP_LAG, POOL
from shared.postgres import POOLS

SAMPLE_SECONDS = 1.0
COLLECT_SECONDS = 300.0
COLLECT_SHARE = 0.001
"""Of the time, at most, that searches for garbage may take."""
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Of glibc; others give memory back by themselves."""


async def sample_process() -> None:
    """Sample until the task is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await asyncio.sleep(SAMPLE_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - began - SAMPLE_SECONDS))
        POOLS.difference_update([pool for pool in POOLS if pool.is_closing()])
        size = sum(pool.get_size() for pool in POOLS)
        idle = sum(pool.get_idle_size() for pool in POOLS)
        POOL.labels("used").set(size - idle)
        POOL.labels("idle").set(idle)
        POOL.labels("max").set(sum(pool.get_max_size() for pool in POOLS))


async def collect_garbage() -> None:
    """Free the cycles of objects that nothing refers to, and give free memory back, every few minutes until cancelled.

    An error refers to the frames that it passed, and they to their batches of records: after some outages of Kafka that
    is most of a counter's memory. Python itself searches among the objects that have survived only after their number
    has grown by a quarter, and with the thresholds of `shared.process` hardly ever. What the malloc of glibc has freed
    below something that is still used stays with the process: after a backlog that is tens of megabytes.
    """
    loop = asyncio.get_running_loop()
    pause = COLLECT_SECONDS
    while True:
        await asyncio.sleep(pause)
        began = loop.time()
        gc.collect()
        if _trim is not None:
            _trim(0)
        pause = max(COLLECT_SECONDS, (loop.time() - began) / COLLECT_SHARE)

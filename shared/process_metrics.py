"""Metrics of every process: event loop lag, and connections to Postgres."""

import asyncio

from shared.metrics import LOOP_LAG, POOL
from shared.postgres import POOLS

SAMPLE_SECONDS = 0.25


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

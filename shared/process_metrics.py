"""What every process measures of itself: how late its event loop is, and its connections to Postgres."""

import asyncio

from shared.metrics import LOOP_LAG, POOL
from shared.postgres import POOLS

LOOK_SECONDS = 0.25


async def watch_process() -> None:
    """Measure for as long as the process lives."""
    loop = asyncio.get_running_loop()
    while True:
        begun = loop.time()
        await asyncio.sleep(LOOK_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - begun - LOOK_SECONDS))
        POOLS.difference_update([pool for pool in POOLS if pool.is_closing()])
        size = sum(pool.get_size() for pool in POOLS)
        idle = sum(pool.get_idle_size() for pool in POOLS)
        POOL.labels("used").set(size - idle)
        POOL.labels("idle").set(idle)
        POOL.labels("max").set(sum(pool.get_max_size() for pool in POOLS))

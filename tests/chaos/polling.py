"""Waiting for conditions without blocking the proxies, which run in the same event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

POLL_SECONDS = 0.05


async def becomes_true(condition: Callable[[], Awaitable[Any]], seconds: float) -> bool:
    """Poll a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while True:
        if await condition():
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> None:
    """Poll a blocking condition in a thread.

    Raises:
        AssertionError: it did not become true in time.
    """

    async def in_a_thread() -> bool:
        return bool(await asyncio.to_thread(condition))

    assert await becomes_true(in_a_thread, seconds), f"{what}: not within {seconds:g} s"

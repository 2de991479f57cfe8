"""`python -m tests.chaos.instrumented_counter JSON`: the real counter with hooks that are installed before it starts.

The keys of the JSON object, all of them optional:

    point, action, call  At this point of the call-th commit, do this to the process itself.
    clock_days           After a while the process's clock jumps by this many days.
    slow_load_seconds    Loading partitions takes this much longer.
    commits              `refuse` or `hang`: how Kafka reacts when offsets are committed to it.
    broken               Disable a safeguard for a negative control (`negative_controls.BREAKAGES`).

Points: `before` the transaction, `inside` it (the suite makes commits slow meanwhile), `after` the commit but before
the state in memory is updated. Actions: `kill` and `stop` signal the process itself; `block` blocks its event loop.
"""

import asyncio
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError

from services.stats.counting import commits, consumer

CLOCK_JUMPS_AFTER_SECONDS = 5.0
INSIDE_SECONDS = 0.4
BLOCK_SECONDS = 6.5
DAY_NANOSECONDS = 86_400_000_000_000

ACTIONS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "block": lambda: time.sleep(BLOCK_SECONDS),
}


def hook(point: str, action: str, call: int) -> None:
    """Perform an action at a point of one commit."""
    commit_batches, calls = commits.commit_batches, 0

    async def hooked(*arguments: Any, **named: Any) -> list[int]:
        nonlocal calls
        calls += 1
        here = point if calls == call else None
        if here == "before":
            ACTIONS[action]()
        if here == "inside":
            asyncio.get_running_loop().call_later(INSIDE_SECONDS, ACTIONS[action])
        fenced = await commit_batches(*arguments, **named)
        if here == "after":
            ACTIONS[action]()
        return fenced

    commits.commit_batches = hooked


def jump_clock(days: float) -> None:
    """Let the wall clock of this process jump; the broker's and the monotonic clock stay right."""
    begun, now, now_ns = time.monotonic(), time.time, time.time_ns

    def jump() -> int:
        return int(days * DAY_NANOSECONDS) if time.monotonic() - begun > CLOCK_JUMPS_AFTER_SECONDS else 0

    time.time = lambda: now() + jump() / 1e9
    time.time_ns = lambda: now_ns() + jump()


def load_slowly(seconds: float) -> None:
    """Make every load of partitions take longer."""
    reload = consumer.CountingConsumer._reload

    async def slowly(self: consumer.CountingConsumer, *arguments: Any, **named: Any) -> None:
        await asyncio.sleep(seconds)
        await reload(self, *arguments, **named)

    consumer.CountingConsumer._reload = slowly


def spoil_commits(how: str) -> None:
    """Make every commit of offsets to Kafka fail, or never return."""

    async def spoiled(*_: Any) -> None:
        if how == "hang":
            await asyncio.Event().wait()
        raise GroupAuthorizationFailedError("not yours")

    AIOKafkaConsumer.commit = spoiled


def main() -> None:
    hooks = json.loads(sys.argv[1])
    if "action" in hooks:
        hook(hooks["point"], hooks["action"], hooks["call"])
    if "clock_days" in hooks:
        jump_clock(hooks["clock_days"])
    if "slow_load_seconds" in hooks:
        load_slowly(hooks["slow_load_seconds"])
    if "commits" in hooks:
        spoil_commits(hooks["commits"])
    if "broken" in hooks:
        from tests.chaos.negative_controls import BREAKAGES

        BREAKAGES[hooks["broken"]]()
    sys.argv = ["services.stats", "counter"]
    runpy.run_module("services.stats", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

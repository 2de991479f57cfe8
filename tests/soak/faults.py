"""The schedule of kills and freezes: each once in an order derived from the seed, repeated while time remains."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.soak.system import RunningSystem

LEAD_SECONDS = 20.0
TAIL_SHARE = 0.15
"""Share of the time at the end without faults."""
APART_SECONDS = (14.0, 75.0)
DOWN_SECONDS = 2.0
PAST_SESSION_SECONDS = 7.0
"""Longer than a counter's Kafka session, which is 4 s here."""
SHORT_SECONDS = 4.0

Action = Callable[[RunningSystem], Awaitable[None]]


def killed(name: str) -> Action:
    async def kill(system: RunningSystem) -> None:
        await system.kill(name, DOWN_SECONDS)

    return kill


def frozen(name: str, seconds: float) -> Action:
    async def freeze(system: RunningSystem) -> None:
        await system.freeze(name, seconds)

    return freeze


FAULTS: dict[str, tuple[str, Action]] = {
    **{
        f"{name} killed": (name, killed(name))
        for name in ("collector-1", "counter-1", "builder", "site-1", "articles", "widget", "kafka", "postgres")
    },
    "counter-1 frozen": ("counter-1", frozen("counter-1", PAST_SESSION_SECONDS)),
    "collector-1 frozen": ("collector-1", frozen("collector-1", SHORT_SECONDS)),
    "kafka frozen": ("kafka", frozen("kafka", SHORT_SECONDS)),
    "postgres frozen": ("postgres", frozen("postgres", SHORT_SECONDS)),
}
"""{name: (process, action)}. The second process of each pair is never touched, so that one runs for the whole time."""


SMALL_FAULTS: dict[str, tuple[str, Action]] = {
    **{
        f"{name} killed": (name, killed(name))
        for name in ("ingest", "articles", "stats", "render", "kafka", "postgres")
    },
    **{f"{name} frozen": (name, frozen(name, SHORT_SECONDS)) for name in ("ingest", "stats", "kafka", "postgres")},
}
"""Those of a small server, which has one process of each."""


@dataclass
class InjectedFault:
    """A fault that was injected."""

    name: str
    at: float
    """When it was injected, by `time.monotonic()`."""
    until: float
    """When the process was ready again."""


def plan(seconds: float, seed: int, faults: Mapping[str, tuple[str, Action]] = FAULTS) -> list[tuple[float, str]]:
    """Return [(seconds from the start, name of a fault)] in order."""
    chance = random.Random(seed)
    last = seconds * (1 - TAIL_SHARE)
    apart = min(max((last - LEAD_SECONDS) / len(faults), APART_SECONDS[0]), APART_SECONDS[1])
    planned: list[tuple[float, str]] = []
    at = min(LEAD_SECONDS, seconds / 10)
    while at < last:
        for name in chance.sample(list(faults), len(faults)):
            if at < last:
                planned.append((at, name))
            at += apart
    return planned


async def run(system: RunningSystem, planned: list[tuple[float, str]], begun: float, done: list[InjectedFault]) -> None:
    """Inject the planned faults one after the other, and record them in `done`."""
    for at, name in planned:
        await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
        part, action = (FAULTS | SMALL_FAULTS)[name]
        fault = InjectedFault(name, time.monotonic(), time.monotonic())
        await action(system)
        await system.wait_until_ready(part)
        fault.until = time.monotonic()
        done.append(fault)

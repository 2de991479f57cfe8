"""Limits that are shared among callers: turns, bounds, waiting times and cancellations."""

import asyncio
import random
from collections import Counter

import pytest

from shared.http.fair_limit import CALLER, FairLimit
from shared.http.problems import Problem


class Calls:
    """Calls behind a limit, in the order in which they got their turns."""

    def __init__(self, limit: FairLimit) -> None:
        self.limit = limit
        self.order: list[str] = []
        self.release = asyncio.Event()

    async def call(self, caller: str) -> None:
        async with self.limit.admit():
            self.order.append(caller)
            await self.release.wait()

    def start(self, *callers: str) -> list[asyncio.Task[None]]:
        started = []
        for caller in callers:
            CALLER.set(caller)
            started.append(asyncio.create_task(self.call(caller)))
        return started


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_take_turns() -> None:
    """A caller with one call does not wait for the many of another one that came before."""
    calls = Calls(FairLimit("calls", running_max=1))
    tasks = calls.start(*"AAAAAA", "B", "C", "C")
    await settle()
    assert calls.order == ["A"]
    calls.release.set()
    await asyncio.gather(*tasks)
    assert "".join(calls.order) == "AABCACAAA"


async def test_running_calls_are_limited_and_all_are_done() -> None:
    """Not more than the limit run at once, and the limit is free again at the end."""
    running = most = 0
    limit = FairLimit("calls", running_max=3, in_progress_max=50, of_caller_max=20)

    async def call() -> None:
        nonlocal running, most
        async with limit.admit():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    tasks = []
    for number in range(40):
        CALLER.set(str(number % 3))
        tasks.append(asyncio.create_task(call()))
    await asyncio.gather(*tasks)
    assert (most, limit._running, limit._in_progress, limit._turns) == (3, {}, {}, {})


async def test_too_many_calls_are_refused() -> None:
    """Beyond a caller's own bound it gets 429, beyond that of all 503, each with Retry-After."""
    calls = Calls(FairLimit("reads", running_max=1, in_progress_max=3, of_caller_max=2, headers={"x-more": "1"}))
    tasks = calls.start("A", "A", "B")
    await settle()
    for caller, status in (("A", 429), ("B", 503), ("C", 503)):
        CALLER.set(caller)
        with pytest.raises(Problem) as refused:
            async with calls.limit.admit():
                raise AssertionError
        assert (refused.value.status, refused.value.headers) == (status, {"retry-after": "2", "x-more": "1"})
        assert "reads" in refused.value.detail
    calls.release.set()
    await asyncio.gather(*tasks)
    assert (calls.limit._running, calls.limit._in_progress) == ({}, {})


async def test_turn_that_does_not_come_in_time_is_503() -> None:
    """A call waits for a bounded time; its place is free afterwards."""
    calls = Calls(FairLimit("calls", running_max=1, of_caller_max=2, wait_seconds_max=0.01))
    tasks = calls.start("A", "A")
    with pytest.raises(Problem) as late:
        await tasks[1]
    assert late.value.status == 503
    assert calls.limit._turns == {}
    calls.release.set()
    await asyncio.gather(tasks[0], *calls.start("A"))
    assert (calls.limit._running, calls.limit._in_progress) == ({}, {})


@pytest.mark.parametrize("steps", range(4))
async def test_cancelled_call_keeps_no_turn(steps: int) -> None:
    """A client that leaves while it waits, or in the moment when its turn comes, takes no turn from the others."""
    calls = Calls(FairLimit("calls", running_max=1))
    first, second, third = calls.start("A", "B", "C")
    await settle()
    calls.release.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([first, second, third], timeout=60)
    assert third.done()
    assert (calls.limit._running, calls.limit._in_progress, calls.limit._turns) == ({}, {}, {})


async def test_slow_calls_of_a_caller_leave_turns_to_others() -> None:
    """A caller runs only so many calls at once, however few others there are; its next one follows its own."""
    calls = Calls(FairLimit("calls", running_max=3, running_of_caller_max=2))
    tasks = calls.start("A", "A", "A", "A")
    await settle()
    assert calls.order == ["A", "A"]
    tasks += calls.start("B", "C")
    await settle()
    assert calls.order == ["A", "A", "B"]
    calls.release.set()
    await asyncio.gather(*tasks)
    assert sorted(calls.order) == ["A"] * 4 + ["B", "C"]
    assert (calls.limit._running, calls.limit._turns) == ({}, {})


@pytest.mark.parametrize("seed", range(5))
async def test_random_calls_and_cancellations_keep_the_limits(seed: int) -> None:
    """Whatever starts, ends, waits too long or is cancelled in whatever order: bounds hold, and nothing is left."""
    chosen = random.Random(seed)
    limit = FairLimit(
        "calls", running_max=4, running_of_caller_max=2, in_progress_max=60, of_caller_max=25, wait_seconds_max=0.02
    )
    running: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()

    async def call(caller: str) -> None:
        try:
            async with limit.admit():
                running[caller] += 1
                try:
                    assert running.total() <= 4
                    assert running[caller] <= 2
                    await asyncio.sleep(chosen.choice([0, 0, 0.001, 0.01]))
                finally:
                    running[caller] -= 1
            outcomes["done"] += 1
        except Problem as problem:
            outcomes[str(problem.status)] += 1

    tasks = []
    for number in range(600):
        CALLER.set(caller := chosen.choice("AAAAABCD"))
        tasks.append(asyncio.create_task(call(caller)))
        if chosen.random() < 0.3:
            chosen.choice(tasks).cancel()
        if number % 7 == 0:
            await asyncio.sleep(chosen.choice([0, 0.001]))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() or task.exception() is None for task in tasks)
    assert outcomes["done"] > 50
    assert (limit._running, limit._in_progress, limit._turns) == ({}, {}, {})

"""Concurrent callers share one call."""

import asyncio
import gc

import pytest

from shared.single_flight import SingleFlight


class Work:
    """A call that can be counted, and that ends when it is released."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.released = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.calls += 1
        await self.released.wait()
        if self._error is not None:
            raise self._error
        return self.calls


async def waiting(flights: SingleFlight[str, int], work: Work, count: int, key: str = "a") -> list[asyncio.Task[int]]:
    """Start callers, and return when all of them wait."""
    tasks = [asyncio.create_task(flights.run(key, work)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


async def test_concurrent_callers_share_one_call() -> None:
    """A hundred callers of the same key cause one call and get its result."""
    flights, work = SingleFlight[str, int]("work"), Work()
    tasks = await waiting(flights, work, 100)
    work.released.set()
    assert await asyncio.gather(*tasks) == [1] * 100
    assert work.calls == 1


async def test_each_key_has_its_own_call() -> None:
    """Callers of different keys do not wait for each other."""
    flights, slow, fast = SingleFlight[str, int]("work"), Work(), Work()
    (task,) = await waiting(flights, slow, 1, key="slow")
    fast.released.set()
    assert await flights.run("fast", fast) == 1
    assert len(flights) == 1
    slow.released.set()
    await task


async def test_a_later_caller_causes_a_new_call() -> None:
    """A result is not remembered."""
    flights, work = SingleFlight[str, int]("work"), Work()
    work.released.set()
    assert [await flights.run("a", work), await flights.run("a", work)] == [1, 2]


async def test_a_cancelled_caller_cancels_nobody_else() -> None:
    """The first caller, whose request ended, does not end the call of the others."""
    flights, work = SingleFlight[str, int]("work"), Work()
    first, second = await waiting(flights, work, 2)
    first.cancel()
    await asyncio.wait([first])
    work.released.set()
    assert (first.cancelled(), await second, work.calls) == (True, 1, 1)


async def test_an_error_reaches_all_callers() -> None:
    """What the call raises is raised to each of its callers, and the next call starts afresh."""
    flights, work = SingleFlight[str, int]("work"), Work(LookupError("missing"))
    tasks = await waiting(flights, work, 3)
    work.released.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(result) for result in results] == ["LookupError('missing')"] * 3
    with pytest.raises(LookupError):
        await flights.run("a", work)
    assert work.calls == 2


async def test_nothing_is_left_when_all_callers_were_cancelled() -> None:
    """A call without callers ends, is forgotten, and its error is not reported as never retrieved."""
    flights, work = SingleFlight[str, int]("work"), Work(LookupError("missing"))
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    tasks = await waiting(flights, work, 2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(flights) == 1
    work.released.set()
    await asyncio.sleep(0.01)
    gc.collect()
    assert (len(flights), reported) == (0, [])

"""Short-lived answers: one read at a time, and the last good answer while Postgres is unavailable."""

import asyncio

import pytest

from services.stats.statistics.answer_cache import RESULTS_MAX, AnswerCache


async def test_concurrent_requests_make_one_read() -> None:
    """A hundred who ask the same at the same moment get one answer, and so does who comes soon after."""
    cache, asked = AnswerCache(), 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    assert set(await asyncio.gather(*(cache.get("x", 60, ask) for _ in range(100)))) == {1}
    assert await cache.get("x", 60, ask) == 1
    assert await cache.get("x", 0, ask) == 2


async def test_last_good_result_is_returned_during_an_outage() -> None:
    """An old result is returned when a read fails; without one the error is raised, and a bug always is."""
    cache = AnswerCache()

    async def answer() -> str:
        return "good"

    async def away() -> str:
        raise OSError("away")

    async def fault() -> str:
        raise KeyError("fault")

    with pytest.raises(OSError, match="away"):
        await cache.get("x", 60, away)
    assert await cache.get("x", 0, answer) == "good"
    assert await cache.get("x", 0, away) == "good"
    with pytest.raises(KeyError):
        await cache.get("x", 0, fault)


async def test_cancelled_first_request_does_not_cancel_the_read() -> None:
    """A cancelled request does not take the answer from those who wait for the same."""
    cache, gate = AnswerCache(), asyncio.Event()

    async def ask() -> int:
        await gate.wait()
        return 7

    first, second = (asyncio.create_task(cache.get("x", 60, ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == 7


async def test_invented_queries_do_not_fill_the_cache() -> None:
    """Only so many answers are kept."""
    cache = AnswerCache()

    async def ask() -> int:
        return 1

    for number in range(RESULTS_MAX + 50):
        await cache.get(number, 60, ask)
    assert len(cache._results) == RESULTS_MAX

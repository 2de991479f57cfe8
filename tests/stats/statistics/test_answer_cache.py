"""Short-lived answers: one read at a time, and the last good answer while Postgres is unavailable."""

import asyncio

import pytest

from services.stats.statistics.answer_cache import RESULTS_MAX, AnswerCache


async def test_many_who_ask_at_once_make_one_question() -> None:
    """A hundred who ask the same at the same moment get one answer, and so does who comes soon after."""
    fresh, asked = AnswerCache(), 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    assert set(await asyncio.gather(*(fresh.get("x", 60, ask) for _ in range(100)))) == {1}
    assert await fresh.get("x", 60, ask) == 1
    assert await fresh.get("x", 0, ask) == 2


async def test_the_last_good_answer_stands_while_postgres_is_away() -> None:
    """An old result is returned when a read fails; without one the error is raised, and a bug always is."""
    fresh = AnswerCache()

    async def answer() -> str:
        return "good"

    async def away() -> str:
        raise OSError("away")

    async def fault() -> str:
        raise KeyError("fault")

    with pytest.raises(OSError, match="away"):
        await fresh.get("x", 60, away)
    assert await fresh.get("x", 0, answer) == "good"
    assert await fresh.get("x", 0, away) == "good"
    with pytest.raises(KeyError):
        await fresh.get("x", 0, fault)


async def test_who_asked_first_may_go_away() -> None:
    """A cancelled request does not take the answer from those who wait for the same."""
    fresh, gate = AnswerCache(), asyncio.Event()

    async def ask() -> int:
        await gate.wait()
        return 7

    first, second = (asyncio.create_task(fresh.get("x", 60, ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == 7


async def test_made_up_questions_do_not_fill_memory() -> None:
    """Only so many answers are kept."""
    fresh = AnswerCache()

    async def ask() -> int:
        return 1

    for number in range(RESULTS_MAX + 50):
        await fresh.get(number, 60, ask)
    assert len(fresh._results) == RESULTS_MAX

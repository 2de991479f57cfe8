"""Retries while a dependency is unavailable."""

import asyncio
from collections.abc import Iterator

import pytest
import stamina
from structlog.testing import capture_logs

from shared.retry import Outage, retry_until_done, run_periodically


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=1_000):
        yield


def failing(times: int, error: Exception) -> tuple[list[int], object]:
    """Return a list that grows by each call, and a function that fails so many times."""
    calls: list[int] = []

    async def act() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return "done"

    return calls, act


async def test_retry_until_done_returns_the_first_result() -> None:
    """Failed attempts are repeated, and the first success is the result."""
    calls, act = failing(3, ConnectionRefusedError("nobody"))
    assert await retry_until_done(act, on=OSError, what="work") == "done"
    assert len(calls) == 4


async def test_retry_logs_one_line_at_each_end_of_an_outage() -> None:
    """A hundred failed attempts are two lines: one at the first, one at the recovery."""
    _, act = failing(100, ConnectionRefusedError("nobody"))
    with capture_logs() as lines:
        await retry_until_done(act, on=OSError, what="work")
    began, ended = lines
    assert (began["event"], began["log_level"]) == ("retrying: dependency unavailable", "warning")
    assert (began["what"], began["reason"]) == ("work", "ConnectionRefusedError('nobody')")
    assert (ended["event"], ended["what"], ended["failures"]) == ("dependency available again", "work", 100)


async def test_retry_logs_nothing_without_an_outage() -> None:
    """Work that succeeds at once is not in the log."""
    _, act = failing(0, OSError())
    with capture_logs() as lines:
        await retry_until_done(act, on=OSError, what="work")
    assert lines == []


async def test_retry_reports_why_it_waits() -> None:
    """The reason of each failure is reported, and None at the end."""
    _, act = failing(2, OSError("full"))
    reasons: list[str | None] = []
    await retry_until_done(act, on=OSError, what="work", on_waiting=reasons.append)
    assert reasons == ["OSError('full')", "OSError('full')", None]


@pytest.mark.parametrize(
    "error", [ValueError("another kind"), FileNotFoundError("excluded"), asyncio.CancelledError("cancelled")]
)
async def test_retry_raises_other_errors_at_once(error: Exception) -> None:
    """Errors of another kind, excluded ones and cancellation are raised by the first attempt."""
    calls, act = failing(1, error)
    with pytest.raises(type(error)):
        await retry_until_done(act, on=OSError, unless=FileNotFoundError, what="work")
    assert len(calls) == 1


async def test_retry_is_cancelled_while_it_waits() -> None:
    """A cancelled task leaves its pause at once."""
    with stamina.set_testing(testing=False):
        _, act = failing(1_000, OSError())
        task = asyncio.create_task(retry_until_done(act, on=OSError, what="work"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_retry_within_a_deadline_raises_timeout() -> None:
    """A deadline ends a retry as it ends any other work."""
    _, act = failing(1_000, OSError())
    with stamina.set_testing(testing=False), pytest.raises(TimeoutError):
        await asyncio.wait_for(retry_until_done(act, on=OSError, what="work"), 0.01)


async def test_run_periodically_goes_on_after_failures() -> None:
    """Periodic work is repeated after successes and failures alike, until it is cancelled."""
    calls, act = failing(5, OSError())
    task = asyncio.create_task(run_periodically(act, every_seconds=0, on=OSError, what="work"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(calls) >= 20
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_run_periodically_raises_other_errors() -> None:
    """An error of another kind ends the task, so that its process stops."""
    _, act = failing(1, LookupError())
    with pytest.raises(LookupError):
        await run_periodically(act, every_seconds=0, on=OSError, what="work")


def test_outage_is_logged_again_after_a_recovery() -> None:
    """A session that fails, works and fails again is two outages."""
    outage = Outage("work")
    with capture_logs() as lines:
        outage.ended()
        for _ in range(2):
            outage.failed(OSError())
            outage.failed(OSError())
            outage.ended()
            outage.ended()
    assert [line["event"] for line in lines] == ["retrying: dependency unavailable", "dependency available again"] * 2

"""The process that a role runs in."""

import asyncio

from shared.role import Process, Role


async def fail_with(error: Exception) -> None:
    raise error


async def wait_forever() -> None:
    await asyncio.Event().wait()


def test_role_is_ready_and_alive_by_default() -> None:
    """A role without checks has no problems."""
    role = Role("a")
    assert (role.not_ready(), role.degraded(), role.liveness_failure()) == ([], [], None)


async def test_failed_task_stops_the_process() -> None:
    """A background task that raises stops its process, which says which task it was."""
    process = Process()
    process.spawn(fail_with(LookupError("x")), "count")
    await asyncio.wait_for(process.stop.wait(), 1)
    assert process.failure == "count: LookupError('x')"


async def test_first_failure_is_kept() -> None:
    """The reason of a stop is its first failure."""
    process = Process()
    process.fail("first")
    process.fail("second")
    assert process.failure == "first"


async def test_cancelled_or_finished_task_stops_nothing() -> None:
    """A task that ends, or that is cancelled, is no failure."""
    process = Process()
    task = process.spawn(wait_forever(), "wait")
    await process.spawn(asyncio.sleep(0), "sleep")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (process.failure, process.stop.is_set()) == (None, False)


async def test_running_tasks_are_referenced() -> None:
    """Asyncio keeps weak references to tasks: the process keeps strong ones until they end."""
    process = Process()
    task = process.spawn(asyncio.sleep(0), "sleep")
    assert task in process._tasks
    await task
    await asyncio.sleep(0)
    assert not process._tasks

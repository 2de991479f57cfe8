"""The process that a role runs in."""

import asyncio
import contextlib

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
    await asyncio.wait_for(process.stop.wait(), 60)
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


async def test_task_cancelled_from_within_stops_the_process() -> None:
    """A task that ends because what it awaited was cancelled, and not because it was asked to, is a failure."""
    process = Process()

    async def await_what_is_cancelled() -> None:
        inner = asyncio.create_task(wait_forever())
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    process.spawn(await_what_is_cancelled(), "count")
    await asyncio.wait_for(process.stop.wait(), 60)
    assert process.failure is not None
    assert process.failure.startswith("count: RuntimeError('it was cancelled from within")


async def spawn_waiting(process: Process) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
    """Spawn a task that awaits another one, which waits; return both."""
    inner = asyncio.create_task(wait_forever())

    async def await_inner() -> None:
        await inner

    task = process.spawn(await_inner(), "count")
    await asyncio.sleep(0)
    return task, inner


async def test_task_cancelled_while_its_wait_is_cancelled_stops_nothing() -> None:
    """A task that was asked to stop ended by will, though what it awaited was cancelled, too."""
    process = Process()
    task, inner = await spawn_waiting(process)
    inner.cancel()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (task.cancelled(), process.failure) == (True, None)


async def test_task_cancelled_from_within_while_stopping_is_no_failure() -> None:
    """A stopping process ends tasks in any order; one whose dependency was stopped first is no failure."""
    process = Process()
    task, inner = await spawn_waiting(process)
    process.stop.set()
    inner.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (task.cancelled(), process.failure) == (True, None)


async def test_timeout_within_a_task_stops_nothing() -> None:
    """A task that handles its own timeouts and then returns is no failure."""
    process = Process()

    async def wait_briefly() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await wait_forever()

    await process.spawn(wait_briefly(), "wait")
    await asyncio.sleep(0)
    assert process.failure is None


async def test_running_tasks_are_referenced() -> None:
    """Asyncio keeps weak references to tasks: the process keeps strong ones until they end."""
    process = Process()
    task = process.spawn(asyncio.sleep(0), "sleep")
    assert task in process._tasks
    await task
    await asyncio.sleep(0)
    assert not process._tasks

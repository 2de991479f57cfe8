"""Events of many requests, from the event loop and from other threads, in batches."""

import asyncio
import threading

import pytest

from services.ingest.collector.event_queue import EventQueue
from services.ingest.collector.group_commit import ENOUGH_EVENTS, GroupCommit
from services.ingest.collector.spool import SpooledEvent
from shared.kafka.producer import KafkaUnavailable


async def test_events_of_threads_are_each_in_one_batch_and_responded_to_once() -> None:
    """No event is lost or doubled while batches are taken, from any thread."""
    queue, responded = EventQueue(), list[int]()
    queue.gathers = False
    count = 5_000

    def send(first: int) -> None:
        for number in range(first, first + count):
            queue.add_direct([SpooledEvent(number, b"")], lambda requests, _: responded.extend(requests), number)

    threads = [threading.Thread(target=send, args=(number * count,)) for number in range(4)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    async with asyncio.timeout(60):
        while len(taken) < 4 * count:
            batch = await queue.take()
            taken += [one.partition_hash for one in batch.events]
            batch.complete()
            batch.complete(KafkaUnavailable("again"))
            queue.end()
    assert sorted(taken) == sorted(responded) == list(range(4 * count))


@pytest.mark.parametrize("from_thread", [True, False])
async def test_batch_that_gathers_leaves_as_soon_as_it_has_enough_events(
    from_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the end of its time, whether its last event is of a thread or of the loop."""
    monkeypatch.setattr(GroupCommit, "pause_seconds", lambda *_: 3_600.0)
    queue, responded = EventQueue(), list[int]()
    event = SpooledEvent(1, b"")
    for _ in range(2):
        waiting = queue.add([event])
        taking = asyncio.create_task(queue.take())
        for _ in range(ENOUGH_EVENTS - 2):
            queue.add_direct([event], lambda requests, _: responded.extend(requests), 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not taking.done()
        if from_thread:
            await asyncio.to_thread(queue.add_direct, [event], lambda requests, _: responded.extend(requests), 1)
        else:
            queue.add([event])
        async with asyncio.timeout(60):
            batch = await taking
        assert len(batch.events) == ENOUGH_EVENTS
        batch.complete()
        await waiting
        queue.end()


async def test_batch_with_enough_events_does_not_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken at once if they were there before."""
    monkeypatch.setattr(GroupCommit, "pause_seconds", lambda *_: 3_600.0)
    queue = EventQueue()
    queue.add([SpooledEvent(1, b"")] * ENOUGH_EVENTS)
    async with asyncio.timeout(60):
        batch = await queue.take()
    assert len(batch.events) == ENOUGH_EVENTS


async def test_batch_that_gathers_leaves_with_fewer_events_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for events that do not come."""
    monkeypatch.setattr(GroupCommit, "pause_seconds", lambda *_: 0.01)
    queue = EventQueue()
    queue.add([SpooledEvent(1, b"")])
    async with asyncio.timeout(60):
        batch = await queue.take()
    assert len(batch.events) == 1

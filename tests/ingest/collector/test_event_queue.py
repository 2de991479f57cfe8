"""Events of many requests, from the event loop and from other threads, in batches."""

import asyncio
import threading

from services.ingest.collector.event_queue import EventQueue
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

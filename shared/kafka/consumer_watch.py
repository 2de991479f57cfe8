"""Ends the process when a background task of one of its Kafka consumers has died.

aiokafka coordinates, sends heartbeats, fetches and reads metadata in tasks of its own. A consumer whose task has died
goes on without it: it is never assigned a partition again, or never fetches, and each call raises an error that
FastStream only logs. The process would be ready and do nothing. It cannot mend a consumer, but a restart does.
"""

import asyncio
from typing import Any

from faststream.kafka import KafkaBroker

from shared.logs import log
from shared.role import Process

POLL_SECONDS = 1.0


class ConsumerWatch:
    """Watches the consumers of one broker, once they have started."""

    def __init__(self, broker: KafkaBroker, process: Process) -> None:
        self._broker = broker
        self._process = process
        self._without_heartbeat: set[int] = set()
        """Subscribers whose heartbeats had ended at the last poll."""

    async def run(self) -> None:
        """Check every second, until a task has died or this one is cancelled."""
        while not self._find_death():  # noqa: ASYNC110 - the tasks change, and some end without a failure
            await asyncio.sleep(POLL_SECONDS)

    def _find_death(self) -> bool:
        for number, subscriber in enumerate(self._broker.subscribers):
            consumer: Any = subscriber.consumer  # type: ignore[attr-defined] # of each subscriber of this broker
            if consumer is None:  # it is stopping
                continue
            tasks = _vital_tasks(consumer)
            consuming: list[asyncio.Task[Any]] = subscriber.tasks  # type: ignore[attr-defined] # as above
            if consuming and all(task.done() for task in consuming):
                tasks["consume loop"] = consuming[-1]
            if self._has_no_heartbeat(number, consumer):
                tasks["heartbeat"] = consumer._coordinator._heartbeat_task  # noqa: SLF001 - it has no public attribute
            for name, task in tasks.items():
                if task.done():
                    self._report(name, consumer, task)
                    return True
        return False

    def _has_no_heartbeat(self, number: int, consumer: Any) -> bool:
        """Return whether a member of a group has sent no heartbeats since the last poll and is not about to rejoin."""
        coordinator = consumer._coordinator  # noqa: SLF001 - it has no public attribute
        heartbeat = getattr(coordinator, "_heartbeat_task", None)
        ended = heartbeat is not None and heartbeat.done() and not coordinator.need_rejoin(_subscription(consumer))
        had_ended = number in self._without_heartbeat
        (self._without_heartbeat.add if ended else self._without_heartbeat.discard)(number)
        return ended and had_ended

    def _report(self, name: str, consumer: Any, task: asyncio.Task[Any]) -> None:
        topics = ", ".join(sorted(consumer.subscription()))
        error = None if task.cancelled() else task.exception()
        log.error("a task of a Kafka consumer has died", task=name, topics=topics, exc_info=error)
        self._process.fail(f"the {name} task of the consumer of {topics} has died: {error!r}")


async def close_connections(broker: KafkaBroker) -> None:
    """Close the connections of consumers that cannot stop in order, because one of their tasks has died."""
    for subscriber in broker.subscribers:
        consumer: Any = subscriber.consumer  # type: ignore[attr-defined] # of each subscriber of this broker
        if consumer is not None:
            client = consumer._client  # noqa: SLF001 - it has no public attribute
            if client._sync_task is not None and client._sync_task.done():  # noqa: SLF001 - as above
                client._sync_task = None  # noqa: SLF001 - otherwise closing would raise its error
            await client.close()


def _vital_tasks(consumer: Any) -> dict[str, asyncio.Task[Any]]:
    """Return the tasks that never end while a consumer runs, by name."""
    tasks = {
        "group coordination": getattr(consumer._coordinator, "_coordination_task", None),  # noqa: SLF001 - not public
        "fetch": consumer._fetcher._fetch_task,  # noqa: SLF001 - not public
        "metadata": consumer._client._sync_task,  # noqa: SLF001 - not public
    }
    return {name: task for name, task in tasks.items() if task is not None}


def _subscription(consumer: Any) -> Any:
    return consumer._subscription.subscription  # noqa: SLF001 - it has no public attribute

"""Compares the log with the positions of a running counter, every few seconds.

A consumer that fetches behind the end of the log, or before its beginning, or from a topic that is gone, gets nothing;
its own view of the log then stands still, and shows no lag. So the log is read through another consumer.
"""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from services.stats.counting.log_check import CHECK_SECONDS, LogChecker
from services.stats.counting.offset_reporter import OffsetReporter
from services.stats.counting.partitions import AssignedPartition
from services.stats.metrics import COUNTING_STOPPED
from shared.kafka.producer import KAFKA_ERRORS
from shared.logs import log
from shared.retry import Outage
from shared.topics import PAGE_VIEWS

CHECKS_WITHOUT_TOPIC = 2
"""A broker that starts may not know all topics yet."""


class LogWatch:
    """Watches the partitions that are assigned to a counter.

    Args:
        checker: Reads the log.
        assigned: The counter's partitions; the mapping changes.
        offset_reporter: Reports lag from the ends that are read here.
        reload: Reloads a partition from Postgres, and then checks it: called with the cause.
    """

    def __init__(
        self,
        checker: LogChecker,
        assigned: Mapping[TopicPartition, AssignedPartition],
        offset_reporter: OffsetReporter,
        reload: Callable[[TopicPartition, AssignedPartition, str], None],
    ) -> None:
        self._checker = checker
        self._assigned = assigned
        self._offset_reporter = offset_reporter
        self._reload = reload
        self._checks_without_topic = 0
        self.ends: dict[TopicPartition, int] = offset_reporter.read_ends
        """The end of each partition's log, as it was read last."""
        self._mismatch: str | None = None
        COUNTING_STOPPED.set(0)

    @property
    def problem(self) -> str | None:
        """Why nothing is counted, as a message; None if the log is as it must be."""
        if self._mismatch is None and self._checks_without_topic >= CHECKS_WITHOUT_TOPIC:
            return f"the topic {PAGE_VIEWS.name} does not exist: nothing is counted until `presstally topics` is run"
        return self._mismatch

    def set_mismatch(self, mismatch: str | None) -> None:
        """Report that the log is not the one that was counted, or with None that it is again."""
        if mismatch is not None and self._mismatch is None:
            log.error("counting has stopped", reason=mismatch)
        elif mismatch is None and self._mismatch is not None:
            log.info("the log is again as it must be: counting continues")
        self._mismatch = mismatch
        self._offset_reporter.is_lag_unknown = mismatch is not None
        COUNTING_STOPPED.set(self.problem is not None)

    async def run(self) -> None:
        """Check every few seconds, until cancelled."""
        outage = Outage("compare the log with the counts")
        while True:
            try:
                await self._check()
                self._checks_without_topic = 0
                outage.ended()
            except UnknownTopicOrPartitionError:
                self._checks_without_topic += 1
            except KAFKA_ERRORS as error:
                outage.failed(error)
            COUNTING_STOPPED.set(self.problem is not None)
            await asyncio.sleep(CHECK_SECONDS)

    async def _check(self) -> None:
        checked = dict(self._assigned)
        positions = {place.partition: owned.position for place, owned in checked.items()}  # read before the log
        logs = await self._checker.check(PAGE_VIEWS.name, positions)
        self.ends.clear()
        for place, owned in checked.items():
            if place not in self._assigned or self._assigned[place] is not owned:
                continue
            found = logs[place.partition]
            self.ends[place] = found.end
            if found.mismatch is not None:
                self._reload(place, owned, "mismatch")  # which reads the position again, and stops counting
            elif found.beginning > owned.counted_up_to:
                self._reload(place, owned, "deleted records")  # which stores the gap

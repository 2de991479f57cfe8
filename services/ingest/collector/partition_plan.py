"""The partition plan: over how many partitions events are distributed, by the time of the event. Pure.

A visitor's partition is a hash modulo this number. Kafka's own number of partitions may grow at any moment, and
collectors would learn of it at different moments; two copies of an event would then be on two partitions, where neither
is known as the other's repetition. So the number that counts is agreed ahead of time (`ingest.partition_plan`), and
chosen by the event's own time.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

NOTICE_MS = 15 * 60_000
"""How long before it takes effect a change is recorded at least."""
NOTICE_MARGIN_MS = 5 * 60_000
"""Of the notice: for a commit that takes long. A collector that read the plan knows it for the rest of the notice."""
REPEAT_MS = 60 * 60_000
"""A sender that repeats an event without its age moves it in time. Within so much, copies are recognized nevertheless,
as they are on one partition."""
CHANGE_INTERVAL_MS = 2 * REPEAT_MS
"""Least time between two changes, so that an event is near one of them only."""


class PlanEntry(NamedTuple):
    """From `effective_at` on, events are distributed over `partitions`."""

    effective_at: int
    """In milliseconds since 1970."""
    partitions: int


@dataclass(frozen=True)
class PartitionPlan:
    """All changes of the number of partitions, the oldest first; the first is in effect from the beginning."""

    entries: tuple[PlanEntry, ...] = ()

    @property
    def newest(self) -> PlanEntry | None:
        """The last change, possibly in the future; None if nothing is recorded yet."""
        return self.entries[-1] if self.entries else None

    def partitions_at(self, at: int) -> int:
        """Return the number for an event at `at`, in milliseconds; the plan must not be empty."""
        number = bisect_right(self.entries, at, key=lambda entry: entry.effective_at)
        return self.entries[max(0, number - 1)].partitions

    def numbers_near(self, at: int) -> tuple[int, int] | None:
        """Return the numbers before and after a change within REPEAT_MS of `at`; None if there is no change."""
        before, after = self.partitions_at(at - REPEAT_MS), self.partitions_at(at + REPEAT_MS)
        return (before, after) if before != after else None

    def merged(self, recorded: Iterable[PlanEntry]) -> "PartitionPlan":
        """Return the plan with everything that is recorded, which wins over an entry of the same time.

        Entries that are no longer recorded stay: events were distributed by them. A restored Postgres lacks them.
        """
        entries = {entry.effective_at: entry for entry in self.entries} | {one.effective_at: one for one in recorded}
        return PartitionPlan(tuple(sorted(entries.values())))

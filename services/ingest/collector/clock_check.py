"""Compares this machine's clock with Kafka's: the counters refuse events whose time and arrival are far apart.

Brokers report when they appended a batch. Between observations the difference follows this machine's clock: if it is
set, the new difference is known at once. The reference is remembered against the time since boot, which nobody sets.
"""

import time
from typing import NamedTuple

OFFSET_SECONDS_MAX = 60.0
"""Beyond it the collector is not ready. Events whose times are 5 minutes ahead of their arrival are dead letters."""
OBSERVATION_SECONDS_MAX = 600.0
"""After so long without events, Postgres's clock decides: it is read all the time."""


class _Observation(NamedTuple):
    """The other clock, minus the time since boot: between `low` and `high` seconds."""

    low: float
    high: float
    seen_at: float


def since_boot() -> float:
    """Return the seconds since the machine started, also those in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockCheck:
    """Remembers what the clocks of brokers and of Postgres showed."""

    def __init__(self) -> None:
        self._brokers: dict[int, _Observation] = {}
        """By partition: each has one leader."""
        self._postgres: _Observation | None = None

    def observe_broker(self, partition: int, appended_at_ms: int, sent_at: float) -> None:
        """Take note of when a broker appended a batch.

        Args:
            partition: Where the broker leads.
            appended_at_ms: Its clock, in milliseconds since 1970.
            sent_at: `since_boot` before the batch was sent; now it is acknowledged.
        """
        self._brokers[partition] = _observation(appended_at_ms / 1000, sent_at)

    def observe_postgres(self, read_at_ms: float, sent_at: float) -> None:
        """Take note of Postgres's clock, likewise."""
        self._postgres = _observation(read_at_ms / 1000, sent_at)

    @property
    def offset_seconds(self) -> float | None:
        """How far this clock is ahead of the others (negative: behind), at least; None while unknown.

        Of several brokers that differ, the one that agrees best counts: one broker is wrong rather than all others.
        """
        brokers = self._offsets()
        if brokers:
            return min(brokers.values(), key=abs)
        return _offset(self._postgres, _clock()) if self._postgres is not None else None

    @property
    def problem(self) -> str | None:
        """Why events would be refused by the counters, as a message; None if the clocks agree."""
        offset = self.offset_seconds
        if offset is None or abs(offset) <= OFFSET_SECONDS_MAX:
            return None
        other = "Kafka's" if self._offsets() else "Postgres's"
        direction = "ahead of" if offset > 0 else "behind"
        return f"this machine's clock is {abs(offset):.0f} s {direction} {other}; set both by NTP"

    @property
    def warning(self) -> str | None:
        """One broker whose clock differs while others agree; its events are late or dead letters."""
        offsets = self._offsets()
        worst = max(offsets, key=lambda partition: abs(offsets[partition]), default=None)
        if worst is None or abs(offsets[worst]) <= OFFSET_SECONDS_MAX or self.problem is not None:
            return None
        direction = "behind" if offsets[worst] > 0 else "ahead of"
        return (
            f"the clock of the broker that leads partition {worst} is {abs(offsets[worst]):.0f} s {direction} this one"
        )

    def _offsets(self) -> dict[int, float]:
        fresh, own = since_boot() - OBSERVATION_SECONDS_MAX, _clock()
        return {partition: _offset(one, own) for partition, one in self._brokers.items() if one.seen_at > fresh}


def _observation(other_clock: float, sent_at: float) -> _Observation:
    received_at = since_boot()
    return _Observation(other_clock - received_at, other_clock - sent_at, received_at)


def _clock() -> float:
    """Return what this machine's clock showed when the machine started, as the clock is now."""
    return time.time() - since_boot()


def _offset(seen: _Observation, own: float) -> float:
    if seen.low <= own <= seen.high:
        return 0.0
    return own - seen.high if own > seen.high else own - seen.low

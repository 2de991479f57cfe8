"""How soon counting takes the next records: those of a moment share a fold and a transaction.

A fold and a commit take as long for one record as for a hundred. The first view after a while is counted at once; those
that follow within PAUSE_SECONDS_MAX are counted together: the brokers gather them (`fetch_pace`). A busy counter does
so for a moment, in which so many records come that it spares most of its transactions; a backlog never waits.
"""

import math

PAUSE_SECONDS_MAX = 0.9
"""With the way through Kafka and Postgres, a view is counted within a second."""
QUIET_PER_SECOND = 60.0
"""Up to this rate of records the pause is the longest."""
BUSY_PER_SECOND = 200.0
"""At this rate there is none; between the two it becomes shorter."""
GATHER_SECONDS = 0.05
GATHER_FROM_PER_SECOND, GATHER_ALL_PER_SECOND = 600.0, 2_000.0
"""From the first rate on there is one again, and from the second one on it is GATHER_SECONDS."""
SMOOTHING_SECONDS = 2.0
"""Over about this time the rate is averaged: a server that sends a hundred views once a second is no small load."""


class Pace:
    """The pause until a counter's next batch, from the rate of the records. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._taken_at: float | None = None
        self._rate: float | None = None

    def note(self, records: int, now: float) -> None:
        """Take note of records that were taken now, which all arrived since the last ones were."""
        if self._taken_at is not None and now > self._taken_at:
            seconds = now - self._taken_at
            rate = records / seconds
            share = -math.expm1(-seconds / SMOOTHING_SECONDS)
            self._rate = rate if self._rate is None else self._rate + (rate - self._rate) * share
        self._taken_at = now

    def pause_seconds(self, now: float) -> float:
        """Return how long to wait before the next records are taken."""
        if self._taken_at is None or self._rate is None:
            return 0.0
        share = (BUSY_PER_SECOND - self._rate) / (BUSY_PER_SECOND - QUIET_PER_SECOND)
        busy_share = (self._rate - GATHER_FROM_PER_SECOND) / (GATHER_ALL_PER_SECOND - GATHER_FROM_PER_SECOND)
        pause = PAUSE_SECONDS_MAX * min(max(share, 0.0), 1.0) + GATHER_SECONDS * min(max(busy_share, 0.0), 1.0)
        return min(max(self._taken_at + pause - now, 0.0), pause)

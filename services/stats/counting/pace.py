"""How soon counting takes the next records: with a small load, those of a moment share a fold and a transaction.

A fold and a commit take as long for one record as for a hundred. The first view after a while is counted at once; those
that follow within PAUSE_SECONDS_MAX are counted together. A busy counter never waits.
"""

PAUSE_SECONDS_MAX = 0.5
"""A live stream sends a message a second, and the counter's responses may be a second old."""
BUSY_PER_SECOND = 200.0
"""From this rate on there is no pause; below, the pause is the longer the lower the rate is."""


class Pace:
    """The pause before a counter's next batch, from the rate of the records. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._taken_at: float | None = None
        self._pause_seconds = 0.0

    def note(self, records: int, now: float) -> None:
        """Take note of records that were taken now, which all arrived since the last ones were."""
        if self._taken_at is not None and now > self._taken_at:
            rate = records / (now - self._taken_at)
            self._pause_seconds = PAUSE_SECONDS_MAX * max(0.0, 1 - rate / BUSY_PER_SECOND)
        self._taken_at = now

    def pause_seconds(self, now: float) -> float:
        """Return how long to wait before the next records are taken."""
        return max(0.0, (self._taken_at or 0.0) + self._pause_seconds - now)

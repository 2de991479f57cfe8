"""Consumer lag in seconds: how long has the oldest uncounted record been in the log?

Kafka reports where the log ends, not when a record arrived. So each poll stores the end that it saw: an uncounted
record arrived before the first poll that saw it. That is right to the interval between two polls.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Lag:
    """The lag of one partition."""

    _ends: "deque[tuple[int, float]]" = field(default_factory=deque)

    def update(self, end: int, counted_up_to: int, newest_arrived_seconds: float, now_seconds: float) -> float:
        """Return how many seconds the oldest uncounted record has waited; 0 when all are counted.

        Args:
            end: The offset after the log's last record.
            counted_up_to: The offset of the first uncounted record.
            newest_arrived_seconds: When the newest counted record arrived: at the first poll all uncounted records
                arrived after it.
            now_seconds: Seconds since 1970 UTC.
        """
        if not self._ends:
            self._ends.append(
                (end, newest_arrived_seconds if 0 < newest_arrived_seconds < now_seconds else now_seconds)
            )
        elif end > self._ends[-1][0]:
            self._ends.append((end, now_seconds))
        while len(self._ends) > 1 and self._ends[0][0] <= counted_up_to:
            self._ends.popleft()
        last_end, seen_at = self._ends[0]
        return now_seconds - seen_at if counted_up_to < last_end else 0.0

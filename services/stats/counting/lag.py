"""How far counting is behind, in seconds: since when has the oldest record that is not counted been in the log?

Kafka tells where the log ends, not when a record came. So each look remembers the end that it saw: what is
not counted now came before the first look that saw it. That is right to the second between two looks.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Lag:
    """The lag of one partition."""

    _ends: "deque[tuple[int, float]]" = field(default_factory=deque)

    def look(self, end: int, counted: int, newest_arrived_seconds: float, now_seconds: float) -> float:
        """Return how long the oldest record that is not counted has waited; 0 when all are.

        Args:
            end: The offset behind the log's last record.
            counted: The offset of the first record that is not counted.
            newest_arrived_seconds: When the newest counted record came: what is behind at the first look came after it.
            now_seconds: Seconds since 1970 UTC.
        """
        if not self._ends:
            self._ends.append(
                (end, newest_arrived_seconds if 0 < newest_arrived_seconds < now_seconds else now_seconds)
            )
        elif end > self._ends[-1][0]:
            self._ends.append((end, now_seconds))
        while len(self._ends) > 1 and self._ends[0][0] <= counted:
            self._ends.popleft()
        last_end, seen_at = self._ends[0]
        return now_seconds - seen_at if counted < last_end else 0.0

"""The activities of one visitor ID while events arrive out of order. Pure.

The state afterwards does not depend on how the log is cut into batches: an event changes the same activities whether
it is applied alone or together with others.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from services.stats.counting.evicted_state import NO_VISIT, PastActivity

VISIT_TIMEOUT_MS = 1_800_000
UNCHANGED = 0
"""The window of an activity that is also in the evicted state as it is."""


@dataclass(slots=True)
class Activity:
    """Views and pings without a break of more than 30 minutes."""

    start: int
    end: int
    previous: int
    """The ID of the day before that the visit's first view names; the ID itself if there is none."""
    source: int
    """Where its visit came from and began, or NO_VISIT."""
    window_seq: int
    """Window of the last change, or UNCHANGED."""


class VisitorActivities:
    """The activities of a visitor ID in order; none of them overlaps another, the last one is the newest."""

    def __init__(self, visitor: int, activities: list[Activity], window_seq: int) -> None:
        """Take the activities of the state; changes are of window `window_seq`."""
        self._visitor = visitor
        self._window_seq = window_seq
        self.activities = sorted(activities, key=lambda one: one.start)
        self.ended: list[tuple[int, int]] = []
        """Source and start of visits that were taken back."""

    def admit(self, past: Iterable[tuple[PastActivity, int]], ended_from: int) -> None:
        """Add evicted activities (with the numbers of their sources), unless the state has replaced them."""
        for one, source in past:
            if one.end >= ended_from and not self.overlaps(one.start, one.end):
                added = Activity(one.start, one.end, one.previous, source, UNCHANGED)
                self.activities.insert(self._position(one.start), added)

    def overlaps(self, start: int, end: int) -> bool:
        """Return whether there is an activity at any time of an interval."""
        position = self._position(end)
        return position > 0 and self.activities[position - 1].end >= start

    def _position(self, at: int) -> int:
        """Return how many activities begin until a time."""
        return bisect_right(self.activities, at, key=lambda one: one.start)

    def add(self, at: int, previous: int, source: int) -> bool:
        """Add a view or ping; return whether an activity begins with it.

        Args:
            at: Its time.
            previous: As in `Activity`.
            source: NO_VISIT for a ping.
        """
        position = self._position(at)
        earlier = self.activities[position - 1] if position else None
        later = self.activities[position] if position < len(self.activities) else None
        joins_later = later is not None and later.start - at <= VISIT_TIMEOUT_MS
        if earlier is not None and at - earlier.end <= VISIT_TIMEOUT_MS:
            if at <= earlier.end:
                return False
            earlier.end, earlier.window_seq = at, self._window_seq
            if later is not None and joins_later:
                self._end_visit(later)
                earlier.end = later.end
                del self.activities[position]
            return False
        if later is not None and joins_later:
            self._end_visit(later)
            later.start, later.previous, later.source, later.window_seq = at, previous, source, self._window_seq
            return True
        if earlier is not None and later is None:
            earlier.window_seq = self._window_seq  # it was the newest one, and is closed
        self.activities.insert(position, Activity(at, at, previous, source, self._window_seq))
        return True

    def _end_visit(self, activity: Activity) -> None:
        if activity.source != NO_VISIT:
            self.ended.append((activity.source, activity.start))

    def close(self) -> tuple[Activity, list[tuple[int, int, int, int, int, int]]]:
        """Return the newest activity, and of the earlier ones those that the evicted state does not have, as rows."""
        *earlier, newest = self.activities
        rows = [
            (self._visitor, one.start, one.end, one.previous, one.source, one.window_seq)
            for one in earlier
            if one.window_seq != UNCHANGED
        ]
        return newest, rows

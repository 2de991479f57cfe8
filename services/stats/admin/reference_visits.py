"""Which views begin visits, in the reference model: by the definition, from all events of a partition. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import NamedTuple

VISIT_TIMEOUT_MS = 30 * 60_000


class View(NamedTuple):
    """A view that may begin a visit."""

    site: str
    article: str | None
    at: int
    day: int
    host: str
    """Where the visit would come from."""
    visitor: str
    visitor_prev: str | None


class VisitorEvent(NamedTuple):
    """A view or ping of a visitor ID."""

    at: int
    order: int
    """Its place in the log."""
    view: View | None
    """None for a ping."""


def find_visits(events: Mapping[tuple[str, str], list[VisitorEvent]]) -> Iterator[View]:
    """Return the views that begin a visit: those without view or ping in the 30 minutes before, whenever it arrived.

    Of two events of one time, the earlier one in the log is the one before. A view that names an ID of the day before
    continues that visitor's visit: views and pings of that ID count, too, also at the same time.

    Args:
        events: (site, visitor ID) → its views and pings.
    """
    in_order = {key: sorted(of_visitor) for key, of_visitor in events.items()}
    times = {key: [one.at for one in of_visitor] for key, of_visitor in in_order.items()}
    for (site, visitor), of_visitor in in_order.items():
        before: int | None = None
        for at, _, view in of_visitor:
            if view is not None and (before is None or at - before > VISIT_TIMEOUT_MS):
                previous = view.visitor_prev
                if previous in (None, visitor) or not _is_active(times.get((site, previous or ""), []), at):
                    yield view
            before = at


def _is_active(times: list[int], at: int) -> bool:
    """Return whether one of the times (sorted) is in the 30 minutes until an instant."""
    place = bisect_left(times, at - VISIT_TIMEOUT_MS)
    return place < len(times) and times[place] <= at

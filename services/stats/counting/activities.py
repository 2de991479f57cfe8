"""Activities: a visitor ID's views and pings without a break of more than 30 minutes. They show visits. Pure.

An activity has a visit if it begins with a view, unless the view names an ID of the day before (`visitor_prev`) that
was active in the 30 minutes before. Events may arrive in any order: one that is from just before an activity takes its
visit back, and one between two activities joins them. Stream processing calls this a session window.

The newest activity of each ID in the state is in columns beside the IDs; earlier ones are in `closed`, and what the
state has evicted is in `evicted_state`. Events that could touch an evicted one are older than
`STALE_BEFORE_WINDOW_MS`, and only they are looked up there.
"""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from services.stats.counting.decoding import Flags, Integers, Unsigned
from services.stats.counting.evicted_state import (
    ACTIVITY,
    NO_VISIT,
    Activities,
    EvictedActivities,
    PastActivity,
    Source,
)
from services.stats.counting.late_events import UNCHANGED, VISIT_TIMEOUT_MS, Activity, VisitorActivities
from services.stats.counting.seen_ids import Insertion, Int32s, empty_int32, empty_integers, empty_unsigned

STALE_BEFORE_WINDOW_MS = 25 * 60_000
"""Evicted activities ended 55 minutes before the current window: an event can touch them if it is from more than 25
minutes before it. See `state`: they were last touched three windows ago, and an event may be 5 minutes ahead."""
NEVER = -(2**62)


@dataclass(slots=True)
class ActivityEvents:
    """Views and pings of one site, sorted by `place`, those of an ID in the order of the log, as columns."""

    place: Integers
    """Rows of the ID columns."""
    at: Integers
    is_view: Flags
    previous: Unsigned
    """The visitor ID of the day before, or the event's own ID if it names none."""
    source: Integers
    """Numbers of articles and referrers, of which `names` makes sources."""
    names: Callable[[list[int]], list[Source]]

    def __getitem__(self, rows: Flags | Integers) -> "ActivityEvents":
        """Return some of the events."""
        return ActivityEvents(
            self.place[rows], self.at[rows], self.is_view[rows], self.previous[rows], self.source[rows], self.names
        )


class EndedVisit(NamedTuple):
    """A visit that was counted and does not begin there, since an earlier event has arrived."""

    article: str
    host: str
    start: int


@dataclass(slots=True)
class ActivityTable:
    """The activities of one site's visitor IDs."""

    start: Integers = field(default_factory=empty_integers)
    """Of the newest activity of each ID, aligned with `VisitorTable.visitor_id`."""
    end: Integers = field(default_factory=empty_integers)
    """NEVER for an ID without views and pings."""
    previous: Unsigned = field(default_factory=empty_unsigned)
    """The ID of the day before that the visit's first view names; the ID itself if there is none."""
    source: Int32s = field(default_factory=empty_int32)
    """Where the activity's visit came from and began: a number of `sources`, or NO_VISIT."""
    closed: Activities = field(default_factory=lambda: np.zeros(0, ACTIVITY))
    """Earlier activities that changed in the newest windows."""
    sources: dict[Source, int] = field(default_factory=dict)
    newest_link: int = NEVER
    """No visit whose first view names an ID of the day before begins after this."""

    def insert(self, insertion: Insertion, ids: Unsigned) -> None:
        """Add new IDs."""
        self.start = insertion.into(self.start, NEVER)
        self.end = insertion.into(self.end, NEVER)
        self.previous = insertion.into(self.previous, ids)
        self.source = insertion.into(self.source, NO_VISIT)

    def update(
        self, ids: Unsigned, events: ActivityEvents, window_seq: int, stale_before: int, evicted: EvictedActivities
    ) -> tuple[Flags, list[EndedVisit]]:
        """Apply events; return which of them began a visit, and the visits that ended.

        A visit may both begin and end here.

        Args:
            ids: The visitor IDs, sorted; the columns are aligned with them.
            events: Are added.
            window_seq: The current window.
            stale_before: Events until then (milliseconds) may touch evicted activities.
            evicted: The evicted activities.
        """
        update = _Update(self, ids, window_seq, stale_before, evicted)
        return update.apply(events), update.ended()

    def evict(self, ids: Unsigned, kept: Flags, before_window_seq: int) -> Activities:
        """Remove the IDs that are not kept, and activities last changed before a window; return their activities."""
        gone = np.flatnonzero(~kept & (self.end > NEVER))
        evicted = np.zeros(len(gone), ACTIVITY)
        for name, column in (("visitor", ids), ("start", self.start), ("end", self.end), ("source", self.source)):
            evicted[name] = column[gone]
        evicted["previous"] = self.previous[gone]
        old = self.closed["window_seq"] < before_window_seq
        evicted = np.concatenate((evicted, self.closed[old]))
        self.start, self.end = self.start[kept], self.end[kept]
        self.previous, self.source = self.previous[kept], self.source[kept]
        self.closed = self.closed[~old]
        self.find_newest_link(ids[kept])
        return evicted

    def drop_sources(self) -> None:
        """Forget sources of activities that were evicted."""
        used = np.unique(np.concatenate((self.source, self.closed["source"])))
        used = used[used != NO_VISIT]
        number = np.full(len(self.sources) + 1, NO_VISIT, np.int32)  # the last one is for NO_VISIT
        number[used] = np.arange(len(used))
        names = list(self.sources)
        self.sources = {names[old]: new for new, old in enumerate(used.tolist())}
        self.source, self.closed["source"] = number[self.source], number[self.closed["source"]]

    def find_newest_link(self, ids: Unsigned) -> None:
        """Recompute `newest_link`."""
        starts = self.start[(self.previous != ids) & (self.source != NO_VISIT)]
        is_link = (self.closed["previous"] != self.closed["visitor"]) & (self.closed["source"] != NO_VISIT)
        starts = np.concatenate((starts, self.closed["start"][is_link]))
        self.newest_link = int(starts.max(initial=NEVER))

    def source_numbers(self, sources: Iterable[Source]) -> list[int]:
        """Return the numbers of sources; new ones are assigned one."""
        return [self.sources.setdefault(source, len(self.sources)) for source in sources]


class _Update:
    """One update of a table: all events first, then the visits that continue those of the day before."""

    def __init__(
        self,
        table: ActivityTable,
        ids: Unsigned,
        window_seq: int,
        stale_before: int,
        evicted: EvictedActivities,
    ) -> None:
        self._table = table
        self._ids = ids
        self._window_seq = window_seq
        self._stale_before = stale_before
        self._evicted = evicted
        self._ended: list[tuple[int, int]] = []
        """Source and start of visits that ended."""

    def apply(self, events: ActivityEvents) -> Flags:
        """Apply events; return which of them began a visit."""
        table = self._table
        starts_visit = np.zeros(len(events.at), np.bool_)
        if not len(events.at):
            return starts_visit
        first = np.ones(len(events.at), np.bool_)
        first[1:] = events.place[1:] != events.place[:-1]
        before = np.empty(len(events.at), np.int64)
        before[1:] = events.at[:-1]
        begins = np.flatnonzero(first)
        before[begins] = table.end[events.place[begins]]
        earliest = int(events.at.min())
        out_of_order = events.at < before
        if earliest <= self._stale_before or out_of_order.any():
            is_late = np.zeros(len(self._ids), np.bool_)
            is_late[events.place[out_of_order | (events.at <= self._stale_before)]] = True
            late = is_late[events.place]
            starts_visit[late] = self._add_one_by_one(events[late])
            if not late.all():
                starts_visit[~late] = self._add_in_order(events[~late], before[~late])
        else:
            starts_visit = self._add_in_order(events, before)
        if table.newest_link >= earliest:
            self._join_days(earliest)
        if earliest <= self._stale_before:
            self._join_evicted(events)
        return starts_visit

    def ended(self) -> list[EndedVisit]:
        """Return the visits that ended."""
        if not self._ended:
            return []
        names = list(self._table.sources)
        return [EndedVisit(*names[source], start) for source, start in self._ended]

    def _add_in_order(self, events: ActivityEvents, before: Integers) -> Flags:
        """Add events of IDs without late ones; `before` is the time of the event before, of the same ID."""
        table, place = self._table, events.place
        begins_activity = events.at - before > VISIT_TIMEOUT_MS
        starts_visit = begins_activity & events.is_view
        rows = np.flatnonzero(begins_activity)
        last = np.ones(len(place), np.bool_)
        last[:-1] = place[1:] != place[:-1]
        if len(rows):
            at, ids = events.at[rows], place[rows]
            source, previous = self._begin(events, rows)
            again = np.zeros(len(rows), np.bool_)
            again[1:] = ids[1:] == ids[:-1]
            closing = np.flatnonzero(~again & (table.end[ids] > NEVER))
            if len(closing):
                old, end = ids[closing], before[rows[closing]]  # events of this batch may have continued it
                self._close(old, table.start[old], end, table.previous[old], table.source[old])
            followed = np.flatnonzero(again) - 1
            if len(followed):
                self._close(
                    ids[followed], at[followed], before[rows[followed + 1]], previous[followed], source[followed]
                )
            newest = np.ones(len(rows), np.bool_)
            newest[:-1] = ~again[1:]
            ids = ids[newest]
            table.start[ids], table.source[ids], table.previous[ids] = at[newest], source[newest], previous[newest]
        table.end[place[last]] = events.at[last]
        return starts_visit

    def _begin(self, events: ActivityEvents, rows: Integers) -> tuple[Int32s, Unsigned]:
        """Return source and ID of the day before, for events that begin an activity."""
        table, own = self._table, self._ids[events.place[rows]]
        source = self._sources(events, rows)
        previous = np.where(source != NO_VISIT, events.previous[rows], own)
        linked = previous != own
        if linked.any():
            table.newest_link = max(table.newest_link, int(events.at[rows[linked]].max()))
        return source, previous

    def _close(self, place: Integers, start: Integers, end: Integers, previous: Unsigned, source: Int32s) -> None:
        closed = np.zeros(len(place), ACTIVITY)
        closed["visitor"], closed["start"], closed["end"] = self._ids[place], start, end
        closed["previous"], closed["source"], closed["window_seq"] = previous, source, self._window_seq
        self._table.closed = np.concatenate((self._table.closed, closed))

    def _add_one_by_one(self, events: ActivityEvents) -> list[bool]:
        """Add all events of IDs that have late ones, those of each ID in the order of the log."""
        table, places, at = self._table, events.place, events.at
        stale = at <= self._stale_before
        visitors, previous = self._ids[places], events.previous.tolist()
        past = self._past(np.unique(visitors[stale]), int(at.min()) - VISIT_TIMEOUT_MS)
        closed = self._take_closed(np.unique(visitors))
        sources = self._sources(events, np.arange(len(at))).tolist()
        kept: list[tuple[int, ...]] = []
        starts_visit = [False] * len(at)
        edges = [0, *(np.flatnonzero(places[1:] != places[:-1]) + 1).tolist(), len(at)]
        times, is_stale = at.tolist(), stale.tolist()
        for begin, end in pairwise(edges):
            place, visitor = int(places[begin]), int(visitors[begin])
            known = VisitorActivities(visitor, self._newest(place) + closed.get(visitor, []), self._window_seq)
            for one in range(begin, end):
                if is_stale[one]:
                    known.admit(past.get(visitor, []), times[one] - VISIT_TIMEOUT_MS)
                if sources[one] == NO_VISIT:
                    known.add(times[one], visitor, NO_VISIT)
                else:
                    starts_visit[one] = known.add(times[one], previous[one], sources[one])
                    if previous[one] != visitor:
                        table.newest_link = max(table.newest_link, times[one])
            self._ended += known.ended
            newest, rows_kept = known.close()
            kept += rows_kept
            table.start[place], table.end[place] = newest.start, newest.end
            table.previous[place], table.source[place] = newest.previous, newest.source
        self._keep_closed(kept)
        return starts_visit

    def _newest(self, place: int) -> list[Activity]:
        table = self._table
        columns = (table.start, table.end, table.previous, table.source)
        start, end, previous, source = (int(column[place]) for column in columns)
        return [Activity(start, end, previous, source, self._window_seq)] if end > NEVER else []

    def _sources(self, events: ActivityEvents, rows: Integers) -> Int32s:
        """Return the source that each event's visit would have: NO_VISIT for pings."""
        sources = np.full(len(rows), NO_VISIT, np.int32)
        views = np.flatnonzero(events.is_view[rows])
        if len(views):
            codes, index = np.unique(events.source[rows[views]], return_inverse=True)
            numbers = self._table.source_numbers(events.names(codes.tolist()))
            sources[views] = np.array(numbers, np.int32)[index]
        return sources

    def _past(self, visitors: Unsigned, ended_from: int) -> dict[int, list[tuple[PastActivity, int]]]:
        """Return the evicted activities of visitor IDs, with the numbers of their sources."""
        table = self._table
        return {
            visitor: [(one, table.source_numbers([one.source])[0] if one.source else NO_VISIT) for one in activities]
            for visitor, activities in self._evicted.of(visitors, ended_from).items()
        }

    def _take_closed(self, visitors: Unsigned) -> dict[int, list[Activity]]:
        """Take the closed activities of visitor IDs out of the table."""
        table = self._table
        theirs = np.isin(table.closed["visitor"], visitors)
        taken = _by_visitor(table.closed[theirs])
        table.closed = table.closed[~theirs]
        return taken

    def _keep_closed(self, rows: list[tuple[int, ...]]) -> None:
        self._table.closed = np.concatenate((self._table.closed, np.array(rows, ACTIVITY)))

    def _join_days(self, earliest: int) -> None:
        """End the visits of the state that continue one of the day before: their ID of that day was active."""
        table, closed = self._table, self._table.closed
        rows = np.flatnonzero((table.previous != self._ids) & (table.source != NO_VISIT) & (table.start >= earliest))
        is_link = (closed["previous"] != closed["visitor"]) & (closed["source"] != NO_VISIT)
        closed_rows = np.flatnonzero(is_link & (closed["start"] >= earliest))
        previous = np.concatenate((table.previous[rows], closed["previous"][closed_rows]))
        start = np.concatenate((table.start[rows], closed["start"][closed_rows]))
        place = np.minimum(np.searchsorted(self._ids, previous), len(self._ids) - 1)
        newest = np.where(self._ids[place] == previous, table.end[place], NEVER)
        is_known = newest > NEVER
        is_older = is_known & (table.start[place] > start)
        continues = is_known & ~is_older & (start - newest <= VISIT_TIMEOUT_MS)
        unsure = np.flatnonzero(is_older | (~continues & (start <= self._stale_before)))
        if len(unsure):
            continues[unsure] = self._were_active(previous[unsure], start[unsure])
        ending = rows[continues[: len(rows)]]
        self._ended += zip(table.source[ending].tolist(), table.start[ending].tolist(), strict=True)
        table.source[ending], table.previous[ending] = NO_VISIT, self._ids[ending]
        ending = closed_rows[continues[len(rows) :]]
        self._ended += zip(closed["source"][ending].tolist(), closed["start"][ending].tolist(), strict=True)
        closed["source"][ending], closed["previous"][ending] = NO_VISIT, closed["visitor"][ending]

    def _were_active(self, visitors: Unsigned, until: Integers) -> list[bool]:
        """Return whether IDs were active in the 30 minutes until a time, also in closed and evicted activities."""
        closed = self._table.closed
        known = _by_visitor(closed[np.isin(closed["visitor"], visitors)])
        stale = until <= self._stale_before
        past = self._past(np.unique(visitors[stale]), int(until.min()) - VISIT_TIMEOUT_MS)
        active = []
        for visitor, at, is_stale in zip(visitors.tolist(), until.tolist(), stale.tolist(), strict=True):
            one = VisitorActivities(visitor, known.get(visitor, []), self._window_seq)
            if is_stale:
                one.admit(past.get(visitor, []), at - VISIT_TIMEOUT_MS)
            active.append(one.overlaps(at - VISIT_TIMEOUT_MS, at))
        return active

    def _join_evicted(self, events: ActivityEvents) -> None:
        """The same for evicted visits, if a late event shows that the ID of the day before was active."""
        stale = np.flatnonzero(events.at <= self._stale_before)
        active = self._ids[events.place[stale]]
        visitors = self._evicted.linked_to(np.unique(active))
        if not len(visitors):
            return
        earliest = int(events.at[stale].min())
        past, closed = self._past(visitors, earliest), self._take_closed(visitors)
        kept: list[tuple[int, ...]] = []
        for visitor in visitors.tolist():
            place = int(np.searchsorted(self._ids, np.uint64(visitor)))
            newest = self._newest(place) if place < len(self._ids) and int(self._ids[place]) == visitor else []
            theirs = closed.get(visitor, [])
            known = VisitorActivities(visitor, newest + theirs, self._window_seq)
            known.admit(past.get(visitor, []), earliest)
            kept += [(visitor, *astuple(one)) for one in theirs]
            for one in known.activities:
                if one.window_seq == UNCHANGED and one.source != NO_VISIT and one.previous != visitor:
                    since = one.start - events.at[stale[active == one.previous]]
                    if ((since >= 0) & (since <= VISIT_TIMEOUT_MS)).any():
                        self._ended.append((one.source, one.start))
                        kept.append((visitor, one.start, one.end, visitor, NO_VISIT, self._window_seq))
        self._keep_closed(kept)


def _by_visitor(rows: Activities) -> dict[int, list[Activity]]:
    found: dict[int, list[Activity]] = {}
    for visitor, *values in rows.tolist():
        found.setdefault(visitor, []).append(Activity(*values))
    return found

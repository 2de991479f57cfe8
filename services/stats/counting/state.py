"""The state of one partition: recent event ids, and its visitors with their activities and presence. Pure.

The log of a partition is divided into windows of 30 minutes of arrival. An entry is kept if it was last touched in the
current window or in one of the two before it *in which anything arrived*: an hour at least, and an outage of any
length does not count. Batches are split where windows begin, so the state depends on the log alone, never on how it
was fetched. That makes the state a cache: a snapshot of it, or the log itself, rebuilds it exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.stats.counting.activities import (
    NEVER,
    STALE_BEFORE_WINDOW_MS,
    ActivityEvents,
    ActivityTable,
    EndedVisit,
)
from services.stats.counting.decoding import LEAVE, VIEW, Flags, Integers, Unsigned
from services.stats.counting.evicted_state import (
    Activities,
    EvictedActivities,
    EvictedState,
    Source,
    encode_activities,
)
from services.stats.counting.evidence import EvidenceRow, EvidenceTable, mark_visitors
from services.stats.counting.exclusions import Excluded
from services.stats.counting.grouping import stable_order
from services.stats.counting.known_articles import KnownArticles
from services.stats.counting.seen_ids import Insertion, Int32s, SeenIds, empty_int32, empty_integers, empty_unsigned

WINDOW_MS = 1_800_000
WINDOWS_PER_DAY = 48
DEDUP_WINDOWS = 2
EVICTED_WINDOWS = 98
"""Evicted ids identify late duplicates for 49 more hours: an event may be 48 hours late."""
PRESENCE_BUCKET_MS = 5_000
NOT_ONLINE = -1
RING_BUCKETS = 128
RING_LAG_BUCKETS = 62
"""Buckets kept behind the newest arrival: 300 s of being online, and 5 minutes that an event may be ahead."""


@dataclass(slots=True)
class VisitorEvents:
    """Human events of one site that have a visitor ID, in order, as columns."""

    at: Integers
    kind: Integers
    article: Integers
    """Numbers of `VisitorTable.articles`."""
    day: Integers
    visitor: Unsigned
    visitor_prev: Unsigned
    has_prev: Flags
    source: Integers
    """Numbers of which `source_names` makes sources: where a visit of each event would begin and come from."""
    source_names: Callable[[list[int]], list[Source]]
    in_evidence: Flags


class VisitorChanges(NamedTuple):
    """The effect of events on visitors, as columns beside the events."""

    starts_visit: Flags
    is_first_of_day: Flags
    """The first view of an ID's day."""
    arrives: Flags
    confirms: Flags
    ended: list[EndedVisit]
    """Visits that were counted and are taken back; some may have begun with these events."""


@dataclass(slots=True)
class VisitorTable:
    """The visitors of one site: their IDs, sorted, and one row for each visitor.

    Two IDs share a row when the second one names the first one as its ID of the day before.
    """

    visitor_id: Unsigned = field(default_factory=empty_unsigned)
    id_row: Int32s = field(default_factory=empty_int32)
    id_day: Integers = field(default_factory=empty_integers)
    """The local day for which the ID was reported as a daily visitor; -1 before that."""
    marks: Int32s = field(default_factory=empty_int32)
    """See `evidence.mark_visitors`."""
    last_seen: Integers = field(default_factory=empty_integers)
    """Time of the newest view or ping: where a visitor is present does not depend on earlier ones."""
    bucket: Int32s = field(default_factory=empty_int32)
    """The presence bucket in which the visitor was last seen, or NOT_ONLINE."""
    article: Int32s = field(default_factory=empty_int32)
    """Article of the last view."""
    window_seq: Int32s = field(default_factory=empty_int32)
    activities: ActivityTable = field(default_factory=ActivityTable)
    articles: dict[str | None, int] = field(default_factory=lambda: {None: 0})
    ring: Int32s = field(default_factory=lambda: np.zeros((1, RING_BUCKETS), np.int32))
    """Number of visitors by article (0: the whole site) and by presence bucket modulo RING_BUCKETS."""
    ring_bucket: int = 0
    """Bucket of the newest arrival to which the ring was advanced."""
    changed: set[int] = field(default_factory=set)
    """Articles whose row of the ring has changed since it was last stored."""

    def article_numbers(self, names: list[str | None]) -> Integers:
        """Return the numbers of articles; new ones are assigned one."""
        numbers = [self.articles.setdefault(name, len(self.articles)) for name in names]
        missing = len(self.articles) - len(self.ring)
        if missing > 0:  # at least doubled, so that growing costs little
            grown = max(missing, len(self.ring))
            self.ring = np.concatenate((self.ring, np.zeros((grown, RING_BUCKETS), np.int32)))
        return np.array(numbers, np.int64)

    def update(
        self, events: VisitorEvents, window_seq: int, stale_before: int, evicted: EvictedActivities
    ) -> VisitorChanges:
        """Apply events; see `ActivityTable.update`."""
        place, row = self._rows_for(events, window_seq)
        starts_visit = np.zeros(len(row), np.bool_)
        ended: list[EndedVisit] = []
        known = np.flatnonzero(row >= 0)
        if len(known):
            order = known[stable_order(place[known])]
            self._update_presence(row, events, order, known, window_seq)
            order = order[events.kind[order] != LEAVE]
            has_prev = events.has_prev.any()
            previous = np.where(events.has_prev, events.visitor_prev, events.visitor) if has_prev else events.visitor
            activity = ActivityEvents(
                place[order],
                events.at[order],
                events.kind[order] == VIEW,
                previous[order],
                events.source[order],
                events.source_names,
            )
            starts_visit[order], ended = self.activities.update(
                self.visitor_id, activity, window_seq, stale_before, evicted
            )
        wanted = events.in_evidence & (row >= 0)
        arrives, confirms = mark_visitors(self.marks, place, events.kind == VIEW, wanted, window_seq)
        return VisitorChanges(starts_visit, self._first_of_day(events, place), arrives, confirms, ended)

    def _rows_for(self, events: VisitorEvents, window_seq: int) -> tuple[Integers, Integers]:
        """Return the places of the events' IDs and their rows, adding new ones; row -1: an unknown visitor leaves."""
        place, row = self._find_rows(events.visitor)
        unknown = np.flatnonzero(row < 0)
        if not len(unknown):
            return place, row
        rows_before, known = len(self.last_seen), np.flatnonzero(row >= 0)
        if events.has_prev[unknown].any() or (events.kind[unknown] == LEAVE).any():
            ids, rows = self._link_new(events, unknown, row)
        else:
            ids, inverse = np.unique(events.visitor[unknown], return_inverse=True)
            rows = rows_before + np.arange(len(ids))
            row[unknown] = rows[inverse]
        if len(ids):
            insertion = Insertion.at(np.searchsorted(self.visitor_id, ids), len(self.visitor_id))
            place[known] = insertion.old[place[known]]
            found = np.searchsorted(ids, events.visitor[unknown])
            place[unknown] = insertion.new[np.minimum(found, len(ids) - 1)]
            self.visitor_id = insertion.into(self.visitor_id, ids)
            self.id_row = insertion.into(self.id_row, rows)
            self.id_day = insertion.into(self.id_day, -1)
            self.marks = insertion.into(self.marks, 0)
            self.activities.insert(insertion, ids)
        new = int(rows.max(initial=-1)) + 1 - rows_before
        if new > 0:
            self.last_seen = np.concatenate((self.last_seen, np.full(new, -1, np.int64)))
            self.bucket = np.concatenate((self.bucket, np.full(new, NOT_ONLINE, np.int32)))
            self.article = np.concatenate((self.article, np.zeros(new, np.int32)))
            self.window_seq = np.concatenate((self.window_seq, np.full(new, window_seq, np.int32)))
        return place, row

    def _link_new(self, events: VisitorEvents, unknown: Integers, row: Integers) -> tuple[Unsigned, Integers]:
        """Assign rows to unknown IDs one by one, since one may continue another; return sorted IDs and rows."""
        _, rows_of_previous = self._find_rows(events.visitor_prev[unknown])
        rows = len(self.last_seen)
        assigned: dict[int, int] = {}
        for event, row_of_previous in zip(unknown.tolist(), rows_of_previous.tolist(), strict=True):
            visitor = int(events.visitor[event])
            visitor_row = assigned.get(visitor)
            if visitor_row is None:
                previous = int(events.visitor_prev[event]) if events.has_prev[event] else None
                if previous is not None:
                    visitor_row = row_of_previous if row_of_previous >= 0 else assigned.get(previous)
                if visitor_row is None:
                    if events.kind[event] == LEAVE:
                        continue  # a visitor who was never here cannot leave
                    visitor_row, rows = rows, rows + 1
                    if previous is not None:
                        assigned[previous] = visitor_row
                assigned[visitor] = visitor_row
            row[event] = visitor_row
        ids = np.array(sorted(assigned), np.uint64)
        return ids, np.array([assigned[int(one)] for one in ids], np.int64)

    def _find_rows(self, ids: Unsigned) -> tuple[Integers, Integers]:
        """Return the place of each ID, or where it would be inserted, and its row, or -1."""
        if not len(self.visitor_id):
            return np.zeros(len(ids), np.int64), np.full(len(ids), -1, np.int64)
        order = np.argsort(ids)  # sorted ones are found several times faster
        place = np.empty(len(ids), np.int64)
        place[order] = np.searchsorted(self.visitor_id, ids[order])
        inside = np.minimum(place, len(self.visitor_id) - 1)
        return place, np.where(self.visitor_id[inside] == ids, self.id_row[inside], -1).astype(np.int64)

    def _update_presence(
        self, row: Integers, events: VisitorEvents, order: Integers, known: Integers, window_seq: int
    ) -> None:
        """Fold the events of each visitor, in order, into its row: where and when it was last seen.

        Args:
            row: Of each event.
            events: All of them.
            order: The known events, sorted by ID.
            known: The same in the order of the log.
            window_seq: The current window.
        """
        if len(self.visitor_id) != len(self.last_seen):  # some visitors have two IDs
            order = known[stable_order(row[known])]
        row, at, kind, article = row[order], events.at[order], events.kind[order], events.article[order]
        first = np.ones(len(row), np.bool_)
        first[1:] = row[1:] != row[:-1]
        starts = np.flatnonzero(first)
        visitor = row[starts]
        # Times from just before the oldest event on. A visitor last seen earlier is taken as last seen then.
        base = int(at.min()) - 1
        time = at - base
        seen_before = np.maximum(self.last_seen[visitor] - base, 0)
        activity = np.where(kind == LEAVE, 0, time)
        newest = np.concatenate(([0], activity[:-1]))
        newest[starts] = seen_before
        # One running maximum for all visitors: the times of each are lifted above all times of those before.
        lift = (np.cumsum(first) - 1) * (int(max(time.max(), seen_before.max())) + 1)
        newest = np.maximum.accumulate(newest + lift) - lift
        current = time >= newest  # a late event does not move a visitor back
        number = np.arange(len(row))
        last = np.maximum.reduceat(np.where(current, number, -1), starts)
        last_view = np.maximum.reduceat(np.where(current & (kind == VIEW), number, -1), starts)
        bucket = np.where(kind == LEAVE, NOT_ONLINE, at // PRESENCE_BUCKET_MS)
        self._move_presence(
            visitor,
            np.where(last >= 0, bucket[last], self.bucket[visitor]),
            np.where(last_view >= 0, article[last_view], self.article[visitor]),
        )
        newest_activity = np.maximum.reduceat(activity, starts)  # 0 if all were leaves
        self.last_seen[visitor] = np.maximum(
            self.last_seen[visitor], np.where(newest_activity > 0, newest_activity + base, -1)
        )
        self.window_seq[visitor] = window_seq

    def _move_presence(self, visitor: Integers, bucket: Integers, article: Integers) -> None:
        old_bucket, old_article = self.bucket[visitor], self.article[visitor]
        moved = (old_bucket != bucket) | (old_article != article)
        self._add_to_ring(old_article[moved], old_bucket[moved], -1)
        self._add_to_ring(article[moved], bucket[moved], +1)
        self.bucket[visitor], self.article[visitor] = bucket, article

    def _add_to_ring(self, article: Integers | Int32s, bucket: Integers | Int32s, change: int) -> None:
        inside = (bucket >= self.ring_bucket - RING_LAG_BUCKETS) & (bucket != NOT_ONLINE)
        article, bucket = article[inside], bucket[inside] % RING_BUCKETS
        if not len(bucket):
            return
        amount = np.int32(change)  # of the ring's type, on one axis: numpy adds anything else forty times slower
        np.add.at(self.ring[0], bucket, amount)
        article, bucket = article[article > 0], bucket[article > 0]
        np.add.at(self.ring.reshape(-1), article.astype(np.int64) * RING_BUCKETS + bucket, amount)
        self.changed.add(0)
        self.changed.update(np.flatnonzero(np.bincount(article)).tolist())

    def _first_of_day(self, events: VisitorEvents, place: Integers) -> Flags:
        """Return which views report an ID as a visitor of its day: the first ones of days not reported before."""
        first = np.zeros(len(events.at), np.bool_)
        views = np.flatnonzero(events.kind == VIEW)
        if len(views):
            place = place[views]
            new = self.id_day[place] != events.day[views]
            self.id_day[place] = events.day[views]
            views, place = views[new], place[new]
            days, day = np.unique(events.day[views], return_inverse=True)
            _, firsts = np.unique(place * max(1, len(days)) + day, return_index=True)
            first[views[firsts]] = True
        return first

    def advance_ring(self, arrived: int) -> None:
        """Advance the ring to the newest arrival (milliseconds): buckets that fell out of it are free for new ones."""
        bucket = arrived // PRESENCE_BUCKET_MS
        if bucket <= self.ring_bucket:
            return
        free = np.arange(max(self.ring_bucket, bucket - RING_BUCKETS) + 1, bucket + 1) + (
            RING_BUCKETS - RING_LAG_BUCKETS - 1
        )
        self.ring[:, free % RING_BUCKETS] = 0
        self.ring_bucket = bucket

    def presence(self, numbers: list[int]) -> list[tuple[int, list[int]]]:
        """Return for each article the first bucket and the visitors of each bucket from there, without zeros around."""
        begin = self.ring_bucket - RING_LAG_BUCKETS
        buckets = self.ring[numbers][:, np.arange(begin, begin + RING_BUCKETS) % RING_BUCKETS]
        filled = buckets != 0
        firsts = filled.argmax(1)
        lengths = np.where(filled.any(1), RING_BUCKETS - filled[:, ::-1].argmax(1) - firsts, 0)
        after_first = np.arange(RING_BUCKETS) - firsts[:, np.newaxis]
        shown = (after_first >= 0) & (after_first < lengths[:, np.newaxis])
        visitors, ends = buckets[shown].tolist(), np.cumsum(lengths)  # one list of all rows, which is cut
        rows = zip((begin + firsts).tolist(), (ends - lengths).tolist(), ends.tolist(), strict=True)
        return [(first, visitors[start:end]) for first, start, end in rows]

    def evict(self, before_window_seq: int) -> tuple[Activities, list[Source]]:
        """Remove visitors last touched before a window, their IDs, and articles without visitors.

        Returns:
            Evicted activities, and the sources of their numbers.
        """
        kept = self.window_seq >= before_window_seq
        new_row = np.cumsum(kept) - 1
        kept_ids = kept[self.id_row]
        evicted = self.activities.evict(self.visitor_id, kept_ids, before_window_seq), list(self.activities.sources)
        self.activities.drop_sources()
        self.visitor_id, self.id_day = self.visitor_id[kept_ids], self.id_day[kept_ids]
        self.marks = self.marks[kept_ids]
        self.id_row = new_row[self.id_row[kept_ids]].astype(np.int32)
        self.last_seen, self.bucket = self.last_seen[kept], self.bucket[kept]
        self.window_seq, self.article = self.window_seq[kept], self.article[kept]
        self._drop_articles()
        return evicted

    def _drop_articles(self) -> None:
        used = np.unique(np.concatenate(([0], self.article, sorted(self.changed))).astype(np.int64))
        number = np.zeros(len(self.ring), np.int32)
        number[used] = np.arange(len(used))
        self.articles = {name: int(number[old]) for name, old in self.articles.items() if old == 0 or number[old]}
        self.article = number[self.article]
        self.changed = {int(number[old]) for old in self.changed}
        self.ring = self.ring[used]

    def rebuild_ring(self) -> None:
        """Recompute the ring from the rows."""
        self.ring = np.zeros((max(1, len(self.articles)), RING_BUCKETS), np.int32)
        self._add_to_ring(self.article, self.bucket, +1)


@dataclass(slots=True)
class PartitionState:
    """The state of one partition after all records that were folded."""

    window_seq: int = 0
    """Number of windows opened so far: windows without arrivals have none."""
    window_indexes: list[int] = field(default_factory=list)
    """Indexes (time of arrival divided by WINDOW_MS) of the newest windows, the current one last."""
    seen_ids: SeenIds = field(default_factory=SeenIds)
    visitors: dict[str, VisitorTable] = field(default_factory=dict)
    """By site."""
    known_articles: KnownArticles = field(default_factory=KnownArticles)
    """Not in snapshots: it is read from Postgres."""
    evidence: dict[str, EvidenceTable] = field(default_factory=dict)
    """Of the current window, by site."""
    evidence_from: int = 0
    """Offset from which on events are evidence. Not in snapshots: it is read from Postgres."""
    excluded: Excluded = field(default_factory=dict)
    """Not in snapshots, either."""

    def take_evidence(self) -> list[EvidenceRow]:
        """Return the evidence of the current window, which ends."""
        tables, self.evidence = self.evidence, {}
        return [row for site, table in sorted(tables.items()) for row in table.rows(site, self.window_indexes[-1])]

    def open_window(self, window_index: int, offset: int) -> EvictedState | None:
        """Open a window at the record of an offset: evict entries that are too old, and return them."""
        self.window_seq += 1
        self.window_indexes.append(window_index)
        if len(self.window_indexes) <= DEDUP_WINDOWS + 1:
            return None
        oldest = self.window_indexes.pop(0)
        hashes, lows = self.seen_ids.evict(self.window_seq - DEDUP_WINDOWS)
        activities = {site: visitors.evict(self.window_seq - DEDUP_WINDOWS) for site, visitors in self.visitors.items()}
        encoded = encode_activities(activities)
        return EvictedState(offset, oldest, hashes, lows, encoded) if len(hashes) or encoded else None

    @property
    def day(self) -> int:
        """The UTC day of the current window, in days since 1970; -1 before the first window."""
        return self.window_indexes[-1] // WINDOWS_PER_DAY if self.window_indexes else -1

    @property
    def stale_before(self) -> int:
        """Events until this time (milliseconds) may touch evicted activities."""
        return self.window_indexes[-1] * WINDOW_MS - STALE_BEFORE_WINDOW_MS if self.window_indexes else NEVER

    @property
    def entries(self) -> int:
        """Number of event ids and visitor IDs in the state."""
        return len(self.seen_ids.hash) + sum(len(visitors.visitor_id) for visitors in self.visitors.values())

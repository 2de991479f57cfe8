"""Evidence of who is counted: what groups of clients do, hour by hour. Programs that look like people show in it. Pure.

A group is the clients of a site and local day with the same hash of the user agent. Its numbers are summed in the
windows of the state (`state`), and a row for each hour of events is made when the window ends. So they depend on the
log alone. They are bounded: of a site's hour, a window has GROUPS_MAX groups, and the KEPT_MAX with the most views make
rows of their own. No count depends on evidence.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.stats.counting.decoding import LEAVE, PING, VIEW, EventBatch, Flags, Integers
from services.stats.counting.event_times import hour_starts
from services.stats.counting.seen_ids import Int32s

GROUPS_MAX = 1_024
"""Groups of a site's hour in one window of a partition; further ones, in the order of the log, are one: OTHERS."""
KEPT_MAX = 64
"""Groups of a site's hour in one window of a partition that have a row; the rest of them is in that of OTHERS."""
OTHERS = -1
NETWORK_BITS = 512
"""Length of the sketch of a group's networks: a bit for each value of their hashes modulo it (linear counting)."""
ARRIVED, CONFIRMED = 1, 2
"""Marks of a visitor ID: a view of it was evidence, and a ping or leave after that."""
REMEMBERED_WINDOWS = 2
"""Windows in which anything arrived, before the current one, in which an event of an ID keeps its marks."""
HOME = "/"


class EvidenceRow(NamedTuple):
    """What the clients of one group did in one hour, as far as it arrived in one window."""

    site: str
    window_index: int
    hour: int
    """Start of the local hour of the events, in seconds since 1970 UTC."""
    agent: int
    """Class of the browser (4 bits) and keyed hash of the user agent (28 bits), or OTHERS."""
    views: int
    arrivals: int
    """Visitor IDs that came: it was their first view, or the first one after an hour or more without events."""
    confirmed: int
    """Visitor IDs that came and whose page has answered since, with a ping or a leave."""
    pings: int
    leaves: int
    home_views: int
    article_views: int
    direct_views: int
    """Views without a referrer."""
    networks: bytes
    """NETWORK_BITS bits."""


MEASURES = EvidenceRow._fields[4:-1]


@dataclass(slots=True)
class EvidenceTable:
    """The groups of one site in the current window."""

    groups: dict[tuple[int, int], int] = field(default_factory=dict)
    """(hour, agent) → row."""
    counts: Integers = field(default_factory=lambda: np.zeros((0, len(MEASURES)), np.int64))
    networks: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, NETWORK_BITS // 8), np.uint8))

    def add(self, hour: Integers, agent: Integers, network: Integers, measures: list[Flags]) -> None:
        """Add events, in the order of the log.

        Args:
            hour: Of each event.
            agent: Of each event.
            network: Bit of each event's network.
            measures: For each of MEASURES, which events add to it.
        """
        keys, inverse = np.unique(hour // 60 << 32 | agent, return_inverse=True)
        first = np.empty(len(keys), np.int64)
        first[inverse[::-1]] = np.arange(len(hour))[::-1]
        rows = np.zeros(len(keys), np.int64)
        order = np.argsort(first)
        places = first[order]
        known = zip(order.tolist(), hour[places].tolist(), agent[places].tolist(), strict=True)
        hours = Counter(hour for hour, _ in self.groups) if len(self.groups) + len(keys) > GROUPS_MAX else Counter()
        for number, hour_start, group in known:
            rows[number] = self._row(hour_start, group, hours)
        self._grow()
        if len(keys) > len(np.unique(rows)):  # several groups of this batch are OTHERS
            rows, merged = np.unique(rows, return_inverse=True)
            inverse = merged[inverse]
        for column, chosen in enumerate(measures):
            self.counts[rows, column] += np.bincount(inverse[chosen], minlength=len(rows))
        bits = np.unpackbits(self.networks[rows], axis=1)
        bits[inverse, network] = 1
        self.networks[rows] = np.packbits(bits, axis=1)

    def _row(self, hour: int, agent: int, groups_of_hours: Counter[int]) -> int:
        row = self.groups.get((hour, agent))
        if row is None:
            if groups_of_hours[hour] >= GROUPS_MAX:
                return self.groups.setdefault((hour, OTHERS), len(self.groups))
            row = self.groups[hour, agent] = len(self.groups)
            groups_of_hours[hour] += 1
        return row

    def _grow(self) -> None:
        missing = len(self.groups) - len(self.counts)
        if missing > 0:  # at least doubled, so that growing costs little
            grown = max(missing, len(self.counts))
            self.counts = np.concatenate((self.counts, np.zeros((grown, len(MEASURES)), np.int64)))
            self.networks = np.concatenate((self.networks, np.zeros((grown, NETWORK_BITS // 8), np.uint8)))

    def rows(self, site: str, window_index: int) -> list[EvidenceRow]:
        """Return the rows of the window: of each hour those of the groups with the most views, and of OTHERS."""
        of_hour: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for (hour, agent), row in self.groups.items():
            of_hour[hour].append((agent == OTHERS, -int(self.counts[row, 0]), agent))
        found: list[EvidenceRow] = []
        for hour, ranked in sorted(of_hour.items()):
            place = (site, window_index, hour)
            agents = [agent for _, _, agent in sorted(ranked)]
            rest = [self.groups[hour, agent] for agent in agents[KEPT_MAX:]]
            if agents[-1] == OTHERS and len(agents) <= KEPT_MAX:
                rest.append(self.groups[hour, agents.pop()])
            for agent in agents[:KEPT_MAX]:
                row = self.groups[hour, agent]
                counts, networks = self.counts[row].tolist(), self.networks[row].tobytes()
                found.append(EvidenceRow(*place, agent, *[*counts, networks]))
            if rest:
                networks = np.bitwise_or.reduce(self.networks[rest], axis=0).tobytes()
                found.append(EvidenceRow(*place, OTHERS, *[*self.counts[rest].sum(0).tolist(), networks]))
        return found


def add_evidence(
    tables: dict[str, EvidenceTable], batch: EventBatch, rows: Integers, days: Integers, *, first: tuple[Flags, Flags]
) -> None:
    """Add counted events that have a client.

    Args:
        tables: By site; tables of further sites are added.
        batch: With the names of articles and pages that the events have.
        rows: Of the events.
        days: Start of the local day of each row of the batch.
        first: Which rows of the batch are the arrival of a visitor ID, and which confirm it.
    """
    arrives, confirms = first
    is_article = np.array([name is not None and not name.startswith(HOME) for name in batch.articles], np.bool_)
    is_home = np.array([name == HOME for name in batch.articles], np.bool_)
    hours = hour_starts(batch.at // 1000, days)
    for number, site in enumerate(batch.sites):
        mine = rows[batch.site[rows] == number]
        if not len(mine):
            continue
        kind, article, client = batch.kind[mine], batch.article[mine], batch.client[mine]
        is_view = kind == VIEW
        tables.setdefault(site.slug, EvidenceTable()).add(
            hours[mine],
            (client >> np.uint64(32)).astype(np.int64),
            (client % np.uint64(NETWORK_BITS)).astype(np.int64),
            [
                is_view,
                arrives[mine],
                confirms[mine],
                kind == PING,
                kind == LEAVE,
                is_view & is_home[article],
                is_view & is_article[article],
                is_view & (batch.referrer[mine] == 0),
            ],
        )


def mark_visitors(
    marks: Int32s, place: Integers, is_view: Flags, wanted: Flags, window_seq: int
) -> tuple[Flags, Flags]:
    """Mark visitor IDs that arrive and are confirmed; return which events do it first.

    An ID arrives with a view, and is confirmed by a ping or leave after that. Its marks are forgotten when a window and
    the two before it have no event of it.

    Args:
        marks: Of all visitor IDs, 4 times the window of their last event and the marks; is changed.
        place: Of each event's visitor ID, in the order of the log.
        is_view: Whether it is a view.
        wanted: Whether it is evidence.
        window_seq: The current window.
    """
    arrives, confirms = np.zeros((2, len(place)), np.bool_)
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return arrives, confirms
    at, views = place[rows], is_view[rows]
    before = np.where(marks[at] >> 2 >= window_seq - REMEMBERED_WINDOWS, marks[at] & 3, 0)
    marks[at] = window_seq << 2 | before
    new = views & (before & ARRIVED == 0)
    places, firsts = np.unique(at[new], return_index=True)
    arrived = rows[new][firsts]
    arrives[arrived] = True
    answers = ~views & (before & CONFIRMED == 0)
    if answers.any():
        is_here = before[answers] & ARRIVED != 0
        if len(places):
            found = np.minimum(np.searchsorted(places, at[answers]), len(places) - 1)
            is_here |= (places[found] == at[answers]) & (arrived[found] < rows[answers])
        confirmed, firsts = np.unique(at[answers][is_here], return_index=True)
        confirms[rows[answers][is_here][firsts]] = True
        marks[confirmed] |= CONFIRMED
    marks[places] |= ARRIVED
    return arrives, confirms

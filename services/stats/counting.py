"""The counting rules: a pure fold of records into deltas. It knows no clock, no socket and no database.

What a record means depends on the record (its event and the time at which Kafka got it) and on what the
partition remembers of its last hour. All of a reader's events are in one partition, so each partition's
deltas add up. The rules: ARCHITECTURE.md, "Counting rules".
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

import msgspec

from services.stats.calendar import day_start, hour_start, step_start
from shared.events import PageEvent
from shared.sites import Site

VISIT_MILLISECONDS = 30 * 60_000
ONLINE_MILLISECONDS = 300_000
ONLINE_STEP_MILLISECONDS = 5_000
REMEMBERED_MILLISECONDS = 3_600_000
"""How far back a partition remembers ids and readers."""
LATE_MILLISECONDS = 300_000
"""An event that took longer than this to reach Kafka is entered as late; it counts in the bucket of its own time."""
OLD_MILLISECONDS = 48 * 3_600_000
FUTURE_MILLISECONDS = 300_000
SEEN_DAYS_KEPT_SECONDS = 4 * 86_400

NUL = rb"\u0000"
"""JSON can write it and Postgres cannot store it."""

WHOLE_SITE = ""
"""Stands for the site itself where an article id would stand."""

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

Outcome = Literal["counted", "duplicate", "bot", "late", "dead_lettered"]


class Record(NamedTuple):
    """One Kafka record of `page-views`."""

    offset: int
    arrived: int
    """When Kafka got it: milliseconds since 1970 UTC."""
    value: bytes | None


class DeadLetter(NamedTuple):
    """A record that cannot be counted, and why."""

    offset: int
    reason: str
    value: bytes | None


class Bucket(NamedTuple):
    """One counter: what is counted (a site or an article) and over which span."""

    site: str
    article: str
    grain: Literal["step", "hour", "day", "total"]
    start: int


class FirstSight(NamedTuple):
    """A reader's first view of a local day: it makes one daily visitor, of the article where the day began."""

    site: str
    day: int
    visitor: str
    article: str
    step: int
    hour: int


@dataclass(slots=True)
class Deltas:
    """What a batch changes. Keys that are absent change nothing."""

    views: defaultdict[Bucket, int] = field(default_factory=lambda: defaultdict(int))
    visits: defaultdict[Bucket, int] = field(default_factory=lambda: defaultdict(int))
    online: defaultdict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))
    """(site, article or whole site, 5-second step) → change of the readers last seen in it."""
    first_sights: list[FirstSight] = field(default_factory=list)
    """Candidates: the store drops those that an earlier batch has."""
    ledger: defaultdict[tuple[str, int, Outcome, str], int] = field(default_factory=lambda: defaultdict(int))
    """(site, local day of arrival, outcome, reason) → events."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    newest: int = 0
    """Time of the newest event counted, in milliseconds."""


@dataclass(slots=True)
class Presence:
    """Where and when a reader was last seen."""

    at: int
    online_step: int | None
    article: str


@dataclass(slots=True)
class Memory:
    """What one partition remembers: a cache that reading its last hour again rebuilds."""

    readers: dict[tuple[str, str], Presence] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    """(site, visitor) → the local day that its first sight was emitted for."""
    newest: int = 0
    marks: deque[tuple[int, int]] = field(default_factory=deque)
    """(first offset, newest event time) of each batch that may still matter."""

    def replay_from(self, next_offset: int) -> int:
        """Return the offset from which the log must be read again to rebuild this memory."""
        return self.marks[0][0] if self.marks else next_offset


_decode = msgspec.json.Decoder(PageEvent).decode


def count(records: Iterable[Record], memory: Memory, sites: Mapping[str, Site]) -> Deltas:
    """Fold records of one partition, in order, into deltas; `memory` moves on with them."""
    deltas = Deltas()
    first_offset = None
    for record in records:
        if first_offset is None:
            first_offset = record.offset
        event = _read(record, sites, deltas)
        if event is not None:
            _enter(event, record, memory, sites[event.site], deltas)
    if first_offset is not None:
        _forget(memory, first_offset, deltas.newest)
    return deltas


def _read(record: Record, sites: Mapping[str, Site], deltas: Deltas) -> PageEvent | None:
    """Return the record's event, or None after making it a dead letter."""
    site = "unknown"
    day = record.arrived // 86_400_000 * 86_400
    try:
        if record.value is None:
            raise _Unreadable("null")
        if NUL in record.value:
            raise _Unreadable("nul-character")
        event = _decode(record.value)
        if event.site not in sites:
            raise _Unreadable("unknown-site")
        site, day = event.site, day_start(record.arrived, sites[event.site].zone)
        if event.at > record.arrived + FUTURE_MILLISECONDS:
            raise _Unreadable("future")
        if event.at < record.arrived - OLD_MILLISECONDS:
            raise _Unreadable("too-old")
    except _Unreadable as fault:
        reason = str(fault)
    except msgspec.ValidationError:
        reason = "schema"
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = "not-json"
    else:
        return event
    deltas.dead_letters.append(DeadLetter(record.offset, reason, record.value))
    deltas.ledger[site, day, "dead_lettered", reason] += 1
    return None


class _Unreadable(Exception):  # noqa: N818 - private, and its text is the reason
    pass


def _enter(event: PageEvent, record: Record, memory: Memory, site: Site, deltas: Deltas) -> None:
    day_of_arrival = day_start(record.arrived, site.zone)
    if event.id in memory.ids:
        deltas.ledger[event.site, day_of_arrival, "duplicate", ""] += 1
        return
    memory.ids[event.id] = event.at
    deltas.newest = max(deltas.newest, event.at)
    if event.bot is not None:
        deltas.ledger[event.site, day_of_arrival, "bot", event.bot] += 1
        return
    late = record.arrived - event.at > LATE_MILLISECONDS
    deltas.ledger[event.site, day_of_arrival, "late" if late else "counted", ""] += 1
    begins_visit = _see(event, memory, deltas)
    if event.kind != "view":
        return
    day = day_start(event.at, site.zone)
    buckets = _buckets(event, day)
    for bucket in buckets:
        deltas.views[bucket] += 1
    if begins_visit:
        for bucket in buckets:
            deltas.visits[bucket] += 1
    if event.visitor is not None and memory.seen.get((event.site, event.visitor)) != day:
        memory.seen[event.site, event.visitor] = day
        article = event.article or WHOLE_SITE
        steps = step_start(event.at), hour_start(event.at)
        deltas.first_sights.append(FirstSight(event.site, day, event.visitor, article, *steps))


def _buckets(event: PageEvent, day: int) -> list[Bucket]:
    site, article = event.site, event.article
    buckets = [
        Bucket(site, WHOLE_SITE, "step", step_start(event.at)),
        Bucket(site, WHOLE_SITE, "hour", hour_start(event.at)),
        Bucket(site, WHOLE_SITE, "day", day),
        Bucket(site, WHOLE_SITE, "total", 0),
    ]
    if article:
        buckets += [Bucket(site, article, "day", day), Bucket(site, article, "total", 0)]
    return buckets


def _see(event: PageEvent, memory: Memory, deltas: Deltas) -> bool:
    """Move the reader's presence on, and tell whether a view now would begin a visit."""
    if event.visitor is None:
        return False
    key = (event.site, event.visitor)
    presence = memory.readers.pop(key, None)
    if event.visitor_prev is not None and presence is None:
        presence = memory.readers.pop((event.site, event.visitor_prev), None)  # one reader, over midnight
    begins_visit = presence is None or event.at - presence.at > VISIT_MILLISECONDS
    if presence is None:
        if event.kind == "leave":
            return False  # who was never here cannot leave
        presence = Presence(event.at, None, WHOLE_SITE)
    memory.readers[key] = presence  # at the end: the dictionary stays in the order of last sight
    if event.at < presence.at:
        return begins_visit  # a late event does not move a reader back
    _move_online(event, presence, deltas)
    if event.kind != "leave":
        presence.at = event.at
    return begins_visit


def _move_online(event: PageEvent, presence: Presence, deltas: Deltas) -> None:
    before = (presence.online_step, presence.article)
    article = event.article or WHOLE_SITE if event.kind == "view" else presence.article
    step = None if event.kind == "leave" else event.at // ONLINE_STEP_MILLISECONDS
    if (step, article) == before:
        return
    for (at_step, at_article), change in ((before, -1), ((step, article), +1)):
        if at_step is None:
            continue
        deltas.online[event.site, WHOLE_SITE, at_step] += change
        if at_article:
            deltas.online[event.site, at_article, at_step] += change
    presence.online_step, presence.article = step, article


def _forget(memory: Memory, first_offset: int, newest: int) -> None:
    memory.newest = max(memory.newest, newest)
    memory.marks.append((first_offset, newest))
    horizon = memory.newest - REMEMBERED_MILLISECONDS
    while memory.marks and memory.marks[0][1] < horizon:
        memory.marks.popleft()
    _drop_while(memory.ids, lambda at: at < horizon)
    _drop_while(memory.readers, lambda presence: presence.at < horizon)
    oldest_day = memory.newest // 1000 - SEEN_DAYS_KEPT_SECONDS
    _drop_while(memory.seen, lambda day: day < oldest_day)


def _drop_while(entries: dict[_Key, _Value], is_old: Callable[[_Value], bool]) -> None:
    while entries:
        key = next(iter(entries))
        if not is_old(entries[key]):
            return
        del entries[key]

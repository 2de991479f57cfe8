"""The counting rules once more, slowly and plainly: what the counts of a log must be. Pure.

It shares no code with `counting`, on purpose. `verify` compares it with what is stored, and property tests compare
it with the fast code, so a fault of one of the two shows. Each function says one rule.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from shared.events import PageEvent
from shared.sites import Site

MINUTE_MILLISECONDS = 60_000
HALF_HOUR_MILLISECONDS = 30 * MINUTE_MILLISECONDS
VISIT_MILLISECONDS = 30 * MINUTE_MILLISECONDS
LATE_MILLISECONDS = 5 * MINUTE_MILLISECONDS
FUTURE_MILLISECONDS = 5 * MINUTE_MILLISECONDS
OLD_MILLISECONDS = 48 * 60 * MINUTE_MILLISECONDS
VALUE_BYTES_MAX = 8_192
REMEMBERED_TURNS = 2
PAST_ID_SLOTS = 98
"""49 hours: an event may be 48 hours late."""
WHOLE_SITE = ""
UNKNOWN_SITE = "unknown"
OTHER_HOSTS = "(other)"
HOSTS_MAX = 200
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
VISITOR_KEY = re.compile("[0-9a-fA-F]{16}")

Grain = Literal["5m", "hour", "day", "total"]


class Bucket(NamedTuple):
    """One counter: a site (article is empty) or an article, over one span. Seconds since 1970 UTC; 0 for the total."""

    site: str
    article: str
    grain: Grain
    start: int


class Entry(NamedTuple):
    """One line of the ledger. `day` is the start of the day of arrival, in seconds since 1970 UTC."""

    site: str
    day: int
    outcome: str
    reason: str


class Origin(NamedTuple):
    """Where visits of a local day came from; the host is empty if it was not told, or is the site's own."""

    site: str
    day: int
    host: str


@dataclass(slots=True)
class Numbers:
    """What a bucket holds."""

    views: int = 0
    visits: int = 0
    visitors: int = 0


@dataclass(slots=True)
class Slack:
    """How many visitors fewer or more a bucket may hold, because a key came on several partitions.

    Such a visitor counts once, in the buckets of the view that was counted first. Which one that was is not written
    in the log: the partitions are counted side by side.
    """

    fewer: int = 0
    more: int = 0


@dataclass(slots=True)
class Expected:
    """What must be stored after all these records."""

    counts: defaultdict[Bucket, Numbers] = field(default_factory=lambda: defaultdict(Numbers))
    ledger: defaultdict[Entry, int] = field(default_factory=lambda: defaultdict(int))
    referrers: defaultdict[Origin, int] = field(default_factory=lambda: defaultdict(int))
    slack: defaultdict[Bucket, Slack] = field(default_factory=lambda: defaultdict(Slack))
    records: int = 0


@dataclass(slots=True)
class Reader:
    """One person on one site, under one or more keys."""

    at: int | None
    """Newest view or ping, in milliseconds; None before the first."""
    turn: int


class Sighting(NamedTuple):
    """When an id was last seen."""

    turn: int
    slot: int


class Refused(Exception):  # noqa: N818 - its text is the reason of the dead letter
    """A record that cannot be counted."""


def recount(partitions: Mapping[int, Iterable[tuple[int, int, bytes | None]]], sites: Mapping[str, Site]) -> Expected:
    """Count a whole log.

    Args:
        partitions: {partition: its records in order}; a record is (offset, arrival in milliseconds since 1970 UTC,
            value).
        sites: By slug.
    """
    recounting = Recount(sites)
    for records in partitions.values():
        recounting.begin_partition()
        for _, arrived, value in records:
            recounting.enter(arrived, value)
    return recounting.finish()


class Recount:
    """A recount under way: hand in one partition after the other, each from its first record on."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._expected = Expected()
        self._visitors: dict[tuple[str, int, str], list[list[Bucket]]] = {}
        """(site, local day, key) → the buckets of its first view on each partition."""
        self.begin_partition()

    def begin_partition(self) -> None:
        """Begin another partition: what was remembered of the one before does not matter to it."""
        self._turn = 0
        self._slot = -1
        self._ids: dict[str, Sighting] = {}
        self._readers: dict[tuple[str, str], Reader] = {}
        self._seen: set[tuple[str, int, str]] = set()
        self._hosts: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        """(site, local day) → the first hosts that visits came from on this partition."""

    def enter(self, arrived: int, value: bytes | None) -> None:
        """Count the partition's next record."""
        self._expected.records += 1
        self._move_on(arrived)
        try:
            event = read_event(value)
            site = self._known_site(event)
        except Refused as reason:
            self._note(UNKNOWN_SITE, day_start(arrived, UTC), "dead_lettered", str(reason))
            return
        day_of_arrival = day_start(arrived, site.zone)
        try:
            check_text(event)
            check_time(event, arrived)
        except Refused as reason:
            self._note(event.site, day_of_arrival, "dead_lettered", str(reason))
            return
        if self._is_duplicate(event, arrived):
            self._note(event.site, day_of_arrival, "duplicate", "")
        elif event.bot is not None:
            self._note(event.site, day_of_arrival, "bot", event.bot)
        else:
            late = arrived - event.at > LATE_MILLISECONDS
            self._note(event.site, day_of_arrival, "late" if late else "counted", "")
            self._count(event, site)

    def finish(self) -> Expected:
        """Return what must be stored; nothing can be entered after that."""
        for first, *others in self._visitors.values():
            for bucket in first:
                self._expected.counts[bucket].visitors += 1
            for bucket in {bucket for buckets in others for bucket in buckets}.difference(first):
                self._expected.slack[bucket].more += 1
            for bucket in first:
                if any(bucket not in buckets for buckets in others):
                    self._expected.slack[bucket].fewer += 1
        return self._expected

    def _note(self, site: str, day: int, outcome: str, reason: str) -> None:
        self._expected.ledger[Entry(site, day, outcome, reason)] += 1

    def _move_on(self, arrived: int) -> None:
        """The log is divided into half-hours of arrival. A turn is one in which anything arrived, good or bad."""
        slot = arrived // HALF_HOUR_MILLISECONDS
        if slot > self._slot:  # an arrival that goes backwards stays in the present half-hour
            self._slot = slot
            self._turn += 1

    def _is_remembered(self, turn: int) -> bool:
        """What was last touched in this turn or in one of the two before it is remembered."""
        return turn >= self._turn - REMEMBERED_TURNS

    def _known_site(self, event: PageEvent) -> Site:
        if event.site not in self._sites:
            raise Refused("unknown-site")
        return self._sites[event.site]

    def _is_duplicate(self, event: PageEvent, arrived: int) -> bool:
        """An id counts once: while it is remembered, and for events half an hour late or more, 49 hours long."""
        key = event.id.lower()
        before = self._ids.get(key)
        self._ids[key] = Sighting(self._turn, self._slot)  # a repetition is a sighting, too
        if before is None:
            return False
        if self._is_remembered(before.turn):
            return True
        return arrived - event.at >= HALF_HOUR_MILLISECONDS and before.slot >= self._slot - PAST_ID_SLOTS

    def _count(self, event: PageEvent, site: Site) -> None:
        begins_visit = self._move_reader(event)
        if event.kind != "view":
            return
        day = day_start(event.at, site.zone)
        buckets = buckets_of(event, day)
        for bucket in buckets:
            numbers = self._expected.counts[bucket]
            numbers.views += 1
            numbers.visits += begins_visit
        if begins_visit:
            self._note_referrer(event, site, day)
        if event.visitor is not None:
            self._see_visitor((event.site, day, event.visitor.lower()), buckets)

    def _see_visitor(self, visitor: tuple[str, int, str], buckets: list[Bucket]) -> None:
        """A visitor is a key's first view of the site's local day; it belongs where that view belongs."""
        if visitor not in self._seen:
            self._seen.add(visitor)
            self._visitors.setdefault(visitor, []).append(buckets)

    def _note_referrer(self, event: PageEvent, site: Site, day: int) -> None:
        """A visit came from the host of its first view. After so many hosts a day and partition, the rest is one."""
        host = referrer_host(event.referrer, site)
        if host not in ("", OTHER_HOSTS):
            known = self._hosts[event.site, day]
            if host not in known and len(known) >= HOSTS_MAX:
                host = OTHER_HOSTS
            else:
                known.add(host)
        self._expected.referrers[Origin(event.site, day, host)] += 1

    def _move_reader(self, event: PageEvent) -> bool:
        """Tell whether the event begins a visit: a view without view or ping in the 30 minutes before."""
        reader = self._meet(event)
        if reader is None:
            return False
        reader.turn = self._turn
        before = reader.at
        if event.kind != "leave":
            reader.at = event.at if before is None else max(before, event.at)
        return event.kind == "view" and (before is None or event.at - before > VISIT_MILLISECONDS)

    def _meet(self, event: PageEvent) -> Reader | None:
        """Return the event's reader. At midnight `visitor_prev` joins yesterday's key: both are one reader."""
        if event.visitor is None:
            return None
        key = (event.site, event.visitor.lower())
        reader = self._known_reader(key)
        if reader is not None:
            return reader
        key_before = (event.site, event.visitor_prev.lower()) if event.visitor_prev is not None else key
        reader = self._known_reader(key_before)
        if reader is None:
            if event.kind == "leave":
                return None  # who was never here cannot leave
            reader = Reader(None, self._turn)
        self._readers[key] = self._readers[key_before] = reader
        return reader

    def _known_reader(self, key: tuple[str, str]) -> Reader | None:
        reader = self._readers.get(key)
        return reader if reader is not None and self._is_remembered(reader.turn) else None


_decode = msgspec.json.Decoder(PageEvent).decode


def read_event(value: bytes | None) -> PageEvent:
    """Return the event of a record's value.

    Raises:
        Refused: null, oversize, not-json or schema.
    """
    if value is None:
        raise Refused("null")
    if len(value) > VALUE_BYTES_MAX:
        raise Refused("oversize")
    try:
        event = _decode(value)
    except msgspec.ValidationError as error:
        raise Refused("schema") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("not-json") from error
    keys = [key for key in (event.visitor, event.visitor_prev) if key is not None]
    if not UUID.fullmatch(event.id) or not all(VISITOR_KEY.fullmatch(key) for key in keys):
        raise Refused("schema")
    return event


def check_text(event: PageEvent) -> None:
    """Check that Postgres can store the event's article and bot.

    Raises:
        Refused: nul-character.
    """
    for text in (event.article, event.bot):
        if text is None:
            continue
        try:
            unfit = b"\0" in text.encode()
        except UnicodeEncodeError:
            unfit = True
        if unfit:
            raise Refused("nul-character")


def check_time(event: PageEvent, arrived: int) -> None:
    """Check that the event's own time is near its arrival.

    Raises:
        Refused: future or too-old.
    """
    if event.at > arrived + FUTURE_MILLISECONDS:
        raise Refused("future")
    if event.at < arrived - OLD_MILLISECONDS:
        raise Refused("too-old")


def referrer_host(referrer: str | None, site: Site) -> str:
    """Return the host of another site, without "www."; empty for none, "(other)" for what is no host name."""
    if referrer is None:
        return ""
    host = referrer.lower().removeprefix("www.")
    for origin in site.origins:
        if (urlsplit(origin).hostname or "").removeprefix("www.") == host:
            return ""
    labels = host.split(".")
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    well_formed = 2 <= len(labels) <= 10 and all(1 <= len(one) <= 63 and set(one) <= letters for one in labels)
    return host if well_formed else OTHER_HOSTS


def buckets_of(event: PageEvent, day: int) -> list[Bucket]:
    """Return the buckets that a view counts in, by its own time; `day` is where its local day begins, in seconds."""
    seconds = event.at // 1000
    buckets = [
        Bucket(event.site, WHOLE_SITE, "5m", seconds // 300 * 300),
        Bucket(event.site, WHOLE_SITE, "hour", seconds // 3600 * 3600),
        Bucket(event.site, WHOLE_SITE, "day", day),
        Bucket(event.site, WHOLE_SITE, "total", 0),
    ]
    if event.article:
        buckets += [Bucket(event.site, event.article, "day", day), Bucket(event.site, event.article, "total", 0)]
    return buckets


def day_start(at_milliseconds: int, zone: tzinfo) -> int:
    """Return the first instant of the local day, in seconds since 1970 UTC."""
    return first_instant(datetime.fromtimestamp(at_milliseconds // 1000, zone).date(), zone)


def next_day_start(at_milliseconds: int, zone: tzinfo) -> int:
    """Return the first instant of the first local day that begins at or after an instant, in seconds."""
    start = day_start(at_milliseconds, zone)
    if start * 1000 >= at_milliseconds:
        return start
    return first_instant(datetime.fromtimestamp(start, zone).date() + timedelta(days=1), zone)


@lru_cache(maxsize=1_024)
def first_instant(day: date, zone: tzinfo) -> int:
    """Return when a local date begins, in seconds since 1970 UTC.

    Through UTC: where summer time skips midnight, the day begins at the first instant after it.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp())

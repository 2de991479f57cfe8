"""The counting rules as a slow and plain reference model: the correct counts of a log. Pure.

It shares no code with `counting`, on purpose. `verify` compares it with the stored counts, and property tests compare
it with the fast code, so that an error in one of the two shows. Each function states one rule.
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

MINUTE_MS = 60_000
WINDOW_MS = 30 * MINUTE_MS
VISIT_TIMEOUT_MS = 30 * MINUTE_MS
LATE_MS = 5 * MINUTE_MS
FUTURE_MS = 5 * MINUTE_MS
OLD_MS = 48 * 60 * MINUTE_MS
VALUE_BYTES_MAX = 8_192
DEDUP_WINDOWS = 2
EVICTED_WINDOWS = 98
"""49 hours: an event may be 48 hours late."""
WHOLE_SITE = ""
UNKNOWN_SITE = "unknown"
OTHER_HOSTS = "(other)"
HOSTS_MAX = 200
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
VISITOR_ID = re.compile("[0-9a-fA-F]{16}")

Grain = Literal["5m", "hour", "day", "total"]


class Bucket(NamedTuple):
    """A site (article is empty) or an article in one bucket. `start`: seconds since 1970 UTC; 0 for the total."""

    site: str
    article: str
    grain: Grain
    start: int


class LedgerKey(NamedTuple):
    """The key of a ledger entry. `day` is the start of the day of arrival, in seconds since 1970 UTC."""

    site: str
    day: int
    outcome: str
    reason: str


class ReferrerKey(NamedTuple):
    """The referrer of visits of a local day; the host is empty if it is unknown or the site's own."""

    site: str
    day: int
    host: str


@dataclass(slots=True)
class Totals:
    """The counts of a bucket."""

    views: int = 0
    visits: int = 0
    visitors: int = 0


@dataclass(slots=True)
class Tolerance:
    """How many visitors fewer or more a bucket may have, because a visitor ID was on several partitions.

    Such a visitor counts once, in the buckets of the view that was counted first. The log does not say which one that
    was: partitions are counted concurrently.
    """

    fewer: int = 0
    more: int = 0


@dataclass(slots=True)
class Expected:
    """The values that must be stored after all these records."""

    counts: defaultdict[Bucket, Totals] = field(default_factory=lambda: defaultdict(Totals))
    ledger: defaultdict[LedgerKey, int] = field(default_factory=lambda: defaultdict(int))
    referrers: defaultdict[ReferrerKey, int] = field(default_factory=lambda: defaultdict(int))
    tolerance: defaultdict[Bucket, Tolerance] = field(default_factory=lambda: defaultdict(Tolerance))
    records: int = 0


@dataclass(slots=True)
class VisitorState:
    """One visitor of one site, with one or more visitor IDs."""

    last_seen: int | None
    """Newest view or ping, in milliseconds; None before the first."""
    window_seq: int


class SeenAt(NamedTuple):
    """The window in which an id was last seen."""

    window_seq: int
    window_index: int


class InvalidRecord(Exception):  # noqa: N818 - its text is the reason of the dead letter
    """A record that cannot be counted."""


def recount(partitions: Mapping[int, Iterable[tuple[int, int, bytes | None]]], sites: Mapping[str, Site]) -> Expected:
    """Count a whole log.

    Args:
        partitions: {partition: its records in order}; a record is (offset, arrival in milliseconds since 1970 UTC,
            value).
        sites: By slug.
    """
    counter = ReferenceCounter(sites)
    for records in partitions.values():
        counter.begin_partition()
        for _, arrived, value in records:
            counter.add(arrived, value)
    return counter.finish()


class ReferenceCounter:
    """Counts a log slowly: add one partition after the other, each from its first record on."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._expected = Expected()
        self._daily_visitors: dict[tuple[str, int, str], list[list[Bucket]]] = {}
        """(site, local day, visitor ID) → the buckets of its first view on each partition."""
        self.begin_partition()

    def begin_partition(self) -> None:
        """Begin another partition: the state of the one before has no effect on it."""
        self._window_seq = 0
        self._window_index = -1
        self._seen_ids: dict[str, SeenAt] = {}
        self._visitors: dict[tuple[str, str], VisitorState] = {}
        self._seen: set[tuple[str, int, str]] = set()
        self._hosts: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        """(site, local day) → the first referrer hosts of visits on this partition."""

    def add(self, arrived: int, value: bytes | None) -> None:
        """Count the partition's next record."""
        self._expected.records += 1
        self._advance_window(arrived)
        try:
            event = read_event(value)
            site = self._known_site(event)
        except InvalidRecord as reason:
            self._add_to_ledger(UNKNOWN_SITE, day_start(arrived, UTC), "dead_lettered", str(reason))
            return
        day_of_arrival = day_start(arrived, site.zone)
        try:
            check_text(event)
            check_time(event, arrived)
        except InvalidRecord as reason:
            self._add_to_ledger(event.site, day_of_arrival, "dead_lettered", str(reason))
            return
        if self._is_duplicate(event, arrived):
            self._add_to_ledger(event.site, day_of_arrival, "duplicate", "")
        elif event.bot is not None:
            self._add_to_ledger(event.site, day_of_arrival, "bot", event.bot)
        else:
            late = arrived - event.at > LATE_MS
            self._add_to_ledger(event.site, day_of_arrival, "late" if late else "counted", "")
            self._count(event, site)

    def finish(self) -> Expected:
        """Return the expected values; no record can be added after that."""
        for first, *others in self._daily_visitors.values():
            for bucket in first:
                self._expected.counts[bucket].visitors += 1
            for bucket in {bucket for buckets in others for bucket in buckets}.difference(first):
                self._expected.tolerance[bucket].more += 1
            for bucket in first:
                if any(bucket not in buckets for buckets in others):
                    self._expected.tolerance[bucket].fewer += 1
        return self._expected

    def _add_to_ledger(self, site: str, day: int, outcome: str, reason: str) -> None:
        self._expected.ledger[LedgerKey(site, day, outcome, reason)] += 1

    def _advance_window(self, arrived: int) -> None:
        """The log is divided into windows of 30 minutes of arrival. Only windows with any record are numbered."""
        window_index = arrived // WINDOW_MS
        if window_index > self._window_index:  # an arrival that goes backwards stays in the current window
            self._window_index = window_index
            self._window_seq += 1

    def _is_in_state(self, window_seq: int) -> bool:
        """The state has what was last touched in this window or in one of the two before it."""
        return window_seq >= self._window_seq - DEDUP_WINDOWS

    def _known_site(self, event: PageEvent) -> Site:
        if event.site not in self._sites:
            raise InvalidRecord("unknown-site")
        return self._sites[event.site]

    def _is_duplicate(self, event: PageEvent, arrived: int) -> bool:
        """An id counts once: while it is in the state, and for events half an hour late or more, for 49 hours."""
        key = event.id.lower()
        before = self._seen_ids.get(key)
        self._seen_ids[key] = SeenAt(self._window_seq, self._window_index)  # a duplicate renews it
        if before is None:
            return False
        if self._is_in_state(before.window_seq):
            return True
        return arrived - event.at >= WINDOW_MS and before.window_index >= self._window_index - EVICTED_WINDOWS

    def _count(self, event: PageEvent, site: Site) -> None:
        starts_visit = self._update_visitor(event)
        if event.kind != "view":
            return
        day = day_start(event.at, site.zone)
        buckets = buckets_of(event, day)
        for bucket in buckets:
            numbers = self._expected.counts[bucket]
            numbers.views += 1
            numbers.visits += starts_visit
        if starts_visit:
            self._add_referrer(event, site, day)
        if event.visitor is not None:
            self._add_daily_visitor((event.site, day, event.visitor.lower()), buckets)

    def _add_daily_visitor(self, visitor: tuple[str, int, str], buckets: list[Bucket]) -> None:
        """A visitor is an ID's first view of the site's local day; it counts in the buckets of that view."""
        if visitor not in self._seen:
            self._seen.add(visitor)
            self._daily_visitors.setdefault(visitor, []).append(buckets)

    def _add_referrer(self, event: PageEvent, site: Site, day: int) -> None:
        """A visit is attributed to the host of its first view. Hosts beyond a day's limit share one."""
        host = referrer_host(event.referrer, site)
        if host not in ("", OTHER_HOSTS):
            known = self._hosts[event.site, day]
            if host not in known and len(known) >= HOSTS_MAX:
                host = OTHER_HOSTS
            else:
                known.add(host)
        self._expected.referrers[ReferrerKey(event.site, day, host)] += 1

    def _update_visitor(self, event: PageEvent) -> bool:
        """Return whether the event starts a visit: a view without view or ping in the 30 minutes before."""
        visitor = self._visitor_of(event)
        if visitor is None:
            return False
        visitor.window_seq = self._window_seq
        before = visitor.last_seen
        if event.kind != "leave":
            visitor.last_seen = event.at if before is None else max(before, event.at)
        return event.kind == "view" and (before is None or event.at - before > VISIT_TIMEOUT_MS)

    def _visitor_of(self, event: PageEvent) -> VisitorState | None:
        """Return the event's visitor. At midnight `visitor_prev` names yesterday's ID: both are one visitor."""
        if event.visitor is None:
            return None
        key = (event.site, event.visitor.lower())
        visitor = self._known_visitor(key)
        if visitor is not None:
            return visitor
        previous_key = (event.site, event.visitor_prev.lower()) if event.visitor_prev is not None else key
        visitor = self._known_visitor(previous_key)
        if visitor is None:
            if event.kind == "leave":
                return None  # a visitor who was never here cannot leave
            visitor = VisitorState(None, self._window_seq)
        self._visitors[key] = self._visitors[previous_key] = visitor
        return visitor

    def _known_visitor(self, key: tuple[str, str]) -> VisitorState | None:
        visitor = self._visitors.get(key)
        return visitor if visitor is not None and self._is_in_state(visitor.window_seq) else None


_decode = msgspec.json.Decoder(PageEvent).decode


def read_event(value: bytes | None) -> PageEvent:
    """Return the event of a record's value.

    Raises:
        Refused: null, oversize, not-json or schema.
    """
    if value is None:
        raise InvalidRecord("null")
    if len(value) > VALUE_BYTES_MAX:
        raise InvalidRecord("oversize")
    try:
        event = _decode(value)
    except msgspec.ValidationError as error:
        raise InvalidRecord("schema") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRecord("not-json") from error
    keys = [key for key in (event.visitor, event.visitor_prev) if key is not None]
    if not UUID.fullmatch(event.id) or not all(VISITOR_ID.fullmatch(key) for key in keys):
        raise InvalidRecord("schema")
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
            invalid = b"\0" in text.encode()
        except UnicodeEncodeError:
            invalid = True
        if invalid:
            raise InvalidRecord("nul-character")


def check_time(event: PageEvent, arrived: int) -> None:
    """Check that the event's own time is near its arrival.

    Raises:
        Refused: future or too-old.
    """
    if event.at > arrived + FUTURE_MS:
        raise InvalidRecord("future")
    if event.at < arrived - OLD_MS:
        raise InvalidRecord("too-old")


def referrer_host(referrer: str | None, site: Site) -> str:
    """Return the host of another site, without "www."; empty for none, "(other)" if it is not a host name."""
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
    """Return the buckets of a view, by its own time; `day` is the start of its local day, in seconds."""
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


def day_start(timestamp_ms: int, zone: tzinfo) -> int:
    """Return the first instant of the local day, in seconds since 1970 UTC."""
    return first_instant(datetime.fromtimestamp(timestamp_ms // 1000, zone).date(), zone)


def next_day_start(timestamp_ms: int, zone: tzinfo) -> int:
    """Return the first instant of the first local day that begins at or after an instant, in seconds."""
    start = day_start(timestamp_ms, zone)
    if start * 1000 >= timestamp_ms:
        return start
    return first_instant(datetime.fromtimestamp(start, zone).date() + timedelta(days=1), zone)


@lru_cache(maxsize=1_024)
def first_instant(day: date, zone: tzinfo) -> int:
    """Return when a local date begins, in seconds since 1970 UTC.

    Through UTC: where summer time skips midnight, the day begins at the first instant after it.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp())

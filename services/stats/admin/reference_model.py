"""The counting rules as a slow and plain reference model: the correct counts of a log. Pure.

It shares no code with `counting`, on purpose. `verify` compares it with the stored counts, and property tests compare
it with the fast code, so that an error in one of the two shows. Each function states one rule.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import NamedTuple

import msgspec

from services.stats.admin.reference_articles import (
    ALL_IN_THE_LOG,
    NEW_ARTICLES_MAX,
    ArticleKey,
    KnownArticles,
    StoredArticles,
    page_name,
)
from services.stats.admin.reference_events import (
    OTHER_HOSTS,
    WHOLE_SITE,
    Bucket,
    InvalidRecord,
    buckets_of,
    check_text,
    check_time,
    day_start,
    read_event,
    referrer_host,
)
from services.stats.admin.reference_evidence import EvidenceModel
from services.stats.admin.reference_exclusions import ExcludedVisitor
from services.stats.admin.reference_values import (
    Expected,
    LedgerKey,
    PartitionValues,
    PresenceKey,
    ReferrerKey,
)
from services.stats.admin.reference_visits import View, VisitorEvent, find_visits
from shared.events import PageEvent
from shared.sites import Site

MINUTE_MS = 60_000
WINDOW_MS = 30 * MINUTE_MS
LATE_MS = 5 * MINUTE_MS
DEDUP_WINDOWS = 2
EVICTED_WINDOWS = 98
"""49 hours: an event may be 48 hours late."""
PRESENCE_BUCKET_MS = 5_000
PRESENCE_BUCKETS = 62
"""Presence is stored for 300 s and one started bucket on either side, before the newest arrival of the site."""
UNKNOWN_SITE = "unknown"
HOSTS_MAX = 200


@dataclass(slots=True)
class VisitorState:
    """One visitor of one site, with one or more visitor IDs."""

    last_seen: int | None
    """Newest view or ping, in milliseconds; None before the first."""
    window_seq: int
    bucket: int | None = None
    """The presence bucket in which the visitor was last seen; None before that, and after a leave."""
    article: str | None = None
    """Of the newest view; empty if it was of no article, None before the first view."""


class SeenAt(NamedTuple):
    """The window in which an id was last seen."""

    window_seq: int
    window_index: int


class FirstView(NamedTuple):
    """The view that makes a visitor: its buckets follow from it."""

    site: str
    article: str | None
    at: int


def recount(
    partitions: Mapping[int, Iterable[tuple[int, int, bytes | None]]],
    sites: Mapping[str, Site],
    *,
    stored: Mapping[int, StoredArticles] | None = None,
    new_articles_max: int = NEW_ARTICLES_MAX,
    evidence_from: Mapping[int, int] | None = None,
    excluded: Collection[ExcludedVisitor] = (),
) -> Expected:
    """Count a whole log.

    Args:
        partitions: {partition: its records in order}; a record is (offset, arrival in milliseconds since 1970 UTC,
            value).
        sites: By slug.
        stored: The known articles that are stored, by partition, if the log may have lost records.
        new_articles_max: Articles of a site that become known on a partition on one day.
        evidence_from: First offset of each partition whose event is evidence, if it is not 0.
        excluded: Visitors whose events are those of bots.
    """
    counter = ReferenceCounter(sites, new_articles_max, excluded)
    for number, records in partitions.items():
        counter.begin_partition(
            number, (stored or {}).get(number, ALL_IN_THE_LOG), (evidence_from or {}).get(number, 0)
        )
        for offset, arrived, value in records:
            counter.add(offset, arrived, value)
    return counter.finish()


class ReferenceCounter:
    """Counts a log slowly: add one partition after the other, each from its first record on."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        new_articles_max: int = NEW_ARTICLES_MAX,
        excluded: Collection[ExcludedVisitor] = (),
    ) -> None:
        self._sites = sites
        self._excluded = excluded
        self._new_articles_max = new_articles_max
        self._expected = Expected()
        self._daily_visitors: defaultdict[tuple[str, int], dict[int, FirstView]] = defaultdict(dict)
        """(site, local day) → visitor ID → its first view on the first partition that has one."""
        self._other_views: defaultdict[tuple[str, int, int], list[FirstView]] = defaultdict(list)
        """(site, local day, visitor ID) → its first view on each further partition."""
        self._names: dict[str, str] = {}
        """Articles that visitors began with, each once in memory."""
        self._reset(PartitionValues(), ALL_IN_THE_LOG)

    def end_partition(self) -> PartitionValues:
        """End the partition and return its values; only its visitors are kept."""
        self._finish_partition()
        values = self._values
        self._expected.records += values.records
        self._expected.partitions = {n: one for n, one in self._expected.partitions.items() if one is not values}
        self._reset(PartitionValues(), ALL_IN_THE_LOG)
        return values

    def begin_partition(self, number: int, stored: StoredArticles = ALL_IN_THE_LOG, evidence_from: int = 0) -> None:
        """Begin another partition: the state of the one before has no effect on it."""
        self._finish_partition()
        self._reset(self._expected.partitions.setdefault(number, PartitionValues()), stored)
        self._evidence_from = evidence_from

    def _reset(self, values: PartitionValues, stored: StoredArticles) -> None:
        self._values = values
        self._articles = KnownArticles(stored, self._new_articles_max)
        values.known_articles = self._articles.in_log
        self._evidence, self._evidence_from = EvidenceModel(), 0
        self._window_seq = 0
        self._window_index = -1
        self._seen_ids: dict[str, SeenAt] = {}
        self._visitors: dict[tuple[str, str], VisitorState] = {}
        self._seen: set[tuple[str, int, str]] = set()
        self._hosts: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        """(site, local day) → the first referrer hosts that views on this partition name."""
        self._visitor_events: defaultdict[tuple[str, str], list[VisitorEvent]] = defaultdict(list)
        """(site, visitor ID) → its views and pings, in the order of the log."""

    def skip(self, arrived: int) -> None:
        """Pass the partition's next record: it is there, and what it counts is not asked."""
        self._values.records += 1
        self._values.newest_arrived = max(self._values.newest_arrived, arrived)
        self._advance_window(arrived)
        self._articles.advance(arrived)

    def add(self, offset: int, arrived: int, value: bytes | None) -> None:
        """Count the partition's next record."""
        self.skip(arrived)
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
        elif event.visitor is not None and (event.site, event.visitor.lower()) in self._excluded:
            self._add_to_ledger(event.site, day_of_arrival, "bot", "excluded")
        else:
            late = arrived - event.at > LATE_MS
            self._add_to_ledger(event.site, day_of_arrival, "late" if late else "counted", "")
            self._count(self._with_counted_article(event, offset), site, arrived)
            if event.client is not None and offset >= self._evidence_from:
                self._add_evidence(event, day_start(event.at, site.zone))

    def finish(self) -> Expected:
        """Return the expected values; no record can be added after that."""
        self._finish_partition()
        self._reset(PartitionValues(), ALL_IN_THE_LOG)
        for values in self._expected.partitions.values():
            self._add_partition(values)
        for (site, day), visitors in self._daily_visitors.items():
            self._expected.daily_visitors[site, day] = set(visitors)
            for visitor, view in visitors.items():
                others = self._other_views.get((site, day, visitor), [])
                self._add_visitor(buckets_of(view, day), [buckets_of(other, day) for other in others])
        self._daily_visitors.clear()
        return self._expected

    def _add_visitor(self, first: list[Bucket], others: list[list[Bucket]]) -> None:
        for bucket in first:
            self._expected.counts[bucket].visitors += 1
        for bucket in {bucket for buckets in others for bucket in buckets}.difference(first):
            self._expected.tolerance[bucket].more += 1
        for bucket in first:
            if any(bucket not in buckets for buckets in others):
                self._expected.tolerance[bucket].fewer += 1

    def _add_partition(self, values: PartitionValues) -> None:
        self._expected.records += values.records
        for bucket, numbers in values.counts.items():
            self._expected.counts[bucket].views += numbers.views
            self._expected.counts[bucket].visits += numbers.visits
        for entry, events in values.ledger.items():
            self._expected.ledger[entry] += events
        for referrer, visits in values.referrers.items():
            self._expected.referrers[referrer] += visits

    def _finish_partition(self) -> None:
        """Derive what depends on all records of the partition."""
        self._finish_visits()
        self._finish_presence()

    def _finish_visits(self) -> None:
        for view in find_visits(self._visitor_events):
            for bucket in buckets_of(view, view.day):
                self._values.counts[bucket].visits += 1
            self._values.referrers[ReferrerKey(view.site, view.day, view.host)] += 1

    def _finish_presence(self) -> None:
        """Count the visitors of the partition by the bucket in which they were last seen."""
        present = {id(visitor): (site, visitor) for (site, _), visitor in self._visitors.items()}
        for site, visitor in present.values():
            bucket = visitor.bucket
            if bucket is None or bucket < self._values.presence_from[site]:
                continue
            self._values.presence[PresenceKey(site, WHOLE_SITE, bucket)] += 1
            if visitor.article is None:
                self._values.without_view[PresenceKey(site, WHOLE_SITE, bucket)] += 1
            elif visitor.article:
                self._values.presence[PresenceKey(site, visitor.article, bucket)] += 1

    def _add_to_ledger(self, site: str, day: int, outcome: str, reason: str) -> None:
        self._values.ledger[LedgerKey(site, day, outcome, reason)] += 1

    def _advance_window(self, arrived: int) -> None:
        """The log is divided into windows of 30 minutes of arrival. Only windows with any record are numbered."""
        window_index = arrived // WINDOW_MS
        if window_index > self._window_index:  # an arrival that goes backwards stays in the current window
            self._values.evidence |= self._evidence.end_window(self._window_index)
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

    def _with_counted_article(self, event: PageEvent, offset: int) -> PageEvent:
        """Views count for their article or page, or for the site alone if that is not known and cannot become known."""
        if event.kind != "view":
            return event
        name = page_name(event.path) if event.article is None else event.article
        is_counted = self._articles.counts(ArticleKey(event.site, name), offset, self._window_index)
        return msgspec.structs.replace(event, article=name if is_counted else None)

    def _count(self, event: PageEvent, site: Site, arrived: int) -> None:
        if event.visitor is not None:
            first = arrived // PRESENCE_BUCKET_MS - PRESENCE_BUCKETS
            self._values.presence_from[event.site] = max(self._values.presence_from.get(event.site, first), first)
        self._update_visitor(event)
        day = day_start(event.at, site.zone)
        if event.visitor is not None and event.kind != "leave":
            self._add_activity(event, event.visitor.lower(), site, day)
        if event.kind != "view":
            return
        buckets = buckets_of(event, day)
        for bucket in buckets:
            self._values.counts[bucket].views += 1
        if event.visitor is not None:
            self._add_daily_visitor(event, (event.site, day, event.visitor.lower()))

    def _add_activity(self, event: PageEvent, visitor: str, site: Site, day: int) -> None:
        view = None
        if event.kind == "view":
            previous = event.visitor_prev.lower() if event.visitor_prev is not None else None
            view = View(event.site, event.article, event.at, day, self._host(event, site, day), visitor, previous)
        self._visitor_events[event.site, visitor].append(VisitorEvent(event.at, self._values.records, view))

    def _add_evidence(self, event: PageEvent, day: int) -> None:
        name = page_name(event.path) if event.kind == "view" and event.article is None else event.article
        self._evidence.add(event, day, name, self._window_seq)

    def _add_daily_visitor(self, event: PageEvent, visitor: tuple[str, int, str]) -> None:
        """A visitor is an ID's first view of the site's local day; it counts in the buckets of that view."""
        if visitor in self._seen:
            return
        self._seen.add(visitor)
        site, day, text = visitor
        number = int(text, 16)
        number -= number >> 63 << 64
        article = None if event.article is None else self._names.setdefault(event.article, event.article)
        view = FirstView(self._names.setdefault(site, site), article, event.at)
        of_day = self._daily_visitors[site, day]
        if of_day.setdefault(number, view) is not view:
            self._other_views[site, day, number].append(view)

    def _host(self, event: PageEvent, site: Site, day: int) -> str:
        """A visit is attributed to the host of its first view. Hosts beyond a day's limit share one."""
        host = referrer_host(event.referrer, site)
        if host not in ("", OTHER_HOSTS):
            known = self._hosts[event.site, day]
            if host not in known and len(known) >= HOSTS_MAX:
                host = OTHER_HOSTS
            else:
                known.add(host)
        return host

    def _update_visitor(self, event: PageEvent) -> None:
        visitor = self._visitor_of(event)
        if visitor is None:
            return
        visitor.window_seq = self._window_seq
        before = visitor.last_seen
        if before is None or event.at >= before:
            self._update_presence(visitor, event)
        if event.kind != "leave":
            visitor.last_seen = event.at if before is None else max(before, event.at)

    def _update_presence(self, visitor: VisitorState, event: PageEvent) -> None:
        """A visitor is present where the newest view was, since the newest view or ping; a leave ends it."""
        visitor.bucket = None if event.kind == "leave" else event.at // PRESENCE_BUCKET_MS
        if event.kind == "view":
            visitor.article = event.article or ""

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

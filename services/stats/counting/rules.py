"""The counting rules: a pure fold of records into deltas. It has no clock, no socket and no database.

The meaning of a record depends on the record (its event, and the time at which Kafka received it) and on the state of
its partition (`state`). All events of a visitor are in one partition, so the deltas of all partitions add up.
The rules: ARCHITECTURE.md, "Counting rules". The same rules in plain words and slow code: `admin.reference_model`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np

from services.stats.counting.activities import STALE_BEFORE_WINDOW_MS, EndedVisit
from services.stats.counting.decoding import VIEW, DeadLetter, EventBatch, Flags, Integers, RawBatch, RawRecord, decode
from services.stats.counting.event_times import hour_starts, local_days
from services.stats.counting.evicted_state import EvictedActivities, EvictedState, Source
from services.stats.counting.evidence import EvidenceRow, add_evidence
from services.stats.counting.exclusions import with_exclusions
from services.stats.counting.grouping import group_sums
from services.stats.counting.known_articles import AcceptedArticle
from services.stats.counting.referrers import own_hosts, referrer_visits, visit_host
from services.stats.counting.seen_ids import find_ids
from services.stats.counting.state import (
    EVICTED_WINDOWS,
    WINDOW_MS,
    PartitionState,
    VisitorChanges,
    VisitorEvents,
    VisitorTable,
)
from services.stats.local_calendar import BUCKET_5M_SECONDS, HOUR_SECONDS, day_start
from shared.sites import Site

ONLINE_MS = 300_000
LATE_MS = 300_000
"""An event that took longer than this to reach Kafka is recorded as late; it counts in the bucket of its own time."""
STALE_MS = WINDOW_MS
"""An event that is older than this when it arrives is also looked up among the ids that the state has evicted."""
WHOLE_SITE = ""
"""The site itself, in place of an article id."""
UNKNOWN_SITE = "unknown"
"""The site of ledger entries for dead letters whose site is not known."""
DAY_SECONDS = 86_400
LedgerOutcome = Literal["counted", "duplicate", "bot", "late", "dead_lettered"]
DUPLICATE, BOT = 2, 3
"""Codes of ledger entries in a column: 0 counted, 1 late, 2 duplicate, and from 3 on the bots by their reason."""
_OUTCOMES: tuple[tuple[LedgerOutcome, str], ...] = (("counted", ""), ("late", ""), ("duplicate", ""))


class DayCount(NamedTuple):
    """Views and visits of a site (or of one of its articles) on one local day; visits may have ended: below 0."""

    site: str
    article: str
    day: int
    views: int
    visits: int


class BucketCount(NamedTuple):
    """Views and visits of a site in a bucket of 5 minutes or of an hour."""

    site: str
    grain: Literal["5m", "hour"]
    bucket_start: int
    views: int
    visits: int


class NewDailyVisitor(NamedTuple):
    """The first view of a visitor ID on a local day: it makes one daily visitor, of the article where the day began."""

    site: str
    day: int
    visitor: int
    """The 16 hex digits as a signed 64-bit integer."""
    article: str
    bucket_5m: int
    bucket_hour: int


class PresenceSnapshot(NamedTuple):
    """Visitors of a site or an article, by the 5-second presence bucket in which they were last seen."""

    site: str
    article: str
    first_bucket: int
    visitors: list[int]


@dataclass(slots=True)
class CountDeltas:
    """The changes that a batch makes. Bucket starts and days are seconds since 1970 UTC."""

    day_counts: list[DayCount] = field(default_factory=list)
    bucket_counts: list[BucketCount] = field(default_factory=list)
    daily_visitors: list[NewDailyVisitor] = field(default_factory=list)
    """Candidates: the store drops those that an earlier batch had."""
    presence: list[PresenceSnapshot] = field(default_factory=list)
    """Replaces the stored presence of these sites and articles."""
    ledger: Counter[tuple[str, int, LedgerOutcome, str]] = field(default_factory=Counter)
    """(site, local day of arrival, outcome, reason) → events."""
    referrers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """(site, local day, host) → visits, in the order in which views named the hosts; also 0, or below 0."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    accepted_articles: list[AcceptedArticle] = field(default_factory=list)
    uncounted_articles: Counter[str] = field(default_factory=Counter)
    """Site → views that name an article and count for the site alone."""
    evicted: list[EvictedState] = field(default_factory=list)
    evidence: list[EvidenceRow] = field(default_factory=list)
    """Of windows that ended."""
    arrived: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    """When Kafka received each record, in milliseconds since 1970 UTC."""
    newest_arrived: int = 0
    """Time at which Kafka received the newest record, in milliseconds since 1970 UTC."""


def fold(
    records: Sequence[RawRecord],
    state: PartitionState,
    sites: Mapping[str, Site],
    evicted: list[EvictedState] | None = None,
) -> CountDeltas:
    """Fold records of one partition, in order, into deltas, and update `state`.

    Args:
        records: The records after those that `state` has seen.
        state: Is changed.
        sites: By slug.
        evicted: What the state evicted earlier; needed if `needs_evicted_state(…)`. What it evicts now is appended.
    """
    columns = RawBatch.of(records)
    return fold_batch(decode(columns, sites), state, columns, evicted)


def needs_evicted_state(batch: EventBatch, state: PartitionState, records: RawBatch) -> bool:
    """Return whether the batch has events so old that evicted ids or activities matter."""
    if not len(batch):
        return False
    if (batch.arrived - batch.at >= STALE_MS).any():
        return True
    current = state.window_indexes[-1] if state.window_indexes else -1
    window_indexes = np.maximum(records.arrived // WINDOW_MS, current)
    if int(batch.at.min()) > int(window_indexes.max()) * WINDOW_MS - STALE_BEFORE_WINDOW_MS:
        return False
    begins = np.maximum.accumulate(window_indexes)[np.searchsorted(records.offset, batch.offset)] * WINDOW_MS
    return bool((batch.at <= begins - STALE_BEFORE_WINDOW_MS).any())


def fold_batch(
    batch: EventBatch, state: PartitionState, records: RawBatch, evicted: list[EvictedState] | None = None
) -> CountDeltas:
    """Fold a batch that was decoded from `records`; see `fold`."""
    deltas = CountDeltas()
    evicted = evicted if evicted is not None else []
    batch = with_exclusions(batch, state.excluded)
    in_evidence = batch.has_client & (batch.offset >= state.evidence_from) & (batch.bot == 0)
    batch, named = replace(batch, article=np.zeros(len(batch), np.int64), has_client=in_evidence), batch
    is_duplicate, starts_visit, is_first_of_day, arrives, confirms = np.zeros((5, len(batch)), np.bool_)
    ended: list[tuple[Site, EndedVisit]] = []
    days = local_days(batch.at, batch)
    for begin, end, window_index, offset in _split_by_window(records, batch, state):
        if window_index is not None:
            deltas.evidence += state.take_evidence()
            newly_evicted = state.open_window(window_index, offset)
            if newly_evicted is not None:
                deltas.evicted.append(newly_evicted)
                evicted.append(newly_evicted)
        part = slice(begin, end)
        is_duplicate[part] = state.seen_ids.add(batch.id_hash[part], batch.id_low[part], state.window_seq)
        _mark_stale_duplicates(batch, part, is_duplicate, state, evicted)
        _decide_articles(batch, named, begin + np.flatnonzero(~is_duplicate[part]), state, deltas)
        for number, site in enumerate(batch.sites):
            rows = begin + np.flatnonzero(
                (batch.site[part] == number) & (batch.bot[part] == 0) & batch.has_visitor[part] & ~is_duplicate[part]
            )
            if len(rows):
                found = EvictedActivities(evicted, site.slug, int(batch.offset[begin]))
                changes = _update_visitors(batch, rows, days, state, found)
                starts_visit[rows], is_first_of_day[rows] = changes.starts_visit, changes.is_first_of_day
                arrives[rows], confirms[rows] = changes.arrives, changes.confirms
                ended += [(site, one) for one in changes.ended]
        if len(rows := begin + np.flatnonzero(in_evidence[part] & ~is_duplicate[part])):
            add_evidence(state.evidence, named, rows, days, first=(arrives, confirms))
    _add_ledger_entries(batch, is_duplicate, deltas)
    counted = ~is_duplicate & (batch.bot == 0)
    views = np.flatnonzero(counted & (batch.kind == VIEW))
    _add_counts(batch, views, starts_visit, days, deltas)
    deltas.referrers.update(referrer_visits(batch, views[batch.has_visitor[views]], starts_visit, days))
    _subtract_ended_visits(ended, deltas)
    _add_daily_visitors(batch, np.flatnonzero(is_first_of_day), days, deltas)
    _add_presence(state, deltas)
    deltas.arrived = records.arrived
    deltas.newest_arrived = int(records.arrived.max(initial=0))
    return deltas


def _split_by_window(
    records: RawBatch, batch: EventBatch, state: PartitionState
) -> list[tuple[int, int, int | None, int]]:
    """Split the batch where windows begin.

    Returns:
        (begin, end, index of the window that begins or None, offset of its first record) for each part.
    """
    window_indexes = np.maximum.accumulate(records.arrived // WINDOW_MS)
    current = state.window_indexes[-1] if state.window_indexes else -1
    before = np.concatenate(([current], np.maximum(window_indexes[:-1], current)))
    first_records = np.flatnonzero(window_indexes > before)
    offsets = records.offset[first_records].tolist()
    rows = np.searchsorted(batch.offset, offsets).tolist()
    parts: list[tuple[int, int, int | None, int]] = []
    first_end = rows[0] if rows else len(batch)
    if first_end > 0:
        parts.append((0, first_end, None, 0))
    for number, (record, row, offset) in enumerate(zip(first_records.tolist(), rows, offsets, strict=True)):
        end = rows[number + 1] if number + 1 < len(rows) else len(batch)
        parts.append((row, end, int(window_indexes[record]), offset))
    return parts


def _mark_stale_duplicates(
    batch: EventBatch, part: slice, is_duplicate: Flags, state: PartitionState, evicted: list[EvictedState]
) -> None:
    """Mark old events that were counted before an outage: the state has evicted their ids."""
    if not evicted:
        return
    stale = (batch.arrived[part] - batch.at[part] >= STALE_MS) & ~is_duplicate[part]
    rows = part.start + np.flatnonzero(stale)
    oldest_window_index = state.window_indexes[-1] - EVICTED_WINDOWS
    for ids in evicted:
        if len(rows) and ids.window_index >= oldest_window_index and ids.evicted_at_offset <= batch.offset[part.start]:
            known = find_ids(ids.id_hash, ids.id_low, batch.id_hash[rows], batch.id_low[rows]) >= 0
            is_duplicate[rows[known]] = True
            rows = rows[~known]


def _decide_articles(
    batch: EventBatch, named: EventBatch, rows: Integers, state: PartitionState, deltas: CountDeltas
) -> None:
    """Set the articles for which the views among some rows count; `named` has those that events name."""
    rows = rows[(named.article[rows] > 0) & (named.kind[rows] == VIEW) & (named.bot[rows] == 0)]
    if len(rows):
        decided = state.known_articles.decide(named, rows, state.day)
        batch.article[rows] = decided.article
        deltas.accepted_articles += decided.accepted
        deltas.uncounted_articles += decided.uncounted


def _update_visitors(
    batch: EventBatch,
    rows: Integers,
    days: Integers,
    state: PartitionState,
    evicted: EvictedActivities,
) -> VisitorChanges:
    """Update the visitors of a site by the events of some rows, all of this site."""
    site = batch.sites[int(batch.site[rows[0]])]
    visitors = state.visitors.setdefault(site.slug, VisitorTable())
    visitors.advance_ring(int(batch.arrived[rows].max()))
    articles = batch.article[rows]
    used = np.flatnonzero(np.bincount(articles))
    numbers = np.zeros(len(batch.articles), np.int64)
    numbers[used] = visitors.article_numbers([batch.articles[number] for number in used.tolist()])
    own = own_hosts(site)
    referrers = len(batch.referrers)

    def source(code: int) -> Source:
        article, referrer = divmod(code, referrers)
        return Source(batch.articles[article] or WHOLE_SITE, visit_host(batch.referrers[referrer], own))

    return visitors.update(
        VisitorEvents(
            at=batch.at[rows],
            kind=batch.kind[rows],
            article=numbers[articles],
            day=days[rows],
            visitor=batch.visitor[rows],
            visitor_prev=batch.visitor_prev[rows],
            has_prev=batch.has_prev[rows],
            source=articles * referrers + batch.referrer[rows],
            source_names=lambda codes: [source(code) for code in codes],
            in_evidence=batch.has_client[rows],
        ),
        state.window_seq,
        state.stale_before,
        evicted,
    )


def _add_ledger_entries(batch: EventBatch, is_duplicate: Flags, deltas: CountDeltas) -> None:
    for dead_letter, slug, arrived in batch.rejections:
        site = next((one for one in batch.sites if one.slug == slug), None)
        day = day_start(arrived, site.zone) if site else arrived // 1000 // DAY_SECONDS * DAY_SECONDS
        deltas.dead_letters.append(dead_letter)
        deltas.ledger[slug or UNKNOWN_SITE, day, "dead_lettered", dead_letter.reason] += 1
    if not len(batch):
        return
    late = batch.arrived - batch.at > LATE_MS
    code = np.where(is_duplicate, DUPLICATE, np.where(batch.bot > 0, batch.bot - 1 + BOT, late))
    slugs = _slugs(batch)
    for (number, day, kind), events in group_sums(batch.site, local_days(batch.arrived, batch), code):
        outcome, reason = _OUTCOMES[kind] if kind < BOT else ("bot", batch.bots[kind - BOT + 1])
        deltas.ledger[slugs[number], day, outcome, reason] += events[0]


def _slugs(batch: EventBatch) -> list[str]:
    return [site.slug for site in batch.sites]


def _add_counts(batch: EventBatch, views: Integers, starts_visit: Flags, days: Integers, deltas: CountDeltas) -> None:
    if not len(views):
        return
    site, visits, seconds = batch.site[views], starts_visit[views].astype(np.int64), batch.at[views] // 1000
    slugs = _slugs(batch)
    for (number, article, day), sums in group_sums(site, batch.article[views], days[views], extra=visits):
        if article:
            deltas.day_counts.append(DayCount(slugs[number], batch.articles[article], day, *sums))
    for (number, day), sums in group_sums(site, days[views], extra=visits):
        deltas.day_counts.append(DayCount(slugs[number], WHOLE_SITE, day, *sums))
    grains: tuple[tuple[Literal["5m", "hour"], Integers], ...] = (
        ("5m", seconds - seconds % BUCKET_5M_SECONDS),
        ("hour", hour_starts(seconds, days[views])),
    )
    for grain, starts in grains:
        for (number, bucket), sums in group_sums(site, starts // BUCKET_5M_SECONDS, extra=visits):
            deltas.bucket_counts.append(BucketCount(slugs[number], grain, bucket * BUCKET_5M_SECONDS, *sums))


def _subtract_ended_visits(ended: list[tuple[Site, EndedVisit]], deltas: CountDeltas) -> None:
    """Subtract visits that were counted until an earlier event arrived, from the buckets in which they began."""
    if not ended:
        return
    by_day: Counter[tuple[str, str, int]] = Counter()
    by_bucket: Counter[tuple[str, Literal["5m", "hour"], int]] = Counter()
    for site, visit in ended:
        day, seconds = day_start(visit.start, site.zone), visit.start // 1000
        by_day[site.slug, WHOLE_SITE, day] += 1
        if visit.article:
            by_day[site.slug, visit.article, day] += 1
        by_bucket[site.slug, "5m", seconds - seconds % BUCKET_5M_SECONDS] += 1
        by_bucket[site.slug, "hour", seconds - (seconds - day) % HOUR_SECONDS] += 1
        deltas.referrers[site.slug, day, visit.host] -= 1
    day_counts = [one._replace(visits=one.visits - by_day.pop(one[:3], 0)) for one in deltas.day_counts]
    deltas.day_counts = day_counts + [DayCount(*key, 0, -visits) for key, visits in by_day.items()]
    bucket_counts = [one._replace(visits=one.visits - by_bucket.pop(one[:3], 0)) for one in deltas.bucket_counts]
    deltas.bucket_counts = bucket_counts + [BucketCount(*key, 0, -visits) for key, visits in by_bucket.items()]


def _add_daily_visitors(batch: EventBatch, rows: Integers, days: Integers, deltas: CountDeltas) -> None:
    if not len(rows):
        return
    seconds = batch.at[rows] // 1000
    columns = (
        batch.site[rows],
        days[rows],
        batch.visitor[rows].view(np.int64),
        batch.article[rows],
        seconds - seconds % BUCKET_5M_SECONDS,
        hour_starts(seconds, days[rows]),
    )
    slugs = _slugs(batch)
    added: set[tuple[int, int, int]] = set()
    for site, day, visitor, article, bucket_5m, bucket_hour in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        # A batch of several windows may contain a first view twice: the visitor was evicted in between.
        if (site, day, visitor) not in added:
            added.add((site, day, visitor))
            name = batch.articles[article] or WHOLE_SITE
            deltas.daily_visitors.append(NewDailyVisitor(slugs[site], day, visitor, name, bucket_5m, bucket_hour))


def _add_presence(state: PartitionState, deltas: CountDeltas) -> None:
    for site, visitors in state.visitors.items():
        if visitors.changed:
            names = list(visitors.articles)
            numbers = sorted(visitors.changed)
            for number, (first_bucket, counts) in zip(numbers, visitors.presence(numbers), strict=True):
                deltas.presence.append(PresenceSnapshot(site, names[number] or WHOLE_SITE, first_bucket, counts))
            visitors.changed = set()

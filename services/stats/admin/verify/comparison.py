"""Stored values against expected ones. Pure.

A partition whose counted records are all in the log must have exactly the reference model's values. Where Kafka has
deleted counted records, values that those records can have touched have bounds: the model's value, and at most as many
more as there are deleted records. Those values must then also add up: totals, days, hours and 5m buckets, articles,
referrers, visitors and the ledger. A gap excuses nothing of this: its records were never counted.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import NamedTuple

from services.stats.admin.reference_events import WHOLE_SITE, Bucket, day_start
from services.stats.admin.reference_model import PRESENCE_BUCKET_MS
from services.stats.admin.reference_values import (
    Expected,
    LedgerKey,
    PartitionValues,
    Tolerance,
    Totals,
)
from services.stats.admin.verify.article_sums import compare_article_sums
from services.stats.admin.verify.evidence import compare_evidence
from services.stats.admin.verify.exclusions import compare_exclusions
from services.stats.admin.verify.known_articles import compare_known_articles
from services.stats.admin.verify.sums import check_settled_days, check_sums, check_visitors
from services.stats.admin.verify.values import UNBOUNDED, Drift, Gap, LogSpan, SettledDays, StoredValues, VerifyReport
from shared.sites import Site

AHEAD_MS = 5 * 60_000
"""An event may be so much newer than its arrival."""
VISIT_COMPLETE_AFTER_MS = AHEAD_MS + 30 * 60_000
"""Whether a view starts a visit depends on the half hour before it."""
PRESENCE_COMPLETE_AFTER_MS = 65 * 60_000
"""Whether two IDs are one visitor depends on the hour before."""
LEDGER_COMPLETE_AFTER_MS = 50 * 3_600_000
"""A late event may be a duplicate of one that arrived 49 hours before."""
BUCKET_5M_KEPT_SECONDS = 40 * 86_400
"""Older 5m buckets are deleted in Postgres, as no window contains them."""
EVIDENCE_COMPLETE_AFTER_SECONDS = 65 * 60
"""Whether an ID is known depends on the hour before."""
VISITOR_DAYS_KEPT_SECONDS = 12 * 86_400
PRESENCE_KEPT_MS = 3_600_000


class Loss(NamedTuple):
    """Records of a partition that were counted and are no longer in the log."""

    records: int
    until_ms: int
    """They arrived before this."""


def find_loss(stored: StoredValues, number: int, records: int, span: LogSpan) -> Loss | None:
    """Return the loss of a partition, if it has one.

    Args:
        stored: Its progress and gaps.
        number: Of the partition.
        records: How many of the counted ones the log has.
        span: What the log has.
    """
    progress = stored.partitions[number]
    missing = progress.next_offset - progress.offsets_without_record - records
    if missing <= 0 or (span.begin == 0 and not any(gap.partition == number for gap in stored.gaps)):
        return None
    available_from = progress.newest_arrived if span.first_arrived is None else span.first_arrived
    until = max([available_from, *(gap.counted_until for gap in stored.gaps if gap.partition == number)])
    return Loss(missing, min(until or stored.clock_ms, stored.clock_ms))


def has_new_log(gaps: list[Gap], partition: int) -> bool:
    """Return whether counts of a partition are also of an earlier log (`rebuild --new-log`)."""
    return any(gap.partition == partition and gap.begins_new_log for gap in gaps)


def compare(
    stored: StoredValues, expected: Expected, spans: Mapping[int, LogSpan], sites: Mapping[str, Site]
) -> VerifyReport:
    """Compare stored and expected values that are all in memory.

    Args:
        stored: From Postgres.
        expected: From the log.
        spans: By partition: what the log still has.
        sites: By slug; their zones determine where days begin.
    """
    may_lack = any(span.begin > 0 for span in spans.values()) or bool(stored.gaps)
    comparison = Comparison(stored, sites, may_lack=may_lack)
    for number in sorted(
        stored.partitions.keys()
        | spans.keys()
        | stored.counts.keys()
        | stored.settled.keys()
        | stored.ledger.keys()
        | stored.referrers.keys()
        | stored.presence.keys()
        | stored.known_articles.keys()
        | stored.evidence.keys()
        | {gap.partition for gap in stored.gaps}
    ):
        comparison.compare_partition(number, expected.partitions.get(number, PartitionValues()), spans.get(number))
    for site, day in sorted(stored.daily_visitors):
        comparison.compare_visitor_day(site, day, stored.daily_visitors[site, day], expected)
    return comparison.finish(expected)


class Comparison:
    """Compares one partition after the other, then the visitors of each day, and at the end what is of all partitions.

    Args:
        stored: From Postgres; of partitions only the one that is compared.
        sites: By slug; their zones determine where days begin.
        may_lack: Whether the log may lack counted records, so that what is stored must also add up.
    """

    def __init__(self, stored: StoredValues, sites: Mapping[str, Site], *, may_lack: bool) -> None:
        self._stored = stored
        self._sites = sites
        self._may_lack = may_lack
        self.losses: dict[int, Loss] = {}
        """By partition, for those that have one."""
        self._visitors: defaultdict[Bucket, int] = defaultdict(int)
        """Stored ones, over all partitions."""
        self._ids: dict[tuple[str, int], int] = {}
        """(site, local day) → how many visitor IDs are stored."""
        self.removed_sites: set[str] = set()
        """Sites that have counts and are not declared: the log cannot say what they must be."""
        self.report = VerifyReport()
        self._sums = VerifyReport()
        """Of the sums of partitions; they count if the log lacks records."""

    @property
    def _missing(self) -> int:
        return sum(loss.records for loss in self.losses.values())

    @property
    def _touched_ms(self) -> int:
        return max((loss.until_ms + AHEAD_MS for loss in self.losses.values()), default=0)

    def finish(self, expected: Expected) -> VerifyReport:
        """Compare what is of all partitions, and return everything that was found."""
        compare_exclusions(
            self.report,
            self._stored.exclusions,
            lost_until=max((loss.until_ms for loss in self.losses.values()), default=0) // 1000,
            newest=self._stored.newest_ms // 1000,
            zone=self.zone,
        )
        compare_article_sums(self.report, self._stored.sums)
        self._compare_visitors(expected)
        for site, day in sorted(expected.daily_visitors.keys() - self._ids.keys()):
            self.compare_visitor_day(site, day, set(), expected)
        if self.losses:
            self.report.counters += self._sums.counters
            self.report.drifts += self._sums.drifts
            check_visitors(self.report, self._visitors, self._ids, self._first_visitor_day)
        self.report.drifts = [one for one in self.report.drifts if one.site not in self.removed_sites]
        return self.report

    def zone(self, site: str) -> tzinfo:
        """Return a site's zone; UTC for a site that is no longer in sites.toml."""
        return self._sites[site].zone if site in self._sites else UTC

    def compare_partition(self, number: int, must: PartitionValues, span: LogSpan | None) -> None:
        """Compare everything that is stored of a partition.

        Args:
            number: Of the partition.
            must: From the log.
            span: What the log still has; None if the log has no such partition.
        """
        loss = None
        self.removed_sites |= self._stored.events_of_removed_sites(number, self._sites).keys()
        if number in self._stored.partitions:
            span = span or LogSpan(0, None, {})
            loss = find_loss(self._stored, number, must.records, span)
            if loss is not None:
                self.losses[number] = loss
            self._compare_offsets(number, must, span)
        else:
            self._compare_uncounted(number, span)
        self._compare_counts(number, must, loss)
        settled = self._stored.settled.get(number, SettledDays())
        check_settled_days(self.report, settled, number, is_lost=loss is not None)
        self._compare_ledger(number, must, loss)
        self._compare_referrers(number, must, loss)
        self._compare_presence(number, must, loss)
        begin = UNBOUNDED if span is None else span.begin
        compare_known_articles(self.report, self._stored, must, number, begin)
        exact_from = 0 if loss is None else loss.until_ms // 1000 + EVIDENCE_COMPLETE_AFTER_SECONDS
        compare_evidence(self.report, self._stored, must, number, exact_from=exact_from, zone=self.zone)
        if self._may_lack:
            first_bucket = self._stored.newest_ms // 1000 - BUCKET_5M_KEPT_SECONDS
            check_sums(self._sums, self._stored, number, self.zone, first_bucket)
        for bucket, totals in self._stored.counts[number].items():
            self._visitors[bucket] += totals.visitors

    def _compare_offsets(self, number: int, must: PartitionValues, span: LogSpan) -> None:
        progress, begin = self._stored.partitions[number], span.begin

        def check(kind: str, measure: str, stored: int, low: int, high: int | None = None) -> None:
            at_most = low if high is None else high
            self.report.check(Drift("", "", kind, None, measure, stored, low, at_most, number))

        ledger = sum(self._stored.ledger[number].values())
        check("offsets", "ledger entries", ledger, progress.next_offset - progress.offsets_without_record)
        new_log = has_new_log(self._stored.gaps, number)
        gaps = _gaps_of_log(self._stored.gaps, number)
        without_record = progress.next_offset - must.records
        if begin == 0 and number not in self.losses:
            check("offsets", "offsets_without_record", progress.offsets_without_record, without_record)
            check("offsets", "newest_arrived", progress.newest_arrived, must.newest_arrived)
        else:
            known = sum(gap.next_available - gap.first_lost for gap in gaps) + without_record - begin
            low = -UNBOUNDED if new_log else known
            check("offsets", "offsets_without_record", progress.offsets_without_record, low, without_record)
            check("offsets", "newest_arrived", progress.newest_arrived, must.newest_arrived, UNBOUNDED)
        if progress.last_record is not None and progress.next_offset > begin:
            differs = progress.last_record != span.last_record
            check("offsets", "last records that differ", int(differs), 0)
        for gap in gaps:
            kind = f"gap {gap.first_lost} to {gap.next_available}"
            check(kind, "records in the log", span.records_in_gaps.get(gap, 0), 0)
            check(kind, "end", gap.next_available, gap.first_lost, progress.next_offset)
            check(kind, "counted_until", gap.counted_until, 0)
        for gap in self._stored.gaps:
            if gap.partition == number and gap.begins_new_log:
                check("gap", "counted_until", gap.counted_until, 0, progress.newest_arrived)

    def _compare_uncounted(self, number: int, span: LogSpan | None) -> None:
        """A partition without a position has no records and no gaps."""
        offsets = span.offsets_without_position if span is not None else 0
        gaps = sum(gap.partition == number for gap in self._stored.gaps)
        for measure, found in (("offsets that nothing counts", offsets), ("gaps without a position", gaps)):
            self.report.check(Drift("", "", "offsets", None, measure, found, 0, 0, number))

    def _compare_counts(self, number: int, must: PartitionValues, loss: Loss | None) -> None:
        there = self._stored.counts[number]
        for bucket in sorted(there.keys() | must.counts.keys()):
            if self._is_expired(bucket):
                continue
            expected, stored = must.counts.get(bucket, Totals()), there.get(bucket, Totals())
            touched_ms = 0 if bucket.grain == "total" else bucket.start * 1000
            for measure in ("views", "visits"):
                value = getattr(expected, measure)
                low, high = value, value
                if loss is not None and touched_ms < loss.until_ms + AHEAD_MS:
                    low, high = 0, value + loss.records
                elif loss is not None and measure == "visits" and touched_ms < loss.until_ms + VISIT_COMPLETE_AFTER_MS:
                    low = 0
                self._check_bucket(bucket, measure, getattr(stored, measure), (low, high), number)

    def _is_expired(self, bucket: Bucket) -> bool:
        return bucket.grain == "5m" and bucket.start < self._stored.newest_ms // 1000 - BUCKET_5M_KEPT_SECONDS

    def _check_bucket(
        self, bucket: Bucket, measure: str, stored: int, bounds: tuple[int, int], partition: int | None = None
    ) -> None:
        start = None if bucket.grain == "total" else bucket.start
        self.report.check(Drift(bucket.site, bucket.article, bucket.grain, start, measure, stored, *bounds, partition))

    def _compare_ledger(self, number: int, must: PartitionValues, loss: Loss | None) -> None:
        there = self._stored.ledger[number]
        keys = there.keys() | must.ledger.keys()
        may_be_duplicates: defaultdict[tuple[str, int], int] = defaultdict(int)
        for key, events in must.ledger.items():
            if key.outcome != "dead_lettered":
                may_be_duplicates[key.site, key.day] += events
        for key in sorted(keys):
            low = high = must.ledger.get(key, 0)
            if loss is not None and key.day * 1000 < loss.until_ms + LEDGER_COMPLETE_AFTER_MS:
                if key.day * 1000 < loss.until_ms:
                    high += loss.records
                if key.outcome == "duplicate":
                    high += may_be_duplicates[key.site, key.day]
                elif key.outcome != "dead_lettered":
                    low = 0
            place = (key.site, WHOLE_SITE, "ledger", key.day, f"{key.outcome} {key.reason}".rstrip())
            self.report.check(Drift(*place, there.get(key, 0), low, high, number))
        if loss is not None:
            self._compare_days_of_ledger(number, must, loss, keys)

    def _compare_days_of_ledger(self, number: int, must: PartitionValues, loss: Loss, keys: set[LedgerKey]) -> None:
        """The sum of a day's outcomes depends on no earlier record."""
        for site, day in sorted({(key.site, key.day) for key in keys}):
            of_day = [key for key in keys if (key.site, key.day) == (site, day)]
            low = high = sum(must.ledger.get(key, 0) for key in of_day)
            if day * 1000 < loss.until_ms:
                high += loss.records
            stored = sum(self._stored.ledger[number].get(key, 0) for key in of_day)
            self.report.check(Drift(site, WHOLE_SITE, "ledger", day, "events", stored, low, high, number))

    def _compare_referrers(self, number: int, must: PartitionValues, loss: Loss | None) -> None:
        there = self._stored.referrers[number]
        for key in sorted(there.keys() | must.referrers.keys()):
            low = high = must.referrers.get(key, 0)
            if loss is not None and key.day * 1000 < loss.until_ms + VISIT_COMPLETE_AFTER_MS:
                low, high = 0, high + loss.records
            measure = f"visits from {key.host or 'nowhere'}"
            stored = there.get(key, 0)
            self.report.check(Drift(key.site, WHOLE_SITE, "referrers", key.day, measure, stored, low, high, number))

    def _compare_presence(self, number: int, must: PartitionValues, loss: Loss | None) -> None:
        """Compare who is online; buckets that no window can contain any more may be stored or not."""
        there = self._stored.presence[number]
        oldest = (self._stored.newest_ms - PRESENCE_KEPT_MS) // PRESENCE_BUCKET_MS
        for key in sorted(there.keys() | must.presence.keys()):
            if key.bucket < max(oldest, must.presence_from.get(key.site, oldest)):
                continue
            low = high = must.presence.get(key, 0)
            at_ms = key.bucket * PRESENCE_BUCKET_MS
            if loss is not None and at_ms < loss.until_ms + PRESENCE_COMPLETE_AFTER_MS:
                low, high = 0, high + loss.records
            elif loss is not None and key.article:
                high += must.without_view.get(key._replace(article=WHOLE_SITE), 0)
            stored, seconds = there.get(key, 0), at_ms // 1000
            self.report.check(Drift(key.site, key.article, "online", seconds, "visitors", stored, low, high, number))

    def _compare_visitors(self, expected: Expected) -> None:
        """Compare visitors, which are distinct over all partitions."""
        for bucket in sorted(self._visitors.keys() | expected.counts.keys()):
            if not self._is_expired(bucket):
                bounds = self._bounds_of_visitors(bucket, expected)
                self._check_bucket(bucket, "visitors", self._visitors.get(bucket, 0), bounds)

    def _bounds_of_visitors(self, bucket: Bucket, expected: Expected) -> tuple[int, int]:
        visitors = expected.counts.get(bucket, Totals()).visitors
        tolerance = expected.tolerance.get(bucket, Tolerance())
        low, high = visitors - tolerance.fewer, visitors + tolerance.more
        if not self.losses:
            return low, high
        if bucket.grain == "total" or bucket.start * 1000 < self._touched_ms:
            return 0, high + self._missing
        day_ms = day_start(bucket.start * 1000, self.zone(bucket.site)) * 1000
        return (low if day_ms >= self._touched_ms else 0), high

    @property
    def _first_visitor_day(self) -> int:
        return self._stored.newest_ms // 1000 - VISITOR_DAYS_KEPT_SECONDS

    def compare_visitor_day(self, site: str, day: int, there: set[int], expected: Expected) -> None:
        """Compare the visitor IDs of a day, if it is still kept; after all partitions."""
        self._ids[site, day] = len(there)
        if day < self._first_visitor_day:
            return
        must = expected.daily_visitors.get((site, day), set())
        place = (site, WHOLE_SITE, "visitor_days", day)
        self.report.check(Drift(*place, "visitor IDs", len(must & there), len(must), len(must)))
        other = self._missing if day * 1000 < self._touched_ms else 0
        self.report.check(Drift(*place, "visitor IDs that are not in the log", len(there - must), 0, other))


def _gaps_of_log(gaps: list[Gap], partition: int) -> list[Gap]:
    """Return the gaps of the present log: those after the last row that begins a new one."""
    found: list[Gap] = []
    for gap in gaps:
        if gap.partition == partition:
            found = [] if gap.begins_new_log else [*found, gap]
    return found

"""The values that `verify` compares: what Postgres holds, what the log still has, and what differs. Pure."""

from collections import Counter, defaultdict
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from services.stats.admin.reference_articles import Acceptance, ArticleKey, StoredArticles
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_evidence import EvidenceKey, EvidenceNumbers
from services.stats.admin.reference_exclusions import ExcludedVisitor, ExclusionRow
from services.stats.admin.reference_model import UNKNOWN_SITE
from services.stats.admin.reference_values import LedgerKey, PresenceKey, ReferrerKey, Totals

UNBOUNDED = 2**63


class PartitionProgress(NamedTuple):
    """How far a partition is counted: its row of `stats.offsets`."""

    next_offset: int
    newest_arrived: int
    """Of the records counted: milliseconds since 1970 UTC."""
    offsets_without_record: int
    topic_id: str
    cluster: str = ""
    last_record: int | None = None
    """Checksum of the record before `next_offset`; None if it is unknown."""
    pages_from: int = 0
    """Offset from which on views without an article count for their page."""
    evidence_from: int = 0
    """Offset from which on events are evidence."""


class Gap(NamedTuple):
    """A row of `stats.gaps`: records that Kafka deleted before they were counted.

    Equal offsets: another log begins there (`rebuild --new-log`), or Kafka lost counted records (`--lost-records`).
    """

    partition: int
    first_lost: int
    next_available: int
    counted_until: int = 0
    """Records that arrived until then (milliseconds) may be counted and gone from the log; 0: none."""

    @property
    def begins_new_log(self) -> bool:
        """Whether a new log begins here, so that earlier counts and gaps are of another one."""
        return self.first_lost == self.next_available


@dataclass
class StoredExclusion:
    """An exclusion that was entered, and what the counts know of it."""

    row: ExclusionRow
    is_standing: bool
    """Not reversed."""
    is_applied: bool | None
    """Whether it is out of the counts; None if they do not know it."""
    number: int
    """How many visitors it is said to have."""
    visitors: set[ExcludedVisitor]
    expected: set[ExcludedVisitor] = field(default_factory=set)
    """From the log."""


@dataclass
class SettledDays:
    """Of the days of articles that the log says nothing about any more, on one partition."""

    articles: dict[Bucket, Totals] = field(default_factory=dict)
    """Total of an article → the sum of those days."""
    days: dict[Bucket, Totals] = field(default_factory=dict)
    """Day of a site → the sum of its articles."""
    negative: dict[Bucket, Totals] = field(default_factory=dict)
    """Rows with a number below 0."""


class SumDifference(NamedTuple):
    """A sum that is not that of its days."""

    site: str
    span: str
    start: int
    article: str
    stored: Totals
    expected: Totals


class ArticleSums(NamedTuple):
    """What Postgres says of the sums of a generation."""

    rows: int = 0
    differences: tuple[SumDifference, ...] = ()


@dataclass
class StoredValues:
    """The content of Postgres at one instant, by partition."""

    partitions: dict[int, PartitionProgress] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    counts: defaultdict[int, dict[Bucket, Totals]] = field(default_factory=lambda: defaultdict(dict))
    """Without the days of articles that are settled, and of articles that have no others without their totals."""
    settled: defaultdict[int, SettledDays] = field(default_factory=lambda: defaultdict(SettledDays))
    sums: ArticleSums = field(default_factory=ArticleSums)
    ledger: defaultdict[int, dict[LedgerKey, int]] = field(default_factory=lambda: defaultdict(dict))
    referrers: defaultdict[int, dict[ReferrerKey, int]] = field(default_factory=lambda: defaultdict(dict))
    presence: defaultdict[int, dict[PresenceKey, int]] = field(default_factory=lambda: defaultdict(dict))
    known_articles: defaultdict[int, dict[ArticleKey, Acceptance]] = field(default_factory=lambda: defaultdict(dict))
    evidence: defaultdict[int, dict[EvidenceKey, EvidenceNumbers]] = field(default_factory=lambda: defaultdict(dict))
    exclusions: list[StoredExclusion] = field(default_factory=list)
    daily_visitors: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """(site, local day) → visitor IDs as signed 64-bit integers; of all partitions."""
    clock_ms: int = 0
    """Postgres' clock at that instant."""

    def articles_of(self, partition: int, log_begin: int) -> StoredArticles:
        """Return the known articles of a partition whose log begins at an offset."""
        gaps = [gap for gap in self.gaps if gap.partition == partition]
        counted_until = max((gap.counted_until for gap in gaps), default=0)
        is_trimmed = log_begin > 0 or bool(gaps)
        progress = self.partitions.get(partition)
        pages_from = 0 if progress is None else progress.pages_from
        return StoredArticles(self.known_articles[partition], log_begin, is_trimmed, counted_until, pages_from)

    def events_of_removed_sites(self, partition: int, sites: Container[str]) -> Counter[str]:
        """Return the sites of a partition's ledger that are not declared any more, with the number of their events."""
        events: Counter[str] = Counter()
        for key, number in self.ledger[partition].items():
            if key.site not in sites and key.site != UNKNOWN_SITE:
                events[key.site] += number
        return events

    @property
    def newest_ms(self) -> int:
        """The newest arrival, bounded by Postgres' clock: a record may be stamped far ahead."""
        newest = max((one.newest_arrived for one in self.partitions.values()), default=0)
        return min(newest, self.clock_ms)


class LogSpan(NamedTuple):
    """The part of a partition's log that was counted and is still there."""

    begin: int
    first_arrived: int | None
    """Arrival of its first record, in milliseconds; None if it has no record."""
    records_in_gaps: dict[Gap, int]
    """Records in the log that a gap calls lost."""
    last_record: int | None = None
    """Checksum of the record before the stored offset; None if there is none."""
    offsets_without_position: int = 0
    """Offsets of a partition that nothing has counted yet: it has no row in `stats.offsets`."""


class Drift(NamedTuple):
    """A stored value that is outside its expected bounds."""

    site: str
    """Empty for a value of a partition."""
    article: str
    kind: str
    """The grain of a count, or the table."""
    start: int | None
    """Seconds since 1970 UTC; None for a total."""
    measure: str
    stored: int
    expected: int
    at_most: int
    """Equal to `expected`, unless the log no longer has all records."""
    partition: int | None = None


@dataclass
class VerifyReport:
    """The result of `verify`."""

    counters: int = 0
    """How many values were compared."""
    drifts: list[Drift] = field(default_factory=list)

    def check(self, drift: Drift) -> None:
        """Compare one value."""
        self.counters += 1
        if not drift.expected <= drift.stored <= drift.at_most:
            self.drifts.append(drift)

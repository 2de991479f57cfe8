"""The values that the reference model expects. Pure."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_evidence import EvidenceKey, EvidenceNumbers


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


class PresenceKey(NamedTuple):
    """A site (article is empty) or an article, and a presence bucket: seconds since 1970 UTC, divided by 5."""

    site: str
    article: str
    bucket: int


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
class PartitionValues:
    """The values of one partition. Its counts have no visitors: those are distinct over all partitions."""

    counts: defaultdict[Bucket, Totals] = field(default_factory=lambda: defaultdict(Totals))
    ledger: defaultdict[LedgerKey, int] = field(default_factory=lambda: defaultdict(int))
    referrers: defaultdict[ReferrerKey, int] = field(default_factory=lambda: defaultdict(int))
    presence: defaultdict[PresenceKey, int] = field(default_factory=lambda: defaultdict(int))
    without_view: defaultdict[PresenceKey, int] = field(default_factory=lambda: defaultdict(int))
    """Visitors of a site in `presence` of whom the log has pings and no view, so that their article is unknown."""
    known_articles: dict[ArticleKey, Acceptance] = field(default_factory=dict)
    """Articles that became known by views in the log."""
    evidence: dict[EvidenceKey, EvidenceNumbers] = field(default_factory=dict)
    """Of windows that ended."""
    presence_from: dict[str, int] = field(default_factory=dict)
    """Site → first presence bucket that is exact after the site's newest arrival."""
    records: int = 0
    newest_arrived: int = 0


@dataclass(slots=True)
class Expected:
    """The values that must be stored after all these records: by partition, and summed over all of them."""

    partitions: dict[int, PartitionValues] = field(default_factory=dict)
    counts: defaultdict[Bucket, Totals] = field(default_factory=lambda: defaultdict(Totals))
    ledger: defaultdict[LedgerKey, int] = field(default_factory=lambda: defaultdict(int))
    referrers: defaultdict[ReferrerKey, int] = field(default_factory=lambda: defaultdict(int))
    tolerance: defaultdict[Bucket, Tolerance] = field(default_factory=lambda: defaultdict(Tolerance))
    daily_visitors: defaultdict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    """(site, local day) → its visitor IDs as signed 64-bit integers."""
    records: int = 0

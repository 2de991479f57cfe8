"""The values that the statistics page shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.stats.counter_api.counter_query import CounterValues
from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.periods import Period
from services.stats.statistics.time_series import Comparison, Ledger, TimeSeries
from services.stats.statistics.top_articles import TopArticle
from services.stats.statistics.top_pages import TopPage
from services.stats.suspects.finding import Suspect


@dataclass(frozen=True)
class PageData:
    """The values of one site and period."""

    counter: CounterValues
    adjusted: int
    """Sum of the adjustments in the counter's total."""
    period: Period
    series: TimeSeries
    comparisons: Mapping[Period, Comparison]
    most_read: Mapping[str, Sequence[TopArticle]]
    online: Sequence[TopArticle]
    pages: Mapping[str, Sequence[TopPage]]
    """Strangers can write them: only for those who have the site's token."""
    pages_online: Sequence[TopPage]
    ledger: Ledger
    referrers: Sequence[tuple[str, int]]
    refused_origins: Sequence[tuple[str, int]]
    """Origins that are not declared, as senders claim them, and the views refused: yesterday and today (UTC).

    The names are only for those who have the site's token; the empty one stands for further origins."""
    exclusions: Sequence[ExclusionNote]
    suspects: Sequence[Suspect]
    """Of today and yesterday; for those who have the site's token."""
    counted_until: int
    """When the newest counted record arrived: seconds since 1970 UTC; 0 if there is none."""

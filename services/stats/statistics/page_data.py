"""The values that the statistics page shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.stats.counter_api.counter_query import CounterValues
from services.stats.statistics.periods import Period
from services.stats.statistics.time_series import Comparison, Ledger, TimeSeries
from services.stats.statistics.top_articles import TopArticle


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
    ledger: Ledger
    referrers: Sequence[tuple[str, int]]
    counted_until: int
    """When the newest counted record arrived: seconds since 1970 UTC; 0 if there is none."""

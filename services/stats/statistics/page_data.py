"""The values that the statistics page shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.stats.counter_api.counter_query import CounterNumbers
from services.stats.statistics.periods import Period
from services.stats.statistics.time_series import Comparison, Ledger, Series
from services.stats.statistics.top_articles import Read


@dataclass(frozen=True)
class Numbers:
    """Everything that the page shows of one site and period."""

    counter: CounterNumbers
    adjusted: int
    """How much of the counter's total was brought."""
    period: Period
    series: Series
    comparisons: Mapping[Period, Comparison]
    most_read: Mapping[str, Sequence[Read]]
    online: Sequence[Read]
    ledger: Ledger
    referrers: Sequence[tuple[str, int]]
    counted_until: int
    """When the newest record counted had arrived: seconds since 1970 UTC; 0 if there is none."""

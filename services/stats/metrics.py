"""Metrics of the stats service."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """A histogram that takes a batch of values at once: a call for each event would cost more than counting it.

    Args:
        name: Of the metric.
        documentation: Its help text.
        bounds: Upper bounds of the buckets, ascending; the last one, infinity, is added.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = np.array([*bounds, np.inf])
        self._counts = np.zeros(len(self._bounds), np.int64)
        self._sum = 0.0
        REGISTRY.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Add each of the values."""
        self._counts += np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._bounds))
        self._sum += float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the metric, for the registry."""
        names = ["+Inf" if bound == np.inf else str(bound) for bound in self._bounds.tolist()]
        totals = [float(total) for total in np.cumsum(self._counts)]
        buckets = list(zip(names, totals, strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


CONSUME_EVENTS = Counter(
    "presstally_events_processed_total",
    "The ledger: outcome of each event read. received = counted + duplicate + bot + late + dead_lettered.",
    ["site", "result"],
)
UNCOUNTED_ARTICLE_VIEWS = Counter(
    "presstally_uncounted_article_views_total",
    "Views that count for the site and for no article: too many new article ids were viewed on that day.",
    ["site"],
)
BATCH_SECONDS = Histogram(
    "presstally_consume_batch_duration_seconds",
    "Time to commit counts in one transaction: of a partition, or with a small load of several.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
EVENT_DELAY = BatchHistogram(
    "presstally_event_delay_seconds",
    "Time from the arrival of an event in Kafka until its count is committed.",
    (0.1, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
LAG = Gauge("presstally_consumer_lag_events", "Records in the log that are not counted yet.", ["partition"])
LAG_SECONDS = Gauge(
    "presstally_consumer_lag_seconds",
    "Age of the oldest record that is not counted.",
    ["partition"],
)
ASSIGNED = Gauge("presstally_consumer_assigned_partitions", "Partitions that this process counts.")
REBALANCES = Counter("presstally_consumer_rebalances_total", "Consumer group rebalances.")
RELOADS = Counter("presstally_consumer_reloads_total", "Partitions reloaded from Postgres, by cause.", ["cause"])
REPLAYED = Counter("presstally_consumer_replayed_records_total", "Counted records read again to rebuild state.")
COUNTING_STOPPED = Gauge(
    "presstally_consumer_counting_stopped",
    "1 while nothing is counted because the log is not the one that was counted, or its timestamps are wrong.",
)
UNREADABLE_PARTITIONS = Gauge(
    "presstally_consumer_unreadable_partitions",
    "Partitions that are not counted because most of their latest records are unreadable.",
)
LOG_SPAN_SECONDS = Gauge(
    "presstally_page_views_cut_span_seconds",
    "How far back page-views reaches where Kafka deletes views for their size before their time; 0 if nowhere.",
)
GAP_RECORDS = Counter("presstally_consumer_lost_records_total", "Records that Kafka deleted before they were counted.")
DIFFERENCE = Gauge(
    "presstally_reconciliation_difference_events",
    "Must be 0. ledger: records read, against the ledger; totals: sites' totals, against the sums of their days.",
    ["check"],
)
DEAD_LETTERS_DEPTH = Gauge(
    "presstally_dead_letters_depth", "Records in the dead-letter topic of a topic, until Kafka deletes them.", ["topic"]
)
SUSPECT_SHARE = Gauge(
    "presstally_suspect_visitors_ratio",
    "Share of the largest group that behaves as programs do in the visitors of its hours today, from 0 to 1.",
    ["site"],
)
COMMITTED = Gauge("presstally_consumer_last_commit_timestamp_seconds", "When counts were last committed.")
COUNTER_READS = Counter(
    "presstally_widget_reads_total", "Counters read from Postgres; each at most once a second.", ["result"]
)
COUNTER_REJECTIONS = Counter(
    "presstally_widget_rejections_total", "Rejected counter requests, by reason.", ["reason"]
)  # articles_busy, streams_of_address, streams_of_process
SITE_COUNTER = Gauge(
    "presstally_site_traffic",
    "A site's public counter. Online is distinct visitors of the last 300 s. Absent while unknown.",
    ["site", "measure", "window"],
)
LIVE_STREAMS = Gauge("presstally_live_streams", "Open Server-Sent Events streams.")

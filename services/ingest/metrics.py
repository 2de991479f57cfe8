"""Metrics of the ingest service."""

from prometheus_client import Counter, Gauge, Histogram

COLLECT_EVENTS = Counter(
    "presstally_collect_events_total",
    "Events that reached the collector, by site and by what became of them.",
    ["site", "result"],  # accepted, bot, invalid, too_large, origin, unavailable
)
PRODUCER_QUEUE = Gauge("presstally_producer_queue_events", "Events that wait for Kafka's acknowledgement.")
PUBLISH_SECONDS = Histogram(
    "presstally_publish_duration_seconds",
    "Time until Kafka acknowledged.",
    ["topic"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
OUTBOX_PENDING = Gauge("presstally_outbox_pending_messages", "Committed messages that are not in Kafka yet.")
ARTICLE_CHANGES = Counter(
    "presstally_article_changes_total",
    "Accepted changes of articles, by what was done: create, edit, submit, approve, publish, kill and so on.",
    ["action"],
)
SCHEDULE_OVERDUE = Gauge(
    "presstally_schedule_overdue_seconds", "How long the oldest article waits that should be published or withdrawn."
)
PUBLISH_TO_LIVE = Histogram(
    "presstally_publish_to_live_seconds",
    "From the commit of a publication to the portal's word that it is live.",
    buckets=(0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60),
)

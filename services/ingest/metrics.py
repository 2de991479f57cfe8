"""Metrics of the ingest service."""

from prometheus_client import Counter, Gauge, Histogram

COLLECT_EVENTS = Counter(
    "presstally_collect_events_total",
    "Events received by the collector, by site and result: accepted, bot, own, or the reason of the rejection.",
    ["site", "result"],  # accepted bot own invalid too_large origin unknown_site rate token slow unavailable
)
REFUSED_ORIGINS = Counter(
    "presstally_collect_refused_origins_total",
    "Requests refused because the site does not declare their origin; beyond 20 origins: other.",
    ["origin"],
)
ADDRESS_SHARE = Gauge(
    "presstally_collect_address_share_ratio",
    "Share of the last 1,000 views that came from the most frequent address; 0 with fewer than 100 views.",
)
VISITORS_LIMITED = Counter(
    "presstally_collect_visitors_limited_total",
    "Events without a visitor ID, because their address had too many visitors on that day.",
    ["site"],
)
PRODUCER_QUEUE = Gauge("presstally_producer_queue_events", "Events that are neither in Kafka nor in the spool yet.")
ACK_SECONDS = Histogram(
    "presstally_producer_ack_seconds",
    "Time until Kafka acknowledges a batch.",
    ["topic"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BATCH_EVENTS = Histogram(
    "presstally_producer_batch_events",
    "Events per producer batch.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
)
SPOOL_BYTES = Gauge("presstally_spool_bytes", "Bytes of spooled events that are not in Kafka yet.")
SPOOL_BYTES_MAX = Gauge("presstally_spool_bytes_max", "Size limit of the spool in bytes.")
PARTITIONS = Gauge(
    "presstally_page_views_partitions",
    "Partitions of page-views in Kafka's metadata; 0 until the first metadata arrives.",
)
PARTITIONS_IN_USE = Gauge(
    "presstally_page_views_partitions_in_use",
    "Partitions of page-views over which events are distributed now, by the partition plan.",
)
CLOCK_OFFSET = Gauge(
    "presstally_collector_clock_offset_seconds",
    "How far the collector's clock is ahead of Kafka's (negative: behind), at least; 0 while unknown.",
)
SPOOL_WRITES = Counter("presstally_spool_written_events_total", "Events spooled to disk while Kafka was unavailable.")
REPLAYED = Counter("presstally_spool_replayed_events_total", "Spooled events that were drained to Kafka.")
SPOOL_CORRUPT = Counter("presstally_spool_corrupt_records_total", "Corrupt spool records that were skipped.")
MEDIA_UPLOADS = Counter(
    "presstally_media_uploads_total",
    "Uploaded images, by result: stored, known, refused, failed.",
    ["result"],
)
FILE_UPLOADS = Counter(
    "presstally_file_uploads_total",
    "Uploaded documents, by result: stored, known, refused, failed.",
    ["result"],
)
MEDIA_SECONDS = Histogram(
    "presstally_media_decode_seconds",
    "Time to decode an image and create its renditions, including queueing.",
    buckets=(0.3, 0.5, 1, 2, 5, 10, 30, 60, 120),
)
OUTBOX_PENDING = Gauge("presstally_outbox_pending_messages", "Committed messages that are not in Kafka yet.")
ARTICLE_CHANGES = Counter(
    "presstally_article_changes_total",
    "Accepted changes of articles, by action: create, edit, submit, approve, publish, kill and so on.",
    ["action"],
)
SCHEDULE_OVERDUE = Gauge("presstally_schedule_overdue_seconds", "How long the oldest due schedule has waited.")
PUBLISH_TO_LIVE = Histogram(
    "presstally_article_publish_to_live_seconds",
    "Time from the commit of a publication until the portal reports it live.",
    buckets=(0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60),
)
RECOVERED = Counter(
    "presstally_recovered_messages_total",
    "Articles and opening balances by which Postgres and Kafka differed, by result: taken_over, sent_again.",
    ["result"],
)
RECOVERY_CONFLICTS = Gauge(
    "presstally_recovery_conflicts",
    "Articles that could not be taken over from Kafka as they were, or had to give way, since the start.",
)
UNDECLARED_SECTIONS = Gauge(
    "presstally_articles_in_undeclared_sections",
    "Public articles in sections that their site does not declare.",
    ["site"],
)
WEBHOOK_DELIVERIES = Counter(
    "presstally_webhook_deliveries_total",
    "Attempts to deliver events to webhooks, by result: delivered, failed (it is tried again), dead.",
    ["result"],
)
WEBHOOKS_DISABLED = Gauge(
    "presstally_webhooks_disabled", "Webhooks that were disabled because nothing could be delivered for days."
)
WEBHOOK_DELIVERIES.labels("dead")  # at 0 from the start: an alert sees no rise of what was not there before
LOGINS = Counter(
    "presstally_logins_total",
    "Attempts of people to log in, by method and result: ok, wrong_credentials, code_required, wrong_code, "
    "account_locked, too_many_attempts and so on.",
    ["method", "result"],
)
MAILS = Counter("presstally_mails_total", "Mails to people, by result: sent, failed, dropped.", ["result"])

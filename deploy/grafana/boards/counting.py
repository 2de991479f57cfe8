"""Counting: from Kafka to the counter on the page."""

from deploy.grafana.boards.panels import SITE, Dashboard, I, Panel, or_zero, quantiles, resources

COUNTING = Dashboard(
    "presstally-counting",
    "Presstally: counting",
    "From Kafka to the counter on the page: lag, the ledger, batches, rebalances, readers of counters.",
    {
        "Behind": [
            Panel(
                "Lag in seconds",
                "How long each partition's oldest uncounted record has waited.",
                "s",
                {"partition {{partition}}": "max by (partition) (presstally_consumer_lag_seconds)"},
            ),
            Panel(
                "Lag in records",
                "Records in the log that are not counted, by partition.",
                "short",
                {"partition {{partition}}": "max by (partition) (presstally_consumer_lag_events)"},
                stacked=True,
            ),
            Panel(
                "Last commit",
                "How long ago counts were last committed. It rises when nobody reads; with lag it is an alarm.",
                "s",
                {"ago": "time() - max(presstally_consumer_last_commit_timestamp_seconds > 0)"},
            ),
        ],
        "The ledger": [
            Panel(
                "What became of records",
                "Records a second by outcome. Every record read is exactly one of them.",
                "cps",
                {"{{result}}": f"sum by (result) (rate(presstally_events_processed_total{{{SITE}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Dead letters",
                "Records that could not be read, by topic. `python -m services.stats dlq list` shows them.",
                "short",
                {"{{topic}}": or_zero("sum by (topic) (presstally_dead_letters_total)")},
            ),
            Panel(
                "Differences",
                "Must be 0. Records read against the ledger, and totals against the sums of their days.",
                "short",
                {"{{check}}": "max by (check) (presstally_reconciliation_difference_events)"},
            ),
            Panel(
                "Dead letters that are kept",
                "Records in each dead-letter topic. Kafka deletes them after 30 days.",
                "short",
                {"{{topic}}": "max by (topic) (presstally_dead_letters_depth)"},
                stacked=True,
            ),
            Panel(
                "Lost before they were counted",
                "Records that Kafka deleted too early. Anything above 0 is a loss, and stands in stats.gaps.",
                "short",
                {"lost": "sum(presstally_consumer_lost_records_total)"},
            ),
        ],
        "Batches": [
            Panel(
                "Commit of a batch",
                "From counts in hand to their commit in Postgres, for a partition.",
                "s",
                quantiles("presstally_consume_batch_duration_seconds"),
            ),
            Panel(
                "Batches",
                "Commits a second by process.",
                "ops",
                {"{{instance}}": f"sum by (instance) (rate(presstally_consume_batch_duration_seconds_count[{I}]))"},
            ),
            Panel(
                "From event to commit",
                "How old the newest event of a batch is when it is committed.",
                "s",
                quantiles("presstally_event_delay_seconds"),
            ),
        ],
        "Partitions": [
            Panel(
                "Assigned",
                "Partitions by process, and how many there are. The sum must be all of them.",
                "short",
                {
                    "{{instance}}": "presstally_consumer_assigned_partitions",
                    "all": "max(presstally_page_views_partitions)",
                },
            ),
            Panel(
                "Rebalances",
                "How often Kafka gave the partitions out anew. Each one stops counting for a moment.",
                "short",
                {"rebalances": f"sum(increase(presstally_consumer_rebalances_total[{I}]))"},
            ),
            Panel(
                "Reloads and records read again",
                "Partitions read anew from Postgres, by cause, and counted records read again to rebuild memory.",
                "short",
                {
                    "reloads: {{cause}}": f"sum by (cause) (increase(presstally_consumer_reloads_total[{I}]))",
                    "read again": f"sum(increase(presstally_consumer_replayed_records_total[{I}]))",
                },
            ),
        ],
        "Readers of counters": [
            Panel(
                "Answers from memory",
                "Counters answered before any routing, a second, by status.",
                "reqps",
                {"{{code}}": f'sum by (code) (rate(http_server_cached_responses_total{{job="stats"}}[{I}]))'},
            ),
            Panel(
                "Counters read from Postgres",
                "Reads a second by result: at most one a second for each counter, however many readers ask.",
                "ops",
                {"{{result}}": f"sum by (result) (rate(presstally_counter_reads_total[{I}]))"},
            ),
            Panel(
                "Streams and refusals",
                "Open live streams, and readers that were sent away, by reason.",
                "short",
                {
                    "open": "sum(presstally_live_streams)",
                    "{{reason}}": or_zero(f"sum by (reason) (rate(presstally_counter_rejections_total[{I}]))"),
                },
            ),
        ],
        "Processes": resources("stats"),
    },
)

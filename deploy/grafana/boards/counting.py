"""Counting: from Kafka to the counter on the page."""

from deploy.grafana.boards.panels import SITE, Dashboard, I, Panel, or_zero, quantiles, resources

COUNTING = Dashboard(
    "presstally-counting",
    "Presstally: counting",
    "From Kafka to the counter on the page: lag, ledger, batches, rebalances, counter API.",
    {
        "Lag": [
            Panel(
                "Lag in seconds",
                "Age of the oldest uncounted record of each partition.",
                "s",
                {"partition {{partition}}": "max by (partition) (presstally_consumer_lag_seconds)"},
            ),
            Panel(
                "Lag in records",
                "Uncounted records by partition.",
                "short",
                {"partition {{partition}}": "max by (partition) (presstally_consumer_lag_events)"},
                stacked=True,
            ),
            Panel(
                "Last commit",
                "Time since counts were last committed. It also grows without traffic; with lag it is a failure.",
                "s",
                {"ago": "time() - max(presstally_consumer_last_commit_timestamp_seconds > 0)"},
            ),
        ],
        "Ledger": [
            Panel(
                "Records by outcome",
                "Records per second by outcome. Every processed record has exactly one outcome.",
                "cps",
                {"{{result}}": f"sum by (result) (rate(presstally_events_processed_total{{{SITE}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Dead letters",
                "Unreadable records by topic. `presstally stats dlq list` shows them.",
                "short",
                {"{{topic}}": or_zero("sum by (topic) (presstally_dead_letters_total)")},
            ),
            Panel(
                "Reconciliation differences",
                "Must be 0. Processed records compared with the ledger, and totals with the sums of their days.",
                "short",
                {"{{check}}": "max by (check) (presstally_reconciliation_difference_events)"},
            ),
            Panel(
                "Dead-letter topic size",
                "Records in each dead-letter topic. Kafka deletes them after 30 days.",
                "short",
                {"{{topic}}": "max by (topic) (presstally_dead_letters_depth)"},
                stacked=True,
            ),
            Panel(
                "Records lost",
                "Records that Kafka deleted before they were counted. Anything above 0 is a loss; stats.gaps lists it.",
                "short",
                {"lost": "sum(presstally_consumer_lost_records_total)"},
            ),
        ],
        "Articles": [
            Panel(
                "Views without an article",
                "Views per second that count for the site alone: too many new article ids were viewed on that day.",
                "cps",
                {"{{site}}": or_zero(f"sum by (site) (rate(presstally_uncounted_article_views_total{{{SITE}}}[{I}]))")},
                stacked=True,
            ),
        ],
        "Batches": [
            Panel(
                "Batch commit time",
                "Time to commit the counts of a partition's batch in Postgres.",
                "s",
                quantiles("presstally_consume_batch_duration_seconds"),
            ),
            Panel(
                "Batches per second",
                "Commits per second by process.",
                "ops",
                {"{{instance}}": f"sum by (instance) (rate(presstally_consume_batch_duration_seconds_count[{I}]))"},
            ),
            Panel(
                "Arrival to commit",
                "Time from the arrival of an event in Kafka until its count is committed.",
                "s",
                quantiles("presstally_event_delay_seconds"),
            ),
        ],
        "Partitions": [
            Panel(
                "Assigned partitions",
                "Partitions by process, and the total. The processes' numbers must add up to the total.",
                "short",
                {
                    "{{instance}}": "presstally_consumer_assigned_partitions",
                    "total": "max(presstally_page_views_partitions)",
                },
            ),
            Panel(
                "Rebalances",
                "Consumer group rebalances. Each one pauses counting for a moment.",
                "short",
                {"rebalances": f"sum(increase(presstally_consumer_rebalances_total[{I}]))"},
            ),
            Panel(
                "Reloads and replayed records",
                "Partitions reloaded from Postgres, by cause, and counted records replayed to rebuild their state.",
                "short",
                {
                    "reloads: {{cause}}": f"sum by (cause) (increase(presstally_consumer_reloads_total[{I}]))",
                    "replayed": f"sum(increase(presstally_consumer_replayed_records_total[{I}]))",
                },
            ),
        ],
        "Counter API": [
            Panel(
                "Cached responses",
                "Counter requests per second answered from the cache, by status.",
                "reqps",
                {"{{code}}": f'sum by (code) (rate(http_server_cached_responses_total{{job="stats"}}[{I}]))'},
            ),
            Panel(
                "Counter reads from Postgres",
                "Reads per second by result: at most one per second for each counter, however many clients ask.",
                "ops",
                {"{{result}}": f"sum by (result) (rate(presstally_widget_reads_total[{I}]))"},
            ),
            Panel(
                "Live streams and rejections",
                "Open live streams, and rejected requests per second by reason.",
                "short",
                {
                    "open": "sum(presstally_live_streams)",
                    "{{reason}}": or_zero(f"sum by (reason) (rate(presstally_widget_rejections_total[{I}]))"),
                },
            ),
        ],
        "Processes": resources("stats"),
    },
)

"""The collector: from a visitor's browser to Kafka."""

from deploy.grafana.boards.panels import SITE, Dashboard, I, Panel, quantiles, resources

COLLECT = 'job="ingest",route=~"/e|/e/batch|/p.gif"'
COLLECTOR = Dashboard(
    "presstally-collector",
    "Presstally: collector",
    "From a visitor's browser to Kafka: accepted, rejected and spooled events, and latency.",
    {
        "Requests": [
            Panel(
                "Requests",
                "Requests per second with page views, by status. 202: accepted, 4xx: rejected, 503: clients retry.",
                "reqps",
                {"{{code}}": f"sum by (code) (rate(http_server_request_duration_seconds_count{{{COLLECT}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Time to 202",
                "From the first byte of the request to the response, including the write to Kafka or to disk.",
                "s",
                quantiles("http_server_request_duration_seconds", COLLECT),
            ),
            Panel(
                "Events by result",
                "Events per second by result: accepted, bot, own traffic, or the reason for the rejection.",
                "cps",
                {"{{result}}": f"sum by (result) (rate(presstally_collect_events_total{{{SITE}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Events without a visitor",
                "Events per second whose address had reached its number of visitors for the day: their views are "
                "counted, their visitors are not. Above zero: robots, or a proxy that hides the visitors' addresses.",
                "cps",
                {"{{site}}": f"sum by (site) (rate(presstally_collect_visitors_limited_total{{{SITE}}}[{I}]))"},
            ),
            Panel(
                "Refused origins",
                "Requests per second from pages whose origin no site declares: a portal's new address, or a copy.",
                "cps",
                {"{{origin}}": f"sum by (origin) (rate(presstally_collect_refused_origins_total[{I}]))"},
                stacked=True,
            ),
        ],
        "Kafka producer": [
            Panel(
                "Kafka acknowledgement time",
                "Time from sending a batch to its acknowledgement by Kafka.",
                "s",
                quantiles("presstally_producer_ack_seconds"),
            ),
            Panel(
                "Events per batch",
                "Events per producer batch. Batches grow under load, which keeps the cost per event low.",
                "short",
                quantiles("presstally_producer_batch_events"),
            ),
            Panel(
                "Queued in memory",
                "Events that are neither in Kafka nor on disk yet; none of them has been answered with 202.",
                "short",
                {"{{instance}}": "presstally_producer_queue_events"},
            ),
            Panel(
                "Partitions of page-views",
                "Partitions in Kafka, and those over which events are distributed. More in Kafka: partitions were "
                "added, and their planned time is not reached, or `partitions add` was not run.",
                "short",
                {
                    "in Kafka": "max(presstally_page_views_partitions)",
                    "in use by {{instance}}": "presstally_page_views_partitions_in_use > 0",
                },
            ),
        ],
        "Spool": [
            Panel(
                "Spool size",
                "Spooled bytes waiting for Kafka, and the limit above which page views get 503.",
                "bytes",
                {"{{instance}}": "presstally_spool_bytes", "limit": "max(presstally_spool_bytes_max)"},
            ),
            Panel(
                "Spooled and replayed events",
                "Events per second written to the spool, and replayed from it to Kafka.",
                "cps",
                {
                    "spooled": f"sum(rate(presstally_spool_written_events_total[{I}]))",
                    "replayed": f"sum(rate(presstally_spool_replayed_events_total[{I}]))",
                },
            ),
            Panel(
                "Corrupt spool records",
                "Spooled records that failed their checksum. All other records stay readable.",
                "short",
                {"corrupt": "sum(presstally_spool_corrupt_records_total)"},
            ),
        ],
        "Processes": resources("ingest"),
    },
)

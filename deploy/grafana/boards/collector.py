"""The collector: from a reader's browser to Kafka."""

from deploy.grafana.boards.panels import SITE, Dashboard, I, Panel, quantiles, resources

COLLECT = 'job="ingest",route=~"/e|/e/batch|/p.gif"'
COLLECTOR = Dashboard(
    "presstally-collector",
    "Presstally: collector",
    "From a reader's browser to Kafka: what is taken, refused, kept on disk, and how fast.",
    {
        "Requests": [
            Panel(
                "Requests",
                "Requests a second with page views, by answer. 202 is kept, 4xx is refused, 503 comes again later.",
                "reqps",
                {"{{code}}": f"sum by (code) (rate(http_server_request_duration_seconds_count{{{COLLECT}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Time until kept",
                "From the request's first byte to its 202, the way to Kafka or the disk included.",
                "s",
                quantiles("http_server_request_duration_seconds", COLLECT),
            ),
            Panel(
                "What became of events",
                "Events a second by result: accepted, bot, or why they were refused.",
                "cps",
                {"{{result}}": f"sum by (result) (rate(presstally_collect_events_total{{{SITE}}}[{I}]))"},
                stacked=True,
            ),
        ],
        "To Kafka": [
            Panel(
                "Acknowledgement",
                "How long Kafka needs to acknowledge.",
                "s",
                quantiles("presstally_producer_ack_seconds"),
            ),
            Panel(
                "Events in a flight",
                "How many events share an acknowledgement: more under load, which is what makes it cheap.",
                "short",
                quantiles("presstally_producer_batch_events"),
            ),
            Panel(
                "Waiting in memory",
                "Events that neither Kafka nor the disk has yet; nobody got a 202 for them.",
                "short",
                {"{{instance}}": "presstally_producer_queue_events"},
            ),
        ],
        "The spool": [
            Panel(
                "On the disk",
                "Bytes that wait for Kafka, and the bound at which page views get 503.",
                "bytes",
                {"{{instance}}": "presstally_spool_bytes", "bound": "min(presstally_spool_bytes_max)"},
            ),
            Panel(
                "In and out",
                "Events a second that were kept on the disk, and brought from there to Kafka.",
                "cps",
                {
                    "kept": f"sum(rate(presstally_spool_written_events_total[{I}]))",
                    "brought to Kafka": f"sum(rate(presstally_spool_replayed_events_total[{I}]))",
                },
            ),
            Panel(
                "Damaged records",
                "Records that the disk did not give back as they were written. Each cost itself.",
                "short",
                {"damaged": "sum(presstally_spool_corrupt_records_total)"},
            ),
        ],
        "Processes": resources("ingest"),
    },
)

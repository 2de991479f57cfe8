"""Which dashboards there are: overview, collector, counting, publishing."""

from deploy.grafana.panels import Board, Panel, quantiles, stat

I = "$__rate_interval"  # noqa: E741 - it stands in every query
GOOD, WARN, BAD = "green", "orange", "red"
OURS = 'job=~"ingest|stats|render"'
SITE = 'site=~"$site"'


def budget(name: str) -> str:
    """Return the share of the error budget that the last three days left, by the rate at which they burnt it."""
    return f"1 - presstally:slo_{name}:ratio_rate3d / (1 - presstally:slo_{name}:objective_ratio)"


def or_zero(query: str) -> str:
    """Show 0 where a counter has no series yet, for nothing of the kind ever happened."""
    return f"({query}) or vector(0)"


def resources(job: str) -> list[Panel]:
    """Return what a service's processes use."""
    one = f'job="{job}"'
    return [
        Panel(
            "Processor",
            "Cores that each process uses. One process can use a little more than one: the event loop is one thread.",
            "short",
            {"{{instance}}": f"rate(process_cpu_seconds_total{{{one}}}[{I}])"},
            width=6,
        ),
        Panel(
            "Memory",
            "Resident memory of each process. A container is killed at its limit.",
            "bytes",
            {"{{instance}}": f"process_resident_memory_bytes{{{one}}}"},
            width=6,
        ),
        Panel(
            "Event loop lag",
            "How much later than asked for tasks wake: 99 of 100 are below. Above 250 ms everything feels slow.",
            "s",
            {
                "{{instance}}": "histogram_quantile(0.99, sum by (instance, le) "
                f"(rate(presstally_event_loop_lag_seconds_bucket{{{one}}}[{I}])))"
            },
            width=6,
        ),
        Panel(
            "Postgres connections",
            "Connections in use, and the most that the pools may open. In use at the bound, requests wait.",
            "short",
            {
                "{{state}}": f'sum by (state) (presstally_db_pool_connections{{{one},state=~"used|max"}})',
            },
            width=6,
        ),
    ]


OVERVIEW = Board(
    "presstally-overview",
    "Presstally: overview",
    "Is it well? Readers, promises, delays, and what needs somebody.",
    {
        "Now": [
            stat(
                "Readers online",
                "Distinct visitors of the last 300 s, as readers see them.",
                "short",
                f'sum(max by (site) (presstally_site_counter{{{SITE},window="online"}}))',
            ),
            stat(
                "Visits today",
                "Visits since the site's midnight.",
                "short",
                f'sum(max by (site) (presstally_site_counter{{{SITE},measure="visits",window="today"}}))',
            ),
            stat(
                "Targets down",
                "Processes that do not answer Prometheus.",
                "short",
                or_zero(f"count(up{{{OURS}}} == 0)"),
                (None, GOOD),
                (1, BAD),
            ),
            stat(
                "Alerts firing",
                "The table below names them; each has a runbook in docs/runbooks.",
                "short",
                or_zero('count(ALERTS{alertstate="firing"})'),
                (None, GOOD),
                (1, WARN),
            ),
            stat(
                "Counting behind",
                "How long the oldest uncounted record has waited.",
                "s",
                "max(presstally_consumer_lag_seconds)",
                (None, GOOD),
                (10, WARN),
                (60, BAD),
            ),
            stat(
                "On the collectors' disks",
                "Accepted page views that Kafka does not have yet. They are safe, and not counted yet.",
                "bytes",
                "sum(presstally_spool_bytes)",
                (None, GOOD),
                (1, WARN),
            ),
        ],
        "Promises of 30 days": [
            stat(
                f"{title}: budget left",
                f"{says} At the pace of the last three days, so much of the error budget is left; below 0 it is spent.",
                "percentunit",
                budget(name),
                (None, BAD),
                (0, WARN),
                (0.5, GOOD),
                width=6,
            )
            for title, says, name in (
                ("Collecting", "99.9 % of page views are answered without error.", "collect_errors"),
                ("Collecting fast", "99 % of page views are kept within 100 ms.", "collect_latency"),
                ("Reading", "99.9 % of pages and counters are answered without error.", "read_errors"),
                ("Fresh counts", "99 % of batches are counted within 30 s.", "freshness"),
            )
        ],
        "Flow": [
            Panel(
                "Accepted and counted",
                "Events a second that collectors accepted, and that counters read. They lie on each other.",
                "cps",
                {
                    "accepted": f'sum(rate(presstally_collect_events_total{{{SITE},result=~"accepted|bot"}}[{I}]))',
                    "counted": f"sum(rate(presstally_consume_events_total{{{SITE}}}[{I}]))",
                },
            ),
            Panel(
                "From event to commit",
                "How old the newest event of a batch is when its counts are committed.",
                "s",
                quantiles("presstally_event_delay_seconds"),
            ),
            Panel(
                "Counters of the sites",
                "Today's visits as readers see them. They fall at midnight and never else.",
                "short",
                {
                    "{{site}}": f'max by (site) (presstally_site_counter{{{SITE},measure="visits",window="today"}})',
                },
            ),
            Panel(
                "Requests",
                "Requests a second by service, those answered from memory included.",
                "reqps",
                {
                    "{{job}}": f"sum by (job) (rate(http_server_request_duration_seconds_count{{{OURS}}}[{I}]))",
                    "{{job}} at hand": f"sum by (job) (rate(http_server_answers_at_hand_total{{{OURS}}}[{I}]))",
                },
            ),
            Panel(
                "Errors",
                "Answers with 5xx a second by service.",
                "reqps",
                {
                    "errors": or_zero(
                        f'sum(rate(http_server_request_duration_seconds_count{{{OURS},code=~"5.."}}[{I}]))'
                    ),
                },
            ),
            Panel(
                "Live streams",
                "Open streams of counters, and readers a second that were sent away for want of room.",
                "short",
                {
                    "open": "sum(presstally_live_streams)",
                    "sent away": or_zero(f"sum(rate(presstally_counter_refusals_total[{I}]))"),
                },
            ),
        ],
        "What runs": [
            Panel(
                "Versions",
                "What runs. Two versions of a service side by side are a rollout, or a forgotten replica.",
                "short",
                {"{{service}} {{version}}": "sum by (service, version) (presstally_build_info)"},
                "bargauge",
                8,
                7,
            ),
            Panel(
                "Up",
                "Replicas that answer, by service.",
                "short",
                {"{{job}}": f"sum by (job) (up{{{OURS}}})"},
                width=8,
                height=7,
            ),
            Panel(
                "Tasks that failed",
                "Background tasks that ended in an error. Each one stops its process, which is started again.",
                "short",
                {"failed": or_zero("sum(presstally_task_failures_total)")},
                width=8,
                height=7,
            ),
        ],
    },
)

COLLECT = 'job="ingest",route=~"/e|/e/batch|/p.gif"'
COLLECTOR = Board(
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
                quantiles("presstally_publish_duration_seconds"),
            ),
            Panel(
                "Events in a flight",
                "How many events share an acknowledgement: more under load, which is what makes it cheap.",
                "short",
                quantiles("presstally_publish_flight_events"),
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

COUNTING = Board(
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
                {"{{result}}": f"sum by (result) (rate(presstally_consume_events_total{{{SITE}}}[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Dead letters",
                "Records that could not be read, by topic. `python -m services.stats dlq list` shows them.",
                "short",
                {"{{topic}}": or_zero("sum by (topic) (presstally_dead_letters_total)")},
            ),
            Panel(
                "Lost before they were counted",
                "Records that Kafka deleted too early. Anything above 0 is a loss, and stands in stats.gaps.",
                "short",
                {"lost": "sum(presstally_consumer_gap_records_total)"},
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
                {"{{code}}": f'sum by (code) (rate(http_server_answers_at_hand_total{{job="stats"}}[{I}]))'},
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
                    "{{reason}}": or_zero(f"sum by (reason) (rate(presstally_counter_refusals_total[{I}]))"),
                },
            ),
        ],
        "Processes": resources("stats"),
    },
)

PUBLISHING = Board(
    "presstally-publishing",
    "Presstally: publishing",
    "From an editor's click to the page that readers get.",
    {
        "From click to page": [
            Panel(
                "From publication to live",
                "From the commit of a publication to the portal's word that readers get it.",
                "s",
                quantiles("presstally_publish_to_live_seconds"),
            ),
            Panel(
                "From save to page",
                "From the editor's save to the committed page, as the builder sees it.",
                "s",
                quantiles("presstally_publish_delay_seconds"),
            ),
            Panel(
                "Rendering",
                "From an article in hand to its pages committed.",
                "s",
                quantiles("presstally_render_duration_seconds"),
            ),
        ],
        "Editors": [
            Panel(
                "What editors do",
                "Accepted changes by action.",
                "short",
                {"{{action}}": f"sum by (action) (increase(presstally_article_changes_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Articles rendered",
                "Versions that the builder read, by what became of them.",
                "short",
                {"{{result}}": f"sum by (result) (increase(presstally_articles_rendered_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Outbox and schedule",
                "Committed messages that Kafka does not have, and how long the oldest due article waits.",
                "short",
                {
                    "messages": "max(presstally_outbox_pending_messages)",
                    "overdue, s": "max(presstally_schedule_overdue_seconds)",
                },
            ),
        ],
        "Images": [
            Panel(
                "Uploads",
                "Images that were uploaded whole, by what became of them.",
                "short",
                {"{{result}}": or_zero(f"sum by (result) (increase(presstally_media_uploads_total[{I}]))")},
                width=12,
            ),
            Panel(
                "Time for an image",
                "From an image in hand to its copies, with the wait for a free decoder.",
                "s",
                {
                    legend: f"({query} >= 0) or vector(0)"
                    for legend, query in quantiles("presstally_media_decode_seconds").items()
                },
                width=12,
            ),
        ],
        "The portal": [
            Panel(
                "Pages",
                "Pages a second by how they came. memory_alone means that Postgres is away.",
                "reqps",
                {"{{result}}": f"sum by (result) (rate(presstally_pages_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Time of a page",
                "From the request's first byte to the answer's last.",
                "s",
                quantiles("http_server_request_duration_seconds", 'job="render"'),
            ),
            Panel(
                "Memory of pages",
                "What the portal keeps in memory of pages that were made.",
                "bytes",
                {"{{instance}}": "presstally_page_cache_bytes"},
            ),
        ],
        "Processes": resources("render"),
    },
)

BOARDS = (OVERVIEW, COLLECTOR, COUNTING, PUBLISHING)

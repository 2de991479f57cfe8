"""The overview: is it well?"""

from deploy.grafana.boards.panels import BAD, GOOD, SERVICES, SITE, WARN, Dashboard, I, Panel, or_zero, quantiles, stat


def budget(name: str) -> str:
    """Return the share of the error budget that the last three days left, by the rate at which they burnt it."""
    return f"1 - presstally:slo_{name}:ratio_rate3d / (1 - presstally:slo_{name}:objective_ratio)"


OVERVIEW = Dashboard(
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
                or_zero(f"count(up{{{SERVICES}}} == 0)"),
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
                f"{description} Error budget left at the pace of the last three days; below 0 it is spent.",
                "percentunit",
                budget(name),
                (None, BAD),
                (0, WARN),
                (0.5, GOOD),
                width=6,
            )
            for title, description, name in (
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
                    "counted": f"sum(rate(presstally_events_processed_total{{{SITE}}}[{I}]))",
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
                    "{{job}}": f"sum by (job) (rate(http_server_request_duration_seconds_count{{{SERVICES}}}[{I}]))",
                    "{{job}} at hand": f"sum by (job) (rate(http_server_cached_responses_total{{{SERVICES}}}[{I}]))",
                },
            ),
            Panel(
                "Errors",
                "Answers with 5xx a second by service.",
                "reqps",
                {
                    "errors": or_zero(
                        f'sum(rate(http_server_request_duration_seconds_count{{{SERVICES},code=~"5.."}}[{I}]))'
                    ),
                },
            ),
            Panel(
                "Live streams",
                "Open streams of counters, and readers a second that were sent away for want of room.",
                "short",
                {
                    "open": "sum(presstally_live_streams)",
                    "sent away": or_zero(f"sum(rate(presstally_counter_rejections_total[{I}]))"),
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
                {"{{job}}": f"sum by (job) (up{{{SERVICES}}})"},
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

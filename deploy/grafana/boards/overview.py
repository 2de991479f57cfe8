"""The overview: health, SLOs, and what needs an operator."""

from deploy.grafana.boards.panels import BAD, GOOD, SERVICES, SITE, WARN, Dashboard, I, Panel, or_zero, quantiles, stat


def budget(name: str) -> str:
    """Return PromQL for the share of the error budget that is left at the burn rate of the last three days."""
    return f"1 - presstally:slo_{name}:ratio_rate3d / (1 - presstally:slo_{name}:objective_ratio)"


OVERVIEW = Dashboard(
    "presstally-overview",
    "Presstally: overview",
    "Health at a glance: visitors, SLOs, delays, and what needs an operator.",
    {
        "Now": [
            stat(
                "Visitors online",
                "Distinct visitors of the last 300 s, as the public counter shows them.",
                "short",
                f'sum(max by (site) (presstally_site_traffic{{{SITE},window="online"}}))',
            ),
            stat(
                "Visits today",
                "Visits since the site's midnight.",
                "short",
                f'sum(max by (site) (presstally_site_traffic{{{SITE},measure="visits",window="today"}}))',
            ),
            stat(
                "Targets down",
                "Processes that Prometheus cannot scrape.",
                "short",
                or_zero(f"count(up{{{SERVICES}}} == 0)"),
                (None, GOOD),
                (1, BAD),
            ),
            stat(
                "Alerts firing",
                "Number of firing alerts. Each has a runbook in docs/runbooks.",
                "short",
                or_zero('count(ALERTS{alertstate="firing"})'),
                (None, GOOD),
                (1, WARN),
            ),
            stat(
                "Counting lag",
                "Age of the oldest uncounted record.",
                "s",
                "max(presstally_consumer_lag_seconds)",
                (None, GOOD),
                (10, WARN),
                (60, BAD),
            ),
            stat(
                "Spooled events",
                "Accepted page views that are not in Kafka yet. They are safe on disk, but not counted yet.",
                "bytes",
                "sum(presstally_spool_bytes)",
                (None, GOOD),
                (1, WARN),
            ),
        ],
        "SLOs (30 d)": [
            stat(
                f"{title}: budget left",
                f"{description} Error budget left at the burn rate of the last three days; below 0 it is spent.",
                "percentunit",
                budget(name),
                (None, BAD),
                (0, WARN),
                (0.5, GOOD),
                width=6,
            )
            for title, description, name in (
                ("Collector availability", "99.9 % of page views are answered without error.", "collect_errors"),
                ("Collector latency", "99 % of page views are accepted within 100 ms.", "collect_latency"),
                ("Portal availability", "99.9 % of pages and counters are answered without error.", "read_errors"),
                ("Count freshness", "99 % of batches are counted within 30 s.", "freshness"),
            )
        ],
        "Flow": [
            Panel(
                "Accepted and counted events",
                "Events per second accepted by collectors and processed by counters. Both lines should coincide.",
                "cps",
                {
                    "accepted": f'sum(rate(presstally_collect_events_total{{{SITE},result=~"accepted|bot|own"}}[{I}]))',
                    "counted": f"sum(rate(presstally_events_processed_total{{{SITE}}}[{I}]))",
                },
            ),
            Panel(
                "Arrival to commit",
                "Time from the arrival of an event in Kafka until its count is committed.",
                "s",
                quantiles("presstally_event_delay_seconds"),
            ),
            Panel(
                "Visits today by site",
                "Today's visits as the public counter shows them. They drop to 0 at midnight, and at no other time.",
                "short",
                {
                    "{{site}}": f'max by (site) (presstally_site_traffic{{{SITE},measure="visits",window="today"}})',
                },
            ),
            Panel(
                "Requests",
                "Requests per second by service, including cached responses.",
                "reqps",
                {
                    "{{job}}": f"sum by (job) (rate(http_server_request_duration_seconds_count{{{SERVICES}}}[{I}]))",
                    "{{job}} cached": f"sum by (job) (rate(http_server_cached_responses_total{{{SERVICES}}}[{I}]))",
                },
            ),
            Panel(
                "Errors",
                "Responses with 5xx per second, all services together.",
                "reqps",
                {
                    "errors": or_zero(
                        f'sum(rate(http_server_request_duration_seconds_count{{{SERVICES},code=~"5.."}}[{I}]))'
                    ),
                },
            ),
            Panel(
                "Live streams",
                "Open counter streams, and requests per second rejected at the limit.",
                "short",
                {
                    "open": "sum(presstally_live_streams)",
                    "rejected": or_zero(f"sum(rate(presstally_widget_rejections_total[{I}]))"),
                },
            ),
        ],
        "Deployment": [
            Panel(
                "Versions",
                "Running replicas by version. Two versions of a service mean a rollout, or a forgotten replica.",
                "short",
                {"{{service}} {{version}}": "sum by (service, version) (presstally_build_info)"},
                "bargauge",
                8,
                7,
            ),
            Panel(
                "Up",
                "Replicas that answer Prometheus, by service.",
                "short",
                {"{{job}}": f"sum by (job) (up{{{SERVICES}}})"},
                width=8,
                height=7,
            ),
            Panel(
                "Failed background tasks",
                "Background tasks that ended in an error. Each one stops its process, which is then restarted.",
                "short",
                {"failed": or_zero("sum(presstally_task_failures_total)")},
                width=8,
                height=7,
            ),
        ],
    },
)

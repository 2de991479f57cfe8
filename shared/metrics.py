"""Metrics that every process has. Names follow Prometheus: base units, `_total`, no path or id as a label."""

from prometheus_client import Counter, Gauge, Histogram

HTTP_SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Time from the request's first byte to the answer's last; streams are left out.",
    ["method", "route", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
HTTP_AT_HAND = Counter(
    "http_server_answers_at_hand_total",
    "Requests answered from memory before any routing; they are not in the durations.",
    ["route", "code"],
)
BUILD_INFO = Gauge("presstally_build_info", "Always 1; the labels tell what is running.", ["version", "service"])
TASK_FAILURES = Counter("presstally_task_failures_total", "Background tasks that ended in an error, by name.", ["task"])
DEAD_LETTERS = Counter(
    "presstally_dead_letters_total", "Records that went to the dead letters of their topic.", ["topic"]
)
LOOP_LAG = Histogram(
    "presstally_event_loop_lag_seconds",
    "How much later than asked for the event loop woke a task, looked at four times a second.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
POOL = Gauge(
    "presstally_db_pool_connections", "Connections to Postgres by state: used, idle, and max, the bound.", ["state"]
)

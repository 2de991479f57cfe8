"""Metrics that every process has. Names follow Prometheus: base units, `_total`, no path or id as a label."""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from shared.memory_limit import read_memory

disable_created_metrics()  # type: ignore[no-untyped-call]  # before any metric: a series more for each one, used by no panel

HTTP_SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Request duration, from the first byte received to the last byte sent; without streams.",
    ["method", "route", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
HTTP_CACHED_RESPONSES = Counter(
    "http_server_cached_responses_total",
    "Requests answered from a cache before any routing; not in the durations.",
    ["route", "code"],
)
BUILD_INFO = Gauge(
    "presstally_build_info", "Always 1; labelled with what is running.", ["version", "revision", "service"]
)
TASK_FAILURES = Counter("presstally_task_failures_total", "Background tasks that ended in an error, by name.", ["task"])
DEAD_LETTERS = Counter(
    "presstally_dead_letters_total", "Records sent to the dead-letter topic of their topic.", ["topic"]
)
TOPIC_DEVIATIONS = Gauge(
    "presstally_topic_deviations",
    "1 for each property of a topic that is not as it must be, as `presstally topics check` prints them.",
    ["topic", "property"],
)
LOOP_LAG = Histogram(
    "presstally_event_loop_lag_seconds",
    "Delay of the event loop in waking a task, sampled once a second.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
POOL = Gauge("presstally_db_pool_connections", "Connections to Postgres by state: used, idle, max.", ["state"])
MEMORY_USED = Gauge(
    "presstally_memory_used_bytes",
    "Memory in use within the limit of this container or unit, without droppable page cache; 0 without a limit.",
)
MEMORY_LIMIT = Gauge("presstally_memory_limit_bytes", "The limit that the kernel sets; 0 without one.")
MEMORY_USED.set_function(lambda: read_memory()[0])
MEMORY_LIMIT.set_function(lambda: read_memory()[1])
SITES_RELOAD_SUCCESSFUL = Gauge(
    "presstally_sites_config_last_reload_successful",
    "Whether the sites' configuration that was read last is in use: 0 while a refused one waits to be corrected.",
)
SITES_RELOAD_SUCCESS = Gauge(
    "presstally_sites_config_last_reload_success_timestamp_seconds",
    "When the sites' configuration was last read and accepted.",
)


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe many values: each bucket that has some takes its lock once, and not once for each value."""
    bounds: list[float] = histogram._upper_bounds  # noqa: SLF001 - there is no public way
    found: dict[int, int] = {}
    for value in values:
        number = bisect_left(bounds, value)
        found[number] = found.get(number, 0) + 1
    for number, count in found.items():
        histogram._buckets[number].inc(count)  # noqa: SLF001
    histogram._sum.inc(sum(values))  # noqa: SLF001

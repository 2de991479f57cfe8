"""`python -m deploy.capacity --views-per-day N`: what to run for this traffic, computed from measurements.

The measurements come from the project's benchmarks (docs/scaling.md says how), on 2 CPU cores that the load generator
shared: a dedicated machine does more. Everything else is an option; the defaults are typical of a news portal.
"""

import argparse
import sys
from dataclasses import dataclass, fields
from math import ceil

DAY_SECONDS = 86_400
GIGABYTE = 1e9


@dataclass(frozen=True)
class Measured:
    """What one process did in the benchmarks."""

    collector_singles: float = 29_000
    """Requests with one event, per second."""
    collector_batched: float = 175_000
    """Events per second, sent in batches by servers."""
    counter_events: float = 367_000
    """Events per second; a consumer that only reads reaches 483,000 on the same machine."""
    counter_idle_bytes: float = 75e6
    visitor_bytes: float = 290
    """Memory of a counter per visitor of the last hour: a process with a million visitors uses 290 MB."""
    page_reads: float = 58_000
    """Pages of 25 kB per second from the page cache; 0.84 of a minimal application on the same server."""
    counter_reads: float = 66_000
    """Cached responses per second; 1.05 of a minimal application on the same server."""
    event_disk_bytes: float = 240
    """A view with article and referrer, in Kafka's log."""
    visitor_row_bytes: float = 130
    """A row of stats.visitor_days, including its index."""
    count_row_bytes: float = 330
    """A row of stats.counts, including its index: an article's counts of a day on a partition."""
    sum_row_bytes: float = 240
    """A row of stats.article_sums, including its index: an article's counts of 8 or 64 settled days."""
    article_bytes: float = 40_000
    """An article with its revisions, its search index and its message."""


@dataclass(frozen=True)
class Demand:
    """Traffic, content and retention."""

    views_per_day: float
    peak_factor: float = 5.0
    """The busiest minute relative to the mean of the day."""
    events_per_view: float = 3.0
    """View, pings and leave."""
    views_per_visitor: float = 4.0
    """Per day."""
    visitor_hours: float = 1.0
    pages: int = 100_000
    """Articles of the portal."""
    pages_read_per_day: int = 20_000
    """Distinct articles that are read on a day."""
    batched_share: float = 0.0
    """Share of the events that servers send in batches."""
    replication: int = 3
    retention_days: float = 7.0
    max_utilization: float = 0.5
    """Share of its capacity that a process may use at the peak."""


@dataclass(frozen=True)
class Prices:
    """Prices per month, in any currency."""

    per_processor: float = 20.0
    per_gigabyte_memory: float = 3.0
    per_gigabyte_disk: float = 0.10


@dataclass(frozen=True)
class Plan:
    """What to run. Rates are per second at the peak."""

    events: float
    views: float
    collectors: int
    counters: int
    partitions: int
    sites: int
    widgets: int
    counter_memory_gigabytes: float
    """All counters together."""
    kafka_megabytes: float
    """Written per second at the peak, all replicas together."""
    kafka_gigabytes: float
    postgres_gigabytes: float
    postgres_commits: float
    processors: float
    memory_gigabytes: float
    cost: float
    first_to_break: str


def plan(demand: Demand, measured: Measured = Measured(), prices: Prices = Prices()) -> Plan:
    """Return what the demand requires.

    Raises:
        ValueError: a value of the demand is out of range.
    """
    _check(demand)
    views = demand.views_per_day / DAY_SECONDS * demand.peak_factor
    events = views * demand.events_per_view
    single, batched = events * (1 - demand.batched_share), events * demand.batched_share
    loads = {
        "collector": single / measured.collector_singles + batched / measured.collector_batched,
        "counter": events / measured.counter_events,
        "site": views / measured.page_reads,
        "widget": views / measured.counter_reads,
    }
    # At least two of each, because one may fail; counters share the partitions.
    count = {name: max(2, ceil(load / demand.max_utilization)) for name, load in loads.items()}
    partitions = max(12, 12 * ceil(count["counter"] * 2 / 12))
    visitors_hour = views * 3600 / demand.views_per_visitor * demand.visitor_hours
    counter_memory = count["counter"] * measured.counter_idle_bytes + visitors_hour * measured.visitor_bytes
    event_bytes = measured.event_disk_bytes * demand.replication
    kafka_bytes = demand.views_per_day * demand.events_per_view * event_bytes * demand.retention_days
    visitors_day = demand.views_per_day / demand.views_per_visitor
    postgres_bytes = (
        visitors_day * 12 * measured.visitor_row_bytes  # visitors of twelve days
        # A year of article counts per day: one row for each partition with views of the article.
        + demand.pages_read_per_day * 365 * _partitions_per_article(demand, partitions) * measured.count_row_bytes
        + _sums_per_year(demand) * measured.sum_row_bytes
        + demand.pages * measured.article_bytes
    )
    # A busy counter commits each partition's batch, about ten times a second; with a small load they share commits.
    commits = min(partitions * 10.0, events)
    processors = sum(count.values()) + 2 * demand.replication + 4  # the brokers, and Postgres
    memory = counter_memory / GIGABYTE + 0.4 * (sum(count.values()) - count["counter"]) + 2 * demand.replication + 4
    return Plan(
        events=events,
        views=views,
        collectors=count["collector"],
        counters=count["counter"],
        partitions=partitions,
        sites=count["site"],
        widgets=count["widget"],
        counter_memory_gigabytes=counter_memory / GIGABYTE,
        kafka_megabytes=events * event_bytes / 1e6,
        kafka_gigabytes=kafka_bytes / GIGABYTE,
        postgres_gigabytes=postgres_bytes / GIGABYTE,
        postgres_commits=commits,
        processors=processors,
        memory_gigabytes=memory,
        cost=processors * prices.per_processor
        + memory * prices.per_gigabyte_memory
        + (kafka_bytes + postgres_bytes) / GIGABYTE * prices.per_gigabyte_disk,
        first_to_break=max(loads, key=lambda name: loads[name]),
    )


def _partitions_per_article(demand: Demand, partitions: int) -> float:
    """Return how many partitions have views of an article on a day: most articles have less than the mean, so half."""
    mean = demand.views_per_day / demand.pages_read_per_day if demand.pages_read_per_day else 0.0
    return min(float(partitions), max(1.0, mean / 2))


def _sums_per_year(demand: Demand) -> float:
    """Return how many sums of articles a year has: twice as many articles are read in a span as on one of its days."""
    return min(demand.pages, 2 * demand.pages_read_per_day) * (365 / 8 + 365 / 64) + demand.pages


def _check(demand: Demand) -> None:
    for one in fields(demand):
        value = getattr(demand, one.name)
        if not value >= 0 or (value == 0 and one.name not in {"pages", "pages_read_per_day", "batched_share"}):
            raise ValueError(f"{one.name} is {value}; it must be greater than 0")
    for name in ("batched_share", "max_utilization"):
        if getattr(demand, name) > 1:
            raise ValueError(f"{name} is {getattr(demand, name)}; it must be at most 1")


EXAMPLES = (
    ("a district, 2,000 views a day", Demand(2_000, pages=2_000, pages_read_per_day=300)),
    ("a province, 100,000", Demand(100_000, pages=30_000, pages_read_per_day=3_000)),
    ("a ministry, 5 million", Demand(5e6, pages=200_000, pages_read_per_day=20_000)),
    ("a national paper, 100 million", Demand(1e8, pages=1_000_000, pages_read_per_day=100_000)),
    ("1 billion", Demand(1e9, pages=2_000_000, pages_read_per_day=300_000)),
)
HEADS = ("portal", "events/s", "collectors", "counters", "partitions", "sites", "counters' memory", "Kafka", "Postgres")


def table() -> str:
    """Return the table of docs/scaling.md."""
    lines = ["| " + " | ".join(HEADS) + " |", "| --- " * len(HEADS) + "|"]
    for name, demand in EXAMPLES:
        one = plan(demand)
        cells = [name, f"{one.events:,.0f}", one.collectors, one.counters, one.partitions, one.sites]
        cells += [size(one.counter_memory_gigabytes), size(one.kafka_gigabytes), size(one.postgres_gigabytes)]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def size(gigabytes: float) -> str:
    """Return a size with a unit and two significant digits."""
    if gigabytes >= 1000:
        return f"{gigabytes / 1000:.2g} TB" if gigabytes < 100_000 else f"{gigabytes / 1000:,.0f} TB"
    if gigabytes >= 1:
        return f"{gigabytes:.0f} GB" if gigabytes >= 10 else f"{gigabytes:.1f} GB"
    return f"{gigabytes * 1000:.2g} MB" if gigabytes * 1000 < 100 else f"{gigabytes * 1000:.0f} MB"


def summary(one: Plan) -> str:
    """Return a plan as text."""
    return "\n".join(
        [
            f"at the peak      {one.views:,.0f} views and {one.events:,.0f} events per second",
            f"collectors       {one.collectors}",
            f"counters         {one.counters}, {size(one.counter_memory_gigabytes)} of memory in total",
            f"sites, widgets   {one.sites} and {one.widgets}",
            f"partitions       {one.partitions} (PRESSTALLY_PARTITIONS; choose before the first start)",
            f"Kafka            {size(one.kafka_gigabytes)} of disk and {one.kafka_megabytes:,.1f} MB/s, all replicas",
            f"Postgres         {size(one.postgres_gigabytes)} of disk, {one.postgres_commits:,.0f} commits/s at most",
            f"total            {one.processors:,.0f} processors, {one.memory_gigabytes:,.0f} GB of memory",
            f"per month        {one.cost:,.0f} at the given prices",
            f"first bottleneck {one.first_to_break}",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Print a plan, or the table of the documentation."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description="What to run for a given traffic.")
    parser.add_argument("--table", action="store_true", help="print the table of docs/scaling.md")
    for kind in (Demand, Prices):
        for one in fields(kind):
            default = None if one.name == "views_per_day" else one.default
            parser.add_argument(
                f"--{one.name.replace('_', '-')}", type=float, default=default, help=f"default: {default}"
            )
    given = vars(parser.parse_args(arguments))
    if given["table"]:
        print(table())
        return 0
    if given["views_per_day"] is None:
        parser.error("--views-per-day is missing")
    demand = Demand(**{one.name: given[one.name] for one in fields(Demand)})
    prices = Prices(**{one.name: given[one.name] for one in fields(Prices)})
    try:
        print(summary(plan(demand, prices=prices)))
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())

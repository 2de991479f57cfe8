"""Role `widget`: the public read API, live streams and the statistics page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.routing import Route

from services.stats.counter_api.counted_position import CountedPosition
from services.stats.counter_api.counter_cache import CounterCache
from services.stats.counter_api.endpoints import FORMS, CounterEndpoints, widget_script
from services.stats.counter_api.live_stream import LiveStreams
from services.stats.counter_api.prometheus_exporter import run_exporter
from services.stats.queries import STATISTICS_SQL
from services.stats.settings import StatsSettings
from services.stats.statistics.overview import OverviewRoutes
from services.stats.statistics.routes import StatisticsRoutes
from shared.postgres import open_pool
from shared.process import raise_open_files_limit
from shared.role import Process, Role
from shared.structure_watch import StructureWatch

COUNTER_READS_MAX = 4
"""Connections to Postgres for counters: articles have two of them at most."""
RESERVED_FILES = 500
"""Open files that are not streams."""


@asynccontextmanager
async def run_widget(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public read side."""
    url = settings.database_url.get_secret_value()
    sites = process.follow_sites(settings)
    # A separate pool with short statements: other reads of this process never wait for counters, nor counters for them.
    pool = await open_pool(url, role="presstally_stats", size=COUNTER_READS_MAX, statement_timeout_seconds=2)
    counters = CounterCache(pool, sites, process)
    live = LiveStreams(
        counters,
        CountedPosition(pool),
        process,
        streams_max=min(settings.live_streams_max, raise_open_files_limit() - RESERVED_FILES),
        per_address_max=settings.live_streams_per_address,
    )
    endpoints = CounterEndpoints(sites, counters, live, settings.trusted_proxies)
    statistics_pool = await open_pool(url, role="presstally_stats", size=4, statement_timeout_seconds=10)
    statistics = StatisticsRoutes(statistics_pool, sites, settings.read_statistics_tokens)
    overview = OverviewRoutes(counters, sites, lambda: statistics.auth)
    structures = StructureWatch(
        statistics_pool, sites, STATISTICS_SQL["structure_versions"], STATISTICS_SQL["structures"]
    )
    following = process.spawn(structures.run(), "structure of sites")
    exporting = process.spawn(run_exporter(counters, sites), "site counters for Prometheus")
    try:
        yield Role(
            "widget",
            direct=endpoints.serve_direct,
            routes=[
                Route("/stats/widget.js", widget_script),
                *(Route(f"/stats/{{site}}/counter{form}", partial(endpoints.counter, form=form)) for form in FORMS),
                *(
                    Route(f"/stats/{{site}}/articles/{{article}}/counter{form}", partial(endpoints.counter, form=form))
                    for form in FORMS
                ),
                Route("/stats/{site}/live", endpoints.live),
                Route("/stats", overview.without_slash),
                Route("/stats/", statistics.limited(overview.page)),
                Route("/stats/sites.json", statistics.limited(overview.json)),
                *statistics.routes,
            ],
            not_ready=lambda: [counters.problem] if counters.problem else [],
        )
    finally:
        exporting.cancel()
        following.cancel()
        pool.terminate()
        statistics_pool.terminate()

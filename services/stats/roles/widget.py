"""Role `widget`: the public read API, live streams and the statistics page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.routing import Route

from services.stats.counter_api.counter_cache import Counters
from services.stats.counter_api.endpoints import FORMS, Widget, _script
from services.stats.counter_api.live_stream import Live
from services.stats.counter_api.prometheus_exporter import export_forever
from services.stats.settings import StatsSettings
from services.stats.statistics.routes import Statistics
from shared.postgres import open_pool
from shared.process import raise_open_files_limit
from shared.role import Process, Role
from shared.sites import read_sites

COUNTER_READS_MAX = 4
"""Connections to Postgres for counters: articles have two of them at most."""


FILES_KEPT = 500
"""Open files that are not streams."""


@asynccontextmanager
async def run_widget(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public read side."""
    url = settings.database_url.get_secret_value()
    sites = read_sites(settings.sites)
    # A pool of its own and short statements: what else this process reads never waits for counters, nor they for it.
    pool = await open_pool(url, role="presstally_stats", size=COUNTER_READS_MAX, statement_timeout_seconds=2)
    counters = Counters(pool, sites, process)
    live = Live(
        counters,
        process,
        streams_max=min(settings.live_streams_max, raise_open_files_limit() - FILES_KEPT),
        per_address_max=settings.live_streams_per_address,
    )
    here = Widget(sites, counters, live, settings.trusted_proxies)
    own = await open_pool(url, role="presstally_stats", size=4, statement_timeout_seconds=10)
    statistics = Statistics(own, sites, settings.statistics_tokens.get_secret_value(), settings.public_url)
    exporting = process.spawn(export_forever(counters, sites), "site counters for Prometheus")
    try:
        yield Role(
            "widget",
            cached_response=here.cached_response,
            routes=[
                Route("/stats/widget.js", _script),
                *(Route(f"/stats/{{site}}/counter{form}", partial(here.counter, form=form)) for form in FORMS),
                *(
                    Route(f"/stats/{{site}}/articles/{{article}}/counter{form}", partial(here.counter, form=form))
                    for form in FORMS
                ),
                Route("/stats/{site}/live", here.live),
                *statistics.routes,
            ],
            not_ready=lambda: [counters.problem] if counters.problem else [],
        )
    finally:
        exporting.cancel()
        pool.terminate()
        own.terminate()

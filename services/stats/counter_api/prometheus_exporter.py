"""The counters of sites in Prometheus. Each process exports the same: use `max by (site, measure, window)`."""

import asyncio
from typing import get_args

from services.stats.counter_api.counter_cache import CounterCache, CounterKey, CountsUnavailable
from services.stats.metrics import SITE_COUNTER
from shared.events import Measure
from shared.sites import Sites

EXPORT_SECONDS = 15.0
RETRY_SECONDS = 1.0


async def run_exporter(counters: CounterCache, sites: Sites) -> None:
    """Update `presstally_site_traffic` of all sites, until cancelled."""
    sites.on_change(SITE_COUNTER.clear)  # those of a removed site would stay
    while True:
        is_known = await export(counters, sites)
        await asyncio.sleep(EXPORT_SECONDS if is_known else RETRY_SECONDS)


async def export(counters: CounterCache, sites: Sites) -> bool:
    """Set the gauges of all sites, or remove all while Postgres is unavailable: a gap is better than an old value.

    Returns:
        Whether they are set.
    """
    gauges: dict[tuple[str, str, str], int] = {}
    try:
        for slug in sites:
            for measure in get_args(Measure):
                counter = await counters.refresh(CounterKey(slug, None, measure, "calendar"))
                gauges[slug, measure, "today"] = counter.today
                gauges[slug, measure, "week"] = counter.week
                gauges[slug, measure, "total"] = counter.total
                gauges[slug, "visitors", "online"] = counter.online
    except CountsUnavailable:
        SITE_COUNTER.clear()
        return False
    for labels, value in gauges.items():
        SITE_COUNTER.labels(*labels).set(value)
    return True

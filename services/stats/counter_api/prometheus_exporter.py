"""The sites' own counters in Prometheus. The same from each process: take `max by (site, measure, window)`."""

import asyncio
from typing import get_args

from services.stats.counter_api.counter_cache import Away, CounterKey, Counters
from services.stats.metrics import SITE_COUNTER
from shared.events import Measure
from shared.sites import Sites

EXPORT_SECONDS = 15.0
RETRY_SECONDS = 1.0


async def export_forever(counters: Counters, sites: Sites) -> None:
    """Renew `presstally_site_counter` of all declared sites, for ever."""
    while True:
        known = await export(counters, sites)
        await asyncio.sleep(EXPORT_SECONDS if known else RETRY_SECONDS)


async def export(counters: Counters, sites: Sites) -> bool:
    """Set the gauges of all sites, or take them all away when Postgres is away: a gap in a graph is no lie.

    Returns:
        Whether they are there now.
    """
    values: dict[tuple[str, str, str], int] = {}
    try:
        for slug in sites:
            for measure in get_args(Measure):
                numbers = await counters.look(CounterKey(slug, None, measure, "calendar"))
                values[slug, measure, "today"] = numbers.today
                values[slug, measure, "week"] = numbers.week
                values[slug, measure, "total"] = numbers.total
                values[slug, "visitors", "online"] = numbers.online
    except Away:
        SITE_COUNTER.clear()
        return False
    for labels, value in values.items():
        SITE_COUNTER.labels(*labels).set(value)
    return True

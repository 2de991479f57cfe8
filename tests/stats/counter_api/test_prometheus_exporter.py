"""Counters of sites in Prometheus: set for each measure, and removed during an outage."""

from typing import Any

from prometheus_client import REGISTRY

from services.stats.counter_api.counter_cache import CounterKey, CountsUnavailable
from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.prometheus_exporter import export
from shared.sites import Site, Sites

SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
NUMBERS = {"views": 300, "visits": 200, "visitors": 100}


class Counters:
    """A counter cache with fixed values, or an outage."""

    is_available = True

    async def refresh(self, key: CounterKey) -> CounterValues:
        if not self.is_available:
            raise CountsUnavailable
        number = NUMBERS[key.measure]
        return CounterValues(
            site=key.site,
            online=9,
            today=number + 1,
            week=number + 2,
            total=number + 3,
            measure=key.measure,
            window=key.window,
            timezone="Asia/Ho_Chi_Minh",
            as_of="2026-11-24T12:00:00+07:00",
        )


def gauge(measure: str, window: str) -> float | None:
    labels = {"site": "haihau", "measure": measure, "window": window}
    return REGISTRY.get_sample_value("presstally_site_traffic", labels)


async def test_export_sets_every_measure_and_removes_all_during_an_outage() -> None:
    """All windows of all measures are set; online is of visitors; an outage leaves no old value."""
    counters: Any = Counters()
    assert await export(counters, SITES)
    for measure, number in NUMBERS.items():
        assert [gauge(measure, window) for window in ("today", "week", "total")] == [number + 1, number + 2, number + 3]
    assert (gauge("visitors", "online"), gauge("views", "online")) == (9, None)
    counters.is_available = False
    assert not await export(counters, SITES)
    assert gauge("views", "total") is None

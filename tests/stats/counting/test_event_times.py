"""Local days and hours of events."""

from dataclasses import replace

import numpy as np

from services.stats.counting.decoding import RawBatch, decode
from services.stats.counting.event_times import hour_starts, local_days
from services.stats.local_calendar import day_start
from tests.stats.counting.test_rules import KATHMANDU, MINUTE, NOON, SITE, SITES, record


def test_days_and_hours_are_those_of_each_site() -> None:
    """Few and many events have the same days, and an hour begins with the minute with which the site's day does."""
    rows = [record(n, at=NOON + n * 7 * MINUTE, site=("haihau", "kathmandu")[n % 2]) for n in range(200)]
    batch = decode(RawBatch.of(rows), SITES)
    days = local_days(batch.at, batch)
    zones = [(SITE, KATHMANDU)[n % 2].zone for n in range(200)]
    assert days.tolist() == [day_start(at, zone) for at, zone in zip(batch.at.tolist(), zones, strict=True)]
    few = replace(batch, site=batch.site[:9])
    assert local_days(batch.at[:9], few).tolist() == days[:9].tolist()
    hours = hour_starts(batch.at // 1000, days)
    assert set(((hours - days) % 3_600).tolist()) == {0}
    assert (np.abs(batch.at // 1000 - hours) < 3_600).all()

"""The local days and hours of events, in the zones of their sites. Pure."""

import numpy as np

from services.stats.counting.decoding import EventBatch, Integers
from services.stats.counting.grouping import FEW_ROWS, dense_index
from services.stats.local_calendar import HOUR_SECONDS, QUARTER_SECONDS, day_start


def local_days(times: Integers, batch: EventBatch) -> Integers:
    """Return the start of the local day of each time, in the zone of its event's site."""
    if len(times) <= FEW_ROWS:
        zones = [batch.sites[number].zone for number in batch.site.tolist()]
        return np.array([day_start(at, zone) for at, zone in zip(times.tolist(), zones, strict=True)], np.int64)
    days = np.zeros(len(times), np.int64)
    quarters = times // (QUARTER_SECONDS * 1000)
    for number, site in enumerate(batch.sites):
        of_site = np.flatnonzero(batch.site == number)
        if len(of_site):
            found, inverse = dense_index(quarters[of_site])
            starts = [day_start(quarter * QUARTER_SECONDS * 1000, site.zone) for quarter in found.tolist()]
            days[of_site] = np.array(starts, np.int64)[inverse]
    return days


def hour_starts(seconds: Integers, days: Integers) -> Integers:
    """Return the start of the hour of each time; hours are counted from the start of the local day."""
    return seconds - (seconds - days) % HOUR_SECONDS

"""The local days that a rebuild counts again, and those that keep their counts. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.stats.counting.rules import CountDeltas
from services.stats.local_calendar import day_start

BEGINNING = -(2**53)
"""Before all days."""


def without_kept_days(deltas: CountDeltas, cuts: Mapping[str, int], ledger_cuts: Mapping[str, int]) -> CountDeltas:
    """Return the deltas without the days that are kept, and without dead letters, which were sent already."""

    def is_new(site: str, start: int) -> bool:
        return start >= cuts.get(site, BEGINNING)

    def is_new_in_ledger(site: str, start: int) -> bool:
        return start >= ledger_cuts.get(site, BEGINNING)

    return replace(
        deltas,
        day_counts=[one for one in deltas.day_counts if is_new(one.site, one.day)],
        bucket_counts=[one for one in deltas.bucket_counts if is_new(one.site, one.bucket_start)],
        daily_visitors=[one for one in deltas.daily_visitors if is_new(one.site, one.day)],
        ledger=type(deltas.ledger)(
            {key: events for key, events in deltas.ledger.items() if is_new_in_ledger(*key[:2])}
        ),
        referrers=type(deltas.referrers)({key: n for key, n in deltas.referrers.items() if is_new(*key[:2])}),
        evidence=[one for one in deltas.evidence if is_new(one.site, one.hour)],
        dead_letters=[],
    )


def next_day(timestamp_ms: int, zone: ZoneInfo) -> int:
    """Return the start of the first local day that begins at or after an instant."""
    start = day_start(timestamp_ms, zone)
    if start * 1000 >= timestamp_ms:
        return start
    noon_after = datetime.fromtimestamp(start, zone) + timedelta(days=1, hours=12)
    return day_start(int(noon_after.timestamp() * 1000), zone)

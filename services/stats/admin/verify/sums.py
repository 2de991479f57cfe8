"""Stored values that must add up, whatever the log still has. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import tzinfo

from services.stats.admin.reference_events import WHOLE_SITE, Bucket, day_start
from services.stats.admin.reference_values import Totals
from services.stats.admin.verify.values import Drift, SettledDays, StoredValues, VerifyReport

HOUR_SECONDS = 3_600
MEASURES = ("views", "visits", "visitors")


def check_sums(
    report: VerifyReport, stored: StoredValues, number: int, zone: Callable[[str], tzinfo], first_bucket: int
) -> None:
    """Check that totals of a partition are the sums of their days, days of their hours and 5m buckets, and so on.

    Args:
        report: Is extended.
        stored: From Postgres.
        number: Of the partition.
        zone: Returns the zone of a site.
        first_bucket: 5m buckets before it may be deleted.
    """
    settled = stored.settled.get(number, SettledDays())
    _check_counts(report, stored.counts[number], settled, number, zone=zone, first_bucket=first_bucket)
    _check_referrers(report, stored, number)


def check_visitors(
    report: VerifyReport, visitors: Mapping[Bucket, int], ids: Mapping[tuple[str, int], int], first_day: int
) -> None:
    """Check that the visitors of each day of a site are as many as their IDs.

    Args:
        report: Is extended.
        visitors: Bucket → visitors, over all partitions.
        ids: (site, local day) → how many IDs are stored.
        first_day: Visitor IDs of days before it may be deleted.
    """
    days = {
        (bucket.site, bucket.start): number
        for bucket, number in visitors.items()
        if bucket.grain == "day" and bucket.article == WHOLE_SITE and bucket.start >= first_day
    }
    for site, day in sorted(days.keys() | {key for key in ids if key[1] >= first_day}):
        stored, value = days.get((site, day), 0), ids.get((site, day), 0)
        report.check(Drift(site, WHOLE_SITE, "day", day, "visitors by their IDs", stored, value, value))


def check_settled_days(report: VerifyReport, settled: SettledDays, number: int, *, is_lost: bool) -> None:
    """Check that no number is below 0, and that there is none if the log has lost nothing of the partition."""
    for bucket, totals in sorted(settled.negative.items(), key=lambda one: one[0]):
        for measure in ("views", "visits", "visitors"):
            stored = getattr(totals, measure)
            place = (bucket.site, bucket.article, bucket.grain, bucket.start)
            report.check(Drift(*place, measure, stored, 0, max(0, stored), number))
    if not is_lost:
        for bucket, totals in sorted(settled.days.items(), key=lambda one: one[0]):
            place = (bucket.site, WHOLE_SITE, "day", bucket.start)
            report.check(Drift(*place, "views of articles before the log", totals.views, 0, 0, number))


def _check_counts(
    report: VerifyReport,
    counts: dict[Bucket, Totals],
    settled: SettledDays,
    number: int,
    *,
    zone: Callable[[str], tzinfo],
    first_bucket: int,
) -> None:
    sums = _sums_of(settled)
    old_hours: set[Bucket] = set()
    for bucket, totals in counts.items():
        if bucket.grain == "total":
            continue
        if bucket.grain == "day":
            _add(sums["days", bucket._replace(grain="total", start=0)], totals)
            if bucket.article:
                _add(sums["articles", bucket._replace(article=WHOLE_SITE)], totals)
            continue
        day = Bucket(bucket.site, WHOLE_SITE, "day", day_start(bucket.start * 1000, zone(bucket.site)))
        _add(sums[bucket.grain, day], totals)
        if bucket.grain == "hour" and (bucket.start - day.start) % HOUR_SECONDS and not bucket.start % HOUR_SECONDS:
            # Counted before hours were local ones, in a zone of half or quarter hours.
            following = day_start((bucket.start + HOUR_SECONDS) * 1000, zone(bucket.site))
            old_hours |= {day, day._replace(start=following)}
    for bucket, totals in sorted(counts.items(), key=lambda one: one[0]):
        if bucket.grain == "total":
            _check(report, "sum of its days", bucket, totals, sums["days", bucket], partition=number)
        elif bucket.grain == "day" and bucket.article == WHOLE_SITE:
            if bucket not in old_hours:
                _check(report, "sum of its hours", bucket, totals, sums["hour", bucket], partition=number)
            if bucket.start >= first_bucket:
                _check(report, "sum of its 5m buckets", bucket, totals, sums["5m", bucket], partition=number)
    for (part, bucket), totals in sorted(sums.items(), key=lambda one: one[0]):
        if part == "articles":
            site = counts.get(bucket, Totals())
            for measure in MEASURES:
                stored, most = getattr(totals, measure), getattr(site, measure)
                place = (bucket.site, WHOLE_SITE, "day", bucket.start)
                report.check(Drift(*place, f"{measure} of all articles", stored, 0, most, number))
        elif bucket not in counts and not (part == "hour" and bucket in old_hours):
            _check(report, f"sum of its {part}", bucket, Totals(), totals, partition=number)


def _sums_of(settled: SettledDays) -> defaultdict[tuple[str, Bucket], Totals]:
    sums: defaultdict[tuple[str, Bucket], Totals] = defaultdict(Totals)
    for part, of_days in (("days", settled.articles), ("articles", settled.days)):
        for bucket, totals in of_days.items():
            _add(sums[part, bucket], totals)
    return sums


def _check(report: VerifyReport, what: str, bucket: Bucket, totals: Totals, summed: Totals, *, partition: int) -> None:
    start = None if bucket.grain == "total" else bucket.start
    for measure in MEASURES:
        value = getattr(summed, measure)
        place = (bucket.site, bucket.article, bucket.grain, start)
        report.check(Drift(*place, f"{measure} as the {what}", getattr(totals, measure), value, value, partition))


def _check_referrers(report: VerifyReport, stored: StoredValues, number: int) -> None:
    visits: defaultdict[tuple[str, int], int] = defaultdict(int)
    for key, value in stored.referrers[number].items():
        visits[key.site, key.day] += value
    days = {
        (bucket.site, bucket.start): totals.visits
        for bucket, totals in stored.counts[number].items()
        if bucket.grain == "day" and bucket.article == WHOLE_SITE
    }
    for site, day in sorted(visits.keys() | days.keys()):
        value = days.get((site, day), 0)
        place = (site, WHOLE_SITE, "referrers", day)
        report.check(Drift(*place, "visits of all hosts", visits[site, day], value, value, number))


def _add(total: Totals, more: Totals) -> None:
    total.views += more.views
    total.visits += more.visits
    total.visitors += more.visitors

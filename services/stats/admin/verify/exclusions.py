"""The exclusions that the counts know, compared with what was entered and with the log. Pure."""

from collections.abc import Callable
from datetime import tzinfo

from services.stats.admin.reference_events import day_start
from services.stats.admin.verify.values import Drift, StoredExclusion, VerifyReport

KEPT_SECONDS = 12 * 86_400
COMPLETE_AFTER_SECONDS = 50 * 3_600
"""A day that begins so long after the lost records is counted again with its ledger, so that exclusions apply to it."""


def compare_exclusions(
    report: VerifyReport,
    exclusions: list[StoredExclusion],
    *,
    lost_until: int,
    newest: int,
    zone: Callable[[str], tzinfo],
) -> None:
    """Compare each exclusion. What was entered and not applied yet is a difference: a rebuild applies it.

    Args:
        report: Is extended.
        exclusions: With what the log expects of them.
        lost_until: Counted records from before are no longer in the log (seconds); 0 if all are.
        newest: Arrival of the newest counted record.
        zone: Returns the zone of a site.
    """
    for one in exclusions:
        day = day_start(one.row.begin * 1000, zone(one.row.site))
        if lost_until and day < lost_until + COMPLETE_AFTER_SECONDS:
            continue

        def check(measure: str, stored: int, expected: int, one: StoredExclusion = one) -> None:
            place = (one.row.site, f"exclusion {one.row.id}", "applied_exclusions", one.row.begin)
            report.check(Drift(*place, measure, stored, expected, expected))

        check("rows (run `stats rebuild`)", int(one.is_applied is not None), 1)
        check("out of the counts (run `stats rebuild`)", int(bool(one.is_applied)), int(one.is_standing))
        if one.is_standing and one.is_applied:
            check("visitors", one.number, len(one.expected))
            if day >= newest - KEPT_SECONDS:
                check("visitor IDs", len(one.visitors & one.expected), len(one.expected))
        check(
            "visitor IDs that are not in the log",
            len(one.visitors - one.expected) if one.is_standing else len(one.visitors),
            0,
        )

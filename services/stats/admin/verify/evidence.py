"""The evidence that is stored, compared with the log. Pure."""

from collections.abc import Callable
from datetime import tzinfo

from services.stats.admin.reference_events import day_start
from services.stats.admin.reference_evidence import EvidenceNumbers
from services.stats.admin.reference_values import PartitionValues
from services.stats.admin.verify.values import Drift, StoredValues, VerifyReport

KEPT_SECONDS = 12 * 86_400
NONE = EvidenceNumbers(0, 0, 0, 0, 0, 0, 0, 0, "")


def compare_evidence(
    report: VerifyReport,
    stored: StoredValues,
    must: PartitionValues,
    number: int,
    *,
    exact_from: int,
    zone: Callable[[str], tzinfo],
) -> None:
    """Compare the evidence of a partition, of the days that are still kept and that the log has completely.

    Args:
        report: Is extended.
        stored: From Postgres.
        must: From the log.
        number: Of the partition.
        exact_from: Days that begin later are in the log (seconds since 1970 UTC).
        zone: Returns the zone of a site.
    """
    progress = stored.partitions.get(number)
    if progress is not None:
        begin, end = progress.evidence_from, progress.next_offset
        report.check(Drift("", "", "offsets", None, "evidence_from", begin, 0, end, number))
    there, kept_from = stored.evidence[number], stored.newest_ms // 1000 - KEPT_SECONDS
    for key in sorted(there.keys() | must.evidence.keys()):
        if key.hour < kept_from or day_start(key.hour * 1000, zone(key.site)) < exact_from:
            continue
        found, expected = there.get(key, NONE), must.evidence.get(key, NONE)
        place, window = (key.site, f"agent {key.agent}", "evidence", key.hour), f"of window {key.window_index}"
        for measure, value in expected._asdict().items():
            if measure != "networks":
                report.check(Drift(*place, f"{measure} {window}", getattr(found, measure), value, value, number))
        differs = int(found.networks != expected.networks)
        report.check(Drift(*place, f"networks {window} that differ", differs, 0, 0, number))

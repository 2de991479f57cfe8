"""The sentences of `verify`."""

from services.stats.admin.reference_events import Bucket
from services.stats.admin.verify.command import drift_message
from services.stats.admin.verify.comparison import compare
from tests.stats.admin.test_reference_model import SITES, fold, record
from tests.stats.admin.verify.test_comparison import TODAY, stored_of, whole


def test_message_names_place_and_bounds() -> None:
    """The sentence has site, article, kind, local time and partition, and the bounds where there are any."""
    expected = fold(record(0, article="bai-1"))
    stored = stored_of(expected)
    stored.counts[0][Bucket("haihau", "bai-1", "day", TODAY)].views = 3
    (one,) = compare(stored, expected, whole(expected), SITES).drifts
    place = "haihau bai-1 day 2026-11-24T00:00:00+07:00 partition 0 views"
    assert drift_message(one, SITES) == f"{place}: expected 1, stored 3, drift +2"
    elsewhere = drift_message(one._replace(site="elsewhere", article="", partition=None), SITES)
    assert elsewhere.startswith("elsewhere (site) day 2026-11-23T17:00:00+00:00 views: expected 1")
    assert drift_message(one._replace(at_most=2), SITES) == f"{place}: expected 1 to 2, stored 3, drift +1"
    assert drift_message(one._replace(at_most=2**63, stored=0), SITES).endswith("at least 1, stored 0, drift -1")

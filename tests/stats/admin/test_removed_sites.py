"""Records of sites that were removed after they were counted."""

from services.stats.admin.removed_sites import RemovedSites
from tests.stats.counting.test_decoding import SITES, batch, value


def test_counted_records_of_a_removed_site_are_no_dead_letters() -> None:
    """The first ones of each partition are the counted ones; later ones, and those of unknown sites, are rejected."""
    removed = RemovedSites({(0, "cu"): 2}, SITES)
    records = batch(value(1), value(2, site="cu"), value(3, site="la"), value(4, site="cu"), value(5, site="cu"), None)
    found = removed.decode(0, records)
    assert found.offset.tolist() == [100]
    assert [one.dead_letter.offset for one in found.rejections] == [102, 104, 105]
    again = removed.decode(1, batch(value(6, site="cu")))
    assert len(again.rejections) == 1

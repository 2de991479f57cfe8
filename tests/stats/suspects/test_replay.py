"""A replayed day of access logs against its known truth, from the collector's functions to what is taken out."""

import pytest

from tests.stats.suspects.access_log import COMING, CRAWLERS, CROWDS, STAYING
from tests.stats.suspects.replay import replay

PART = 0.08


def test_replayed_day_is_counted_and_named_as_it_was() -> None:
    """Each crowd has its views, repetitions count once, midnight ends no visit, and programs are found."""
    found = replay(1, PART)
    for crowd, row in zip(CROWDS, found.crowds, strict=True):
        if crowd is not CRAWLERS:
            assert (row.counted_views, row.counted_visitors, row.bots) == (row.views, row.visitors, 0), row.kind
    of = {row.kind: row for row in found.crowds}
    assert of[STAYING.kind].visits * 2 == of[STAYING.kind].visitors
    assert of[COMING.kind].visits == of[COMING.kind].visitors
    programs, crawlers, repeated, midnight = found.found
    assert (programs.precision, crawlers.precision) == (pytest.approx(1, abs=0.002), 1)
    assert (programs.recall > 0.95, crawlers.recall > 0.88) == (True, True)
    for one in (repeated, midnight):
        assert (one.precision, one.recall) == (1, 1)

"""Marks of excluded visitors on the statistics page."""

from dataclasses import replace

import pytest

from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.page import Reader, marked_buckets, render_page
from services.stats.statistics.page_data import PageData
from services.stats.statistics.time_series import Counts, TimeSeries
from shared.sites import Site
from tests.shared import every_page

SITE = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
DAY = 86_400


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> PageData:
    """A page of three days, of which the second one has an exclusion."""
    seen: list[PageData] = []
    monkeypatch.setattr(every_page, "render_page", lambda data, *_: seen.append(data) or "")
    every_page.statistics(SITE)
    series = TimeSeries("day", [0, DAY, 2 * DAY, 3 * DAY], [Counts(1, 1, 1)] * 3, Counts(), 0)
    note = ExclusionNote(DAY + 3_600, 2 * DAY, 2 * DAY + 60, 40_000, True, "a fleet of An")
    return replace(seen[0], series=series, exclusions=[note])


def test_buckets_that_an_exclusion_touches_are_marked(numbers: PageData) -> None:
    """Its end is not in it; the page marks the row and lists it, with its reason for the owner only."""
    assert marked_buckets(numbers) == [False, True, False]
    for owner in (True, False):
        html = render_page(numbers, SITE, Reader(owner, not owner, "en"), SITE.origins[0], lambda **_: "?")
        assert html.count("<tr data-marked>") == 1
        assert "40,000 visitors turned out to be programs" in html
        assert ("a fleet of An" in html) is owner

"""The rows of an article: its visibility, lists and old URLs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.render.builder import projections
from services.render.pages.theme_check import sample_article
from shared.articles import UNDATED, Correction, sort_time
from shared.sites import Site

AT = datetime(2026, 3, 31, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = Site(slug="s", name="S", origins=["https://s.example"], timezone="Asia/Ho_Chi_Minh")


def article(**fields: Any) -> Any:
    times = {"modified_at": AT, "first_published_at": AT, "published_at": AT}
    return msgspec.structs.replace(sample_article("tin"), **{**times, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (projections.ALWAYS, projections.NEVER_ENDS)),
        ({"unpublish_at": AT + HOUR}, (projections.ALWAYS, AT + HOUR)),
        ({"embargo_until": AT + HOUR}, (AT + HOUR, projections.NEVER_ENDS)),
        ({"state": "killed"}, (None, projections.NEVER_ENDS)),
    ],
)
def test_visibility_window_of_each_state(fields: Any, expected: Any) -> None:
    """A published article is public at once or after its embargo, until its expiry; another one never."""
    assert projections.visibility_window(article(**fields)) == expected


def test_visibility_changes_are_the_future_times_in_order() -> None:
    """Embargo, expiry and the end of a feature change pages; the open ends of a window do not."""
    one = article(embargo_until=AT + HOUR, unpublish_at=AT + 4 * HOUR, pinned_until=AT + 2 * HOUR)
    assert projections.visibility_changes(one) == [AT + HOUR, AT + 2 * HOUR, AT + 4 * HOUR]
    assert projections.visibility_changes(article()) == []
    assert projections.featured_until(one) == AT + 2 * HOUR


def test_list_keys_use_the_sites_month() -> None:
    """An article is listed by section, tag, original and the month of its date in the site's zone."""
    one = article(also_in=["van-hoa"], tags=["Chợ phiên", "…"], translation_of="a-1")
    keys = {"section/tin", "section/van-hoa", "tag/cho-phien", "author/name", "translation/a-1", "month/2026-04"}
    keys |= {"kind/media", "corrections"}  # it has a video, and was corrected
    assert projections.list_keys(one, SITE).keys() == keys


def test_sort_time_of_undated_article_is_below_every_dated_one() -> None:
    """An article whose date is unknown comes after all others, and is in no month; one with a day is dated."""
    undated = article(published_at=None, date_precision="unknown")
    assert sort_time(undated) == UNDATED < sort_time(article())
    assert not any(key.startswith("month/") for key in projections.list_keys(undated, SITE))
    assert sort_time(article(date_precision="day")) == AT


def test_old_urls_are_paths_with_queries() -> None:
    """The host is dropped and escapes are decoded; the home page and invalid URLs are left out."""
    one = article(old_urls=["https://cu.example/a%20b.aspx?id=7", "/x", "https://cu.example/", "//[bad"])
    assert projections.old_urls(one) == ["/a b.aspx?id=7", "/x"]


def test_corrected_article_is_listed_by_its_last_correction() -> None:
    """In every other list it keeps its own place."""
    one = article(corrections=[Correction("x", AT + 2 * HOUR), Correction("y", AT + HOUR)])
    assert projections.list_time(one, projections.CORRECTIONS_LIST) == AT + 2 * HOUR
    assert projections.list_time(one, "section/tin") == sort_time(one)
    assert projections.CORRECTIONS_LIST not in projections.list_keys(article(corrections=[]), SITE)

"""What may be placed on the front page, and its order at a time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.front_page import arranged, checked, copy_at, order_at, reason_at
from shared.articles import Article
from shared.front_page import BreakingNews, FrontPage, FrontPageSlot
from shared.site_structure import SiteStructure

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
Build = Callable[..., Article]


def public(new_article: Build, number: int, **fields: Any) -> StoredArticle:
    at = NOW - timedelta(days=1) + timedelta(minutes=number)
    given = {"state": "published", "first_published_at": at, "published_at": at, "modified_at": at}
    live = new_article(id=f"a-{number}", number=number, **{**given, **fields})
    return StoredArticle(live, live)


def slot(number: int, hours: float = 5) -> FrontPageSlot:
    return FrontPageSlot(article=f"a-{number}", until=NOW + hours * HOUR)


def ordered(page: FrontPage, articles: list[StoredArticle], at: datetime) -> list[tuple[str, int]]:
    return [(one.source, one.article.number) for one in order_at(page, articles, at)]


def test_order_is_slots_then_featured_then_newest_each_once(new_article: Build) -> None:
    """As the portal's home page; at the end of a slot what follows moves up."""
    articles = [public(new_article, number) for number in range(1, 20)]
    articles.append(public(new_article, 20, pinned_until=NOW + 2 * HOUR))
    page = FrontPage(slots=[slot(3), slot(1, 1), slot(2)])
    found = ordered(page, articles, NOW)
    assert found[:6] == [("slot", 3), ("slot", 1), ("slot", 2), ("featured", 20), ("newest", 19), ("newest", 18)]
    assert len(found) == len({number for _, number in found}) == 13
    assert ordered(page, articles, NOW + HOUR)[:3] == [("slot", 3), ("slot", 2), ("featured", 20)]
    assert ordered(page, articles, NOW + 6 * HOUR)[0] == ("newest", 20)


def test_order_at_a_later_time_has_what_is_scheduled_and_lacks_what_ends(new_article: Build) -> None:
    """A scheduled copy takes its slot when it is due; a publication period that ends leaves the slot to the next."""
    due = new_article(id="a-1", number=1, state="scheduled", publish_at=NOW + HOUR)
    ending = public(new_article, 2, unpublish_at=NOW + 2 * HOUR)
    articles = [StoredArticle(due, None, scheduled=due), ending, public(new_article, 3)]
    page = FrontPage(slots=[slot(1), slot(2), slot(3)])
    numbers = [[number for _, number in ordered(page, articles, NOW + hours * HOUR)] for hours in (0, 1, 2)]
    assert numbers == [[2, 3], [1, 2, 3], [1, 3]]
    assert copy_at(articles[0], NOW) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"state": "unpublished"}, "withdrawn"),
        ({"state": "killed"}, "killed"),
        ({"unpublish_at": NOW}, "withdrawn"),
        ({"embargo_until": NOW + HOUR}, "scheduled"),
    ],
)
def test_reason_says_why_an_entry_is_not_shown(new_article: Build, fields: Any, reason: str | None) -> None:
    """Each state of an article has its reason; without one it is shown."""
    assert reason_at(public(new_article, 1, **fields), NOW + HOUR, NOW) == reason


def test_reason_of_drafts_ends_and_unknown_articles(new_article: Build) -> None:
    """A draft was never public; an end is the entry's own."""
    assert reason_at(StoredArticle(new_article(), None), NOW + HOUR, NOW) == "not_public"
    assert reason_at(public(new_article, 1), NOW, NOW) == "expired"
    assert reason_at(None, NOW + HOUR, NOW) == "unknown"


def test_checked_page_names_each_error(new_article: Build) -> None:
    """Twice the same article, an unknown or killed one, and ends in the past are named by their place."""
    articles = {one.head.id: one for one in (public(new_article, 1), public(new_article, 2, state="killed"))}
    bar = BreakingNews(text="x", article="a-9", until=NOW)
    sent = FrontPage(slots=[slot(1), slot(1), slot(2), slot(8), slot(1, -1)], breaking=bar)
    _, left_out, errors = checked(sent, FrontPage(), articles, NOW)
    assert left_out == []
    assert [one.field for one in errors] == [
        "slots.1.article",
        "slots.2.article",
        "slots.3.article",
        "slots.4.article",
        "breaking.article",
        "breaking.until",
    ]


def test_checked_page_leaves_out_what_has_ended_since_it_was_read(new_article: Build) -> None:
    """An editor who saves what was on the screen gets no error for entries that ended or were killed meanwhile."""
    articles = {one.head.id: one for one in (public(new_article, 1), public(new_article, 2, state="killed"))}
    bar = BreakingNews(text="x", until=NOW)
    before = FrontPage(version=7, slots=[slot(2), slot(3, -1), slot(1)], breaking=bar)
    page, left_out, errors = checked(before, before, articles, NOW)
    assert (page, left_out, errors) == (FrontPage(version=7, slots=[slot(1)]), ["a-2", "a-3"], [])


def test_arranged_structure_keeps_its_version_without_a_change() -> None:
    """The same page is no change; another one has the version of its structure."""
    structure = SiteStructure(site="haihau", version=5, modified_at=NOW)
    assert arranged(structure, FrontPage(version=3), 6) is structure
    assert arranged(structure, FrontPage(slots=[slot(1)]), 6).front_page == FrontPage(version=6, slots=[slot(1)])

"""Articles → the front page: who stands where, and in which layout."""

from datetime import timedelta

import pytest

from services.render.pages.front_page import AboveSections, BelowTheFold, above_sections, arranged, compose
from shared.articles import Article
from shared.sites import Section
from tests.browser.sample_portal import NOW, Media, article

MEDIA = Media({})


def listed(*pictures: int, first: int = 1) -> list[Article]:
    """Return articles, newest first; those whose place is named have a picture."""
    return [article(first + 10 - place, MEDIA if place in pictures else None) for place in range(max(pictures) + 6)]


def test_front_page_has_each_article_once_above_the_sections_and_the_latest_by_time() -> None:
    """Slots lead, then featured and newest articles; those without a picture's place follow the clock."""
    newest = [article(number, None) for number in range(40, 20, -1)]
    old = article(3, None, published_at=NOW - timedelta(days=99))
    above = above_sections([newest[5]], [old], newest)
    assert [one.number for one in above.articles] == [35, 3, 40, 39, 38, 37, 36, 34, 33, 32, 31, 30, 29]
    page = compose(above, BelowTheFold([]))
    assert page.lead is newest[5]
    assert [one.number for one in page.newest[page.cards :]] == [37, 36, 34, 33, 32, 31, 30, 29]


def test_front_page_without_articles_is_empty() -> None:
    """Nothing is above, and there is no strip of one story."""
    page = compose(AboveSections([], 4), BelowTheFold([], media=[article(1, MEDIA)]))
    assert (page.lead, page.newest, page.sections, page.media) == (None, [], [], ())


@pytest.mark.parametrize(
    ("sections", "layouts"),
    [
        ([listed(0)] * 4, ["large", "cards", "half", "half"]),
        ([listed(0)] * 5, ["large", "cards", "half", "half", "large"]),
        ([listed(0)] * 3, ["large", "cards", "large"]),
        ([listed(0), listed(0), listed(0), listed(0)[1:]], ["large", "cards", "large", "cards"]),
        ([listed(0)[1:]] * 4, ["cards", "cards", "half", "half"]),
        ([listed(0)[:2], listed(0)[:1], listed(0)], ["half", "half", "large"]),
        ([listed(0)[:1], listed(0)], ["cards", "large"]),
    ],
)
def test_sections_take_turns_and_stand_side_by_side_only_if_alike(
    sections: list[list[Article]], layouts: list[str]
) -> None:
    """A section without a picture is a row; a pair has pictures in both or in neither, and equally many articles."""
    blocks = arranged([(Section(f"s-{number}", "S"), articles) for number, articles in enumerate(sections)])
    assert [one.layout for one in blocks] == layouts
    assert [one.section.slug for one in blocks] == [f"s-{number}" for number in range(len(sections))]
    halves = [len(one.articles) for one in blocks if one.layout == "half"]
    assert len(set(halves)) <= 1


def test_sections_prefer_articles_with_pictures() -> None:
    """The large picture is the newest one; a row begins with those that have one."""
    articles = listed(2, 4)
    large, cards = arranged([(Section("a", "A"), articles), (Section("b", "B"), articles)])
    assert [articles.index(one) for one in large.articles] == [2, 0, 1, 3, 4]
    assert [articles.index(one) for one in cards.articles] == [2, 4, 0, 1]

"""Articles → the front page: what stands where, and in which layout. Pure.

Above the sections come the newsroom's slots, pinned and featured articles, and the newest ones; `shared/front_page.py`
has the rules. A section shows what is not above it, prefers articles with pictures, and has one of three layouts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.render.pages.page_data import BreakingBar, HomePage, SectionBlock
from shared.articles import Article, sort_time
from shared.front_page import home_size
from shared.sites import Section
from shared.structured_data import hosted_images

SECTIONS_MAX = 24
"""Sections on the front page, so that its size is bounded; the menu and the site map have all of them."""
SECTION_ARTICLES = 10
"""The newest articles of a section among which pictures are preferred."""
NOTICES_MAX = 5
MEDIA_MAX = 4
"""Photo and video stories in their strip."""
LATEST_MIN = 4
"""With fewer, the newest articles are a line below instead of a column beside the lead story."""
LARGE_ARTICLES, CARDS_ARTICLES, HALF_ARTICLES = 5, 4, 4

Layout = Literal["large", "cards", "half"]
_TURNS: tuple[Layout, ...] = ("large", "cards", "half")


@dataclass(frozen=True)
class AboveSections:
    """The articles above the sections, the lead story first, and how many of those after it have pictures."""

    articles: Sequence[Article]
    cards: int

    @property
    def ids(self) -> set[str]:
        """The ids of the articles."""
        return {one.id for one in self.articles}


@dataclass(frozen=True)
class BelowTheFold:
    """What a front page has besides the articles above the sections."""

    by_section: Sequence[tuple[Section, Sequence[Article]]]
    """Sections with their newest articles that are not above."""
    media: Sequence[Article] = ()
    """The newest photo and video stories."""
    notices: Sequence[Article] = ()


def above_sections(
    in_slots: Sequence[Article], featured: Sequence[Article], newest: Sequence[Article]
) -> AboveSections:
    """Return the articles above the sections, each once."""
    size, cards = home_size(len(in_slots))
    return AboveSections(list({one.id: one for one in (*in_slots, *featured, *newest)}.values())[:size], cards)


def compose(above: AboveSections, below: BelowTheFold, breaking: BreakingBar | None = None) -> HomePage:
    """Return the front page."""
    lead, cards, rest = above.articles[:1], above.articles[1 : above.cards + 1], above.articles[above.cards + 1 :]
    return HomePage(
        lead=lead[0] if lead else None,
        newest=[*cards, *sorted(rest, key=lambda one: (sort_time(one), one.number), reverse=True)],
        sections=arranged(below.by_section),
        cards=above.cards,
        breaking=breaking,
        media=below.media if len(below.media) > 1 else (),
        notices=below.notices,
    )


def arranged(by_section: Sequence[tuple[Section, Sequence[Article]]]) -> list[SectionBlock]:
    """Return sections in layouts that take turns: a large picture, a row of cards, and two sections side by side.

    Two sections stand side by side only if they are equally high: both with a picture, or both without, and both with
    few articles or both with more. A section without pictures, or that has few articles and no neighbour, is a row.
    """
    blocks: list[SectionBlock] = []
    rest, turn = list(by_section), 0
    while rest:
        (section, articles), layout = rest.pop(0), _TURNS[turn % len(_TURNS)]
        is_small = len(articles) < CARDS_ARTICLES
        turn += not is_small
        if (is_small or layout == "half") and rest and _are_alike(articles, rest[0][1]):
            pair = [(section, articles), rest.pop(0)]
            count = min(HALF_ARTICLES, *(len(listed) for _, listed in pair))
            blocks += [SectionBlock(one, picture_first(listed)[:count], "half") for one, listed in pair]
        elif layout == "cards" or len(articles) < LARGE_ARTICLES or not any(map(has_picture, articles)):
            blocks.append(SectionBlock(section, pictures_first(articles)[:CARDS_ARTICLES], "cards"))
        else:
            blocks.append(SectionBlock(section, picture_first(articles)[:LARGE_ARTICLES], "large"))
    return blocks


def _are_alike(some: Sequence[Article], others: Sequence[Article]) -> bool:
    def kind(articles: Sequence[Article]) -> tuple[bool, bool]:
        return any(map(has_picture, articles)), len(articles) < CARDS_ARTICLES

    return kind(some) == kind(others)


def has_picture(article: Article) -> bool:
    """Return whether the article has a picture that the portal serves."""
    return bool(hosted_images(article))


def picture_first(articles: Sequence[Article]) -> list[Article]:
    """Return articles with the first one that has a picture at their head; the others keep their order."""
    first = next((one for one in articles if has_picture(one)), None)
    return list(articles) if first is None else [first, *(one for one in articles if one is not first)]


def pictures_first(articles: Sequence[Article]) -> list[Article]:
    """Return those with pictures before those without; each group keeps its order."""
    return sorted(articles, key=lambda one: not has_picture(one))

"""The data of pages besides articles. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.articles import Article
from shared.front_page import CARDS
from shared.site_structure import StructureAuthor
from shared.sites import Section


@dataclass(frozen=True)
class RelatedArticles:
    """Links of an article's page: the next newer and older one, similar ones, translations, and cards in the text."""

    newer: Article | None = None
    older: Article | None = None
    similar: Sequence[Article] = ()
    translations: Sequence[Article] = ()
    inside: Mapping[str, Article] = field(default_factory=dict)
    """The public ones of those that the text shows as cards, by ID."""


@dataclass(frozen=True)
class BreakingBar:
    """The breaking-news bar above the home page."""

    text: str
    href: str
    """Where it leads; "" for nowhere."""
    until: datetime | None = None


@dataclass(frozen=True)
class SectionBlock:
    """Some articles of a section on the home page, and how they are laid out: `large`, `cards` or `half`."""

    section: Section
    articles: Sequence[Article]
    layout: str = "large"


@dataclass(frozen=True)
class HomePage:
    """The home page: the lead story, the articles after it, and some of each section."""

    lead: Article | None
    newest: Sequence[Article]
    sections: Sequence[SectionBlock]
    cards: int = CARDS
    """How many of `newest` have pictures; the others are the latest ones, in the order of time."""
    breaking: BreakingBar | None = None
    media: Sequence[Article] = ()
    """The newest photo and video stories."""
    notices: Sequence[Article] = ()


@dataclass(frozen=True)
class ListPage:
    """One page of a list."""

    articles: Sequence[Article]
    number: int = 1
    has_more: bool = False


@dataclass(frozen=True)
class ListInfo:
    """A list: its path, its title, and its kind (section, tag, author or archive)."""

    path: str
    title: str
    kind: str
    section: Section | None = None
    author: StructureAuthor | None = None

"""The values that pages are made of beside articles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.articles import Article
from shared.sites import Section


@dataclass(frozen=True)
class Around:
    """What stands around an article: the next newer and older of its section, what is like it, and translations."""

    newer: Article | None = None
    older: Article | None = None
    related: Sequence[Article] = ()
    translations: Sequence[Article] = ()


@dataclass(frozen=True)
class Part:
    """One page of a list that may have many."""

    articles: Sequence[Article]
    number: int = 1
    has_more: bool = False


@dataclass(frozen=True)
class ListOf:
    """What a list is of: its place, its title, and what it is called in one word."""

    path: str
    title: str
    kind: str
    section: Section | None = None

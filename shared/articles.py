"""The article as it travels on the topic `articles`: its whole state, with a rising version."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.events import ArticleId, SiteSlug

State = Literal["draft", "in_review", "approved", "scheduled", "published", "unpublished", "archived", "killed"]
InlineHtml = Annotated[str, Meta(max_length=10_000, description="sanitised: a, em, strong, br, sub, sup only")]


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph", tag_field="type"):
    """A paragraph of running text."""

    html: InlineHtml


class Heading(msgspec.Struct, frozen=True, tag="heading", tag_field="type"):
    """A heading inside the body; the title is the page's only h1."""

    html: InlineHtml
    level: Annotated[int, Meta(ge=2, le=4)] = 2


class Image(msgspec.Struct, frozen=True):
    """An image that the media store holds."""

    url: Annotated[str, Meta(max_length=2_000)]
    alt: Annotated[str, Meta(min_length=1, max_length=300)]
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]


class Figure(msgspec.Struct, frozen=True, tag="figure", tag_field="type"):
    """A picture with its caption. A page saved as text keeps the caption and loses the picture: image null."""

    caption: Annotated[str, Meta(max_length=500)]
    image: Image | None = None
    credit: Annotated[str, Meta(max_length=200)] | None = None


Block = Paragraph | Heading | Figure


class Source(msgspec.Struct, frozen=True):
    """Who wrote it first, as Vietnamese portals print it: "Theo Báo Nam Định"."""

    name: Annotated[str, Meta(min_length=1, max_length=150)]
    label: Annotated[str, Meta(max_length=40)] = "Theo"
    url: Annotated[str, Meta(max_length=2_000)] | None = None


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an article. `number` is the short public number in its URL; `id` never shows there."""

    id: ArticleId
    number: Annotated[int, Meta(ge=1, le=2**53)]
    site: SiteSlug
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    state: State
    title: Annotated[str, Meta(min_length=1, max_length=255)]
    slug: Annotated[str, Meta(min_length=1, max_length=100, pattern="^[a-z0-9-]+$")]
    section: Annotated[str, Meta(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
    language: str
    body: Annotated[list[Block], Meta(max_length=500)]
    modified_at: datetime
    first_published_at: datetime | None
    lead: Annotated[str, Meta(max_length=1_000)] = ""
    source: Source | None = None
    authors: list[str] = []
    tags: list[str] = []
    published_at: datetime | None = None
    """When its readers first saw it, wherever that was; None when nobody knows (an old page without a date)."""


def is_public(article: Article, now: datetime) -> bool:
    """Tell whether readers may see the article at `now`: the one rule for every surface."""
    return article.state == "published" and (article.first_published_at is None or article.first_published_at <= now)

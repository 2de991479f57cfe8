"""Response bodies of the structure of a site: sections, tags, authors, menus and static pages."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.articles import Block, Image
from shared.banners import Place
from shared.site_structure import MenuItem, PageKind


class SectionResponse(msgspec.Struct, kw_only=True):
    """A section, its former slugs, and how many articles name it."""

    slug: str
    name: str
    description: str
    version: int
    url: str
    former_slugs: list[str]
    articles: int
    public_articles: int


class UndeclaredSection(msgspec.Struct):
    """A section that articles name, and that the site does not have."""

    slug: str
    articles: int


class SectionList(msgspec.Struct, kw_only=True):
    """The sections of a site in their order."""

    site: str
    version: int
    sections: list[SectionResponse]
    undeclared: list[UndeclaredSection]


class TagResponse(msgspec.Struct, kw_only=True):
    """A tag: `name` is what pages show; `version` 0 means that only articles name it."""

    slug: str
    name: str
    version: int
    url: str
    former_slugs: list[str]
    spellings: list[str]
    articles: int
    public_articles: int


class TagList(msgspec.Struct, kw_only=True):
    """A page of tags, the most used first."""

    site: str
    version: int
    tags: list[TagResponse]
    next: str | None


class AuthorResponse(msgspec.Struct, kw_only=True):
    """An author; `version` 0 means that only bylines name it, and that it has no page."""

    slug: str
    name: str
    role: str
    bio: str
    photo: Image | None
    email: str
    email_is_public: bool
    version: int
    url: str | None
    former_slugs: list[str]
    spellings: list[str]
    articles: int
    public_articles: int


class AuthorList(msgspec.Struct, kw_only=True):
    """A page of authors, those with a page first."""

    site: str
    version: int
    authors: list[AuthorResponse]
    next: str | None


class MenuWarning(msgspec.Struct):
    """An entry of a menu that pages do not show, and why."""

    path: str
    reason: str


class MenuResponse(msgspec.Struct, kw_only=True):
    """A menu. Without one of its own, `is_default` is true: pages show the sections."""

    site: str
    name: str
    version: int
    is_default: bool
    items: list[MenuItem]
    warnings: list[MenuWarning]


class BannerEntry(msgspec.Struct, kw_only=True):
    """A banner; `reason` says why pages do not show it now: `not_yet` or `expired`."""

    id: str
    place: Place
    image: Image
    url: str
    is_advertisement: bool
    starts_at: datetime | None
    until: datetime | None
    reason: str | None


class BannerList(msgspec.Struct, kw_only=True):
    """The banners of a site in their order; `version` is 0 before there was any, and the ETag."""

    site: str
    version: int
    items: list[BannerEntry]
    left_out: list[str]
    """Of a change: IDs of those that had ended, and were left out."""


class StaticPageResponse(msgspec.Struct, kw_only=True):
    """A static page: its working copy, and the state of the published one."""

    id: str
    site: str
    version: int
    slug: str
    title: str
    description: str
    kind: PageKind
    language: str
    body: list[Block]
    old_slugs: list[str]
    created_at: datetime
    modified_at: datetime
    modified_by: str
    state: Literal["draft", "published", "withdrawn"]
    live_version: int | None
    has_changes: bool
    """The working copy is not what readers see."""
    url: str | None


class StaticPageRow(msgspec.Struct, kw_only=True):
    """A static page in a list, without its body."""

    id: str
    slug: str
    title: str
    kind: PageKind
    language: str
    version: int
    state: Literal["draft", "published", "withdrawn"]
    has_changes: bool
    modified_at: datetime
    modified_by: str
    url: str | None


class StaticPageList(msgspec.Struct, kw_only=True):
    """The static pages of a site by title."""

    site: str
    pages: list[StaticPageRow]


STRUCTURE_TYPES = (
    SectionResponse,
    SectionList,
    TagResponse,
    TagList,
    AuthorResponse,
    AuthorList,
    MenuResponse,
    BannerList,
    StaticPageResponse,
    StaticPageList,
)

"""The structure of a site as its newsroom edits it: sections, tags, authors and menus, with the slugs given up. Pure.

Articles keep the slug of the section that they were written for. A section that gets another slug, or that is merged
into another one, leaves an alias; everything that reads an article resolves its section, tags and authors through the
aliases of its site. So one message moves any number of articles at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from shared.articles import (
    NAME_CHARACTERS_MAX,
    TAG_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
    Article,
    Author,
    Block,
    Image,
    SectionSlug,
)
from shared.banners import Banners
from shared.events import SiteSlug
from shared.front_page import FrontPage
from shared.slugs import SLUG_CHARACTERS_MAX, name_slug

Kind = Literal["section", "tag", "author"]
KINDS: tuple[Kind, ...] = ("section", "tag", "author")
Version = Annotated[
    int, Meta(ge=1, le=2**53, description="milliseconds since 1970 of the change, or one more than the version before")
]
Slug = Annotated[str, Meta(min_length=1, max_length=SLUG_CHARACTERS_MAX, pattern="^[a-z0-9-]+$")]
SECTION_NAME_CHARACTERS_MAX = 80
DESCRIPTION_CHARACTERS_MAX = 500
BIO_CHARACTERS_MAX = 2_000
EMAIL_CHARACTERS_MAX = 200
SECTIONS_MAX = 200
TAGS_MAX = 5_000
"""Tags that an editor has declared, renamed or merged. All others are known from the articles only."""
AUTHORS_MAX = 1_000
ALIASES_MAX = 10_000
"""Of each kind."""
MENUS = ("main", "footer", "links")
MENU_ITEMS_MAX = 60
MENU_DEPTH_MAX = 2
STRUCTURE_BYTES_MAX = 640 * 1024
"""Of the structure as JSON without its front page: both are below the 1 MiB that Kafka takes."""
PAGE_PATH_PREFIX = "/trang/"
AUTHOR_PATH_PREFIX = "/tac-gia/"


class StructureSection(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the portal."""

    slug: SectionSlug
    name: Annotated[str, Meta(min_length=1, max_length=SECTION_NAME_CHARACTERS_MAX)]
    description: Annotated[str, Meta(max_length=DESCRIPTION_CHARACTERS_MAX)] = ""
    version: Version
    """Of the structure in which this entry last changed."""


class StructureTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag with the spelling that pages show, whatever articles have. Its slug is that of its name."""

    slug: Slug
    name: Annotated[str, Meta(min_length=1, max_length=TAG_CHARACTERS_MAX)]
    version: Version


class StructureAuthor(msgspec.Struct, frozen=True, kw_only=True):
    """A person or organisation with a page of its own. Its slug is that of its name, as bylines have it."""

    slug: Slug
    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    role: Annotated[str, Meta(max_length=60)] = ""
    bio: Annotated[str, Meta(max_length=BIO_CHARACTERS_MAX)] = ""
    photo: Image | None = None
    email: Annotated[str, Meta(max_length=EMAIL_CHARACTERS_MAX)] = ""
    email_is_public: bool = False
    """One that is not public stays in ingest's database."""
    version: Version


class MenuItem(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a menu, and those below it."""

    kind: Literal["home", "section", "tag", "page", "url"]
    target: Annotated[str, Meta(max_length=2_000)] = ""
    """Slug of a section or a tag, id of a static page, or the URL."""
    label: Annotated[str, Meta(max_length=80)] = ""
    """Default: the name of the target."""
    items: Annotated[list["MenuItem"], Meta(max_length=MENU_ITEMS_MAX)] = []
    until: datetime | None = None
    """When pages cease to show it, with those below it; None: never."""


class SiteStructure(msgspec.Struct, frozen=True, kw_only=True, tag="structure", tag_field="type"):
    """The whole structure of a site (topic `site-structure`, key: the site)."""

    site: SiteSlug
    version: Version
    modified_at: datetime
    sections: Annotated[list[StructureSection], Meta(max_length=SECTIONS_MAX)] = []
    """In the order of the menu."""
    tags: Annotated[list[StructureTag], Meta(max_length=TAGS_MAX)] = []
    authors: Annotated[list[StructureAuthor], Meta(max_length=AUTHORS_MAX)] = []
    menus: dict[str, list[MenuItem]] = {}
    """By name: `main`; `footer`; `links`, the quick links of the front page. A missing one has a default."""
    section_aliases: dict[str, str] = {}
    """Slugs given up by sections, each with the slug that has its articles now."""
    tag_aliases: dict[str, str] = {}
    author_aliases: dict[str, str] = {}
    front_page: FrontPage = FrontPage()
    banners: Banners = Banners()


PageKind = Literal["page", "organization", "contact"]
"""What a static page is for: pages of one kind in several languages are translations of each other."""


class StaticPage(msgspec.Struct, frozen=True, kw_only=True, tag="page", tag_field="type"):
    """A page that is no article, such as "Giới thiệu" (topic `site-structure`, key: SITE/page/ID)."""

    site: SiteSlug
    id: Annotated[str, Meta(min_length=1, max_length=64)]
    version: Version
    state: Literal["published", "withdrawn"]
    slug: Annotated[str, Meta(min_length=1, max_length=100, pattern="^[a-z0-9-]+$")]
    title: Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
    modified_at: datetime
    description: Annotated[str, Meta(max_length=DESCRIPTION_CHARACTERS_MAX)] = ""
    body: list[Block] = []
    old_slugs: Annotated[list[str], Meta(max_length=50)] = []
    """Slugs that it had before: they redirect to its page."""
    kind: PageKind = "page"
    language: Annotated[str, Meta(max_length=35)] = ""
    """BCP 47; empty: that of the site."""
    is_deleted: bool = False
    """It was deleted after it was public: its addresses are gone (410), and nothing brings it back."""


StructureMessage = SiteStructure | StaticPage
"""A value of the topic `site-structure`."""


def page_path(slug: str) -> str:
    """Return the path of a static page."""
    return f"{PAGE_PATH_PREFIX}{slug}.html"


def author_path(slug: str) -> str:
    """Return the path of an author's page."""
    return f"{AUTHOR_PATH_PREFIX}{slug}/"


def structure_key(site: str) -> str:
    """Return the key of a site's structure in the topic."""
    return site


def page_key(page: StaticPage) -> str:
    """Return the key of a static page in the topic."""
    return f"{page.site}/page/{page.id}"


def resolve_alias(aliases: Mapping[str, str], slug: str) -> str:
    """Return the slug that a slug stands for now. Aliases are followed, and end even if they form a cycle."""
    for _ in range(len(aliases)):
        following = aliases.get(slug)
        if following is None:
            break
        slug = following
    return slug


class PageLink(NamedTuple):
    """A static page, as menus and its translations link to it."""

    slug: str
    title: str
    kind: str = "page"
    language: str = ""


class StructureIndex:
    """The structure of a site, prepared for resolving articles.

    Args:
        structure: As it came in a message, or as it is stored.
        pages: The public static pages by id, where they are known.
    """

    def __init__(self, structure: SiteStructure, pages: Mapping[str, PageLink] | None = None) -> None:
        self.structure = structure
        self.pages = dict(pages or {})
        self.aliases: dict[Kind, dict[str, str]] = {
            "section": structure.section_aliases,
            "tag": structure.tag_aliases,
            "author": structure.author_aliases,
        }
        self.sections = {one.slug: one for one in structure.sections}
        self.tags = {one.slug: one for one in structure.tags}
        self.authors = {one.slug: one for one in structure.authors}
        self._former: dict[Kind, dict[str, list[str]]] = {kind: defaultdict(list) for kind in KINDS}
        for kind, aliases in self.aliases.items():
            for slug in sorted(aliases):
                self._former[kind][resolve_alias(aliases, slug)].append(slug)
        self.menu_tags = frozenset(
            self.current("tag", item.target)
            for menu in structure.menus.values()
            for item in _items_of(menu)
            if item.kind == "tag"
        )
        """Present slugs of the tags that menus link to: each has a page, also while no article has the tag."""
        self._is_plain = not (structure.section_aliases or self.tags or self.authors)

    @property
    def version(self) -> int:
        """The version of the structure."""
        return self.structure.version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StructureIndex) and self.structure == other.structure and self.pages == other.pages

    def __hash__(self) -> int:
        return hash((self.structure.site, self.structure.version))

    def current(self, kind: Kind, slug: str) -> str:
        """Return the slug that a slug stands for now: itself, unless it was given up."""
        return resolve_alias(self.aliases[kind], slug)

    def former(self, kind: Kind, slug: str) -> Sequence[str]:
        """Return the slugs that were given up for a slug, in alphabetical order."""
        return self._former[kind].get(slug, ())

    def list_keys(self, name: str) -> list[str]:
        """Return the lists that show what is in a list now: itself, and those of the slugs given up for it.

        Args:
            name: Such as section/tin-tuc, tag/nam-dinh or author/lan; others are only themselves.
        """
        kind, _, slug = name.partition("/")
        former = next((self._former[one].get(slug, ()) for one in KINDS if one == kind), ())
        return [name, *(f"{kind}/{one}" for one in former)]

    def tag_name(self, tag: str) -> str:
        """Return the spelling of a tag that pages show."""
        slug = self.current("tag", name_slug(tag))
        known = self.tags.get(slug)
        return known.name if known else tag

    def author(self, name: str) -> StructureAuthor | None:
        """Return the author of a byline, if the newsroom has declared one of that name."""
        return self.authors.get(self.current("author", name_slug(name)))

    def resolved(self, article: Article) -> Article:
        """Return an article with its section, tags and authors as they are called now."""
        if self._is_plain:
            return article
        section = self.current("section", article.section)
        others = dict.fromkeys(self.current("section", one) for one in article.also_in)
        resolved: dict[str, Any] = {
            "section": section,
            "also_in": [one for one in others if one != section or section in article.also_in],
            "tags": self.resolved_tags(article.tags) if self.tags else article.tags,
            "authors": self.resolved_authors(article.authors) if self.authors else article.authors,
        }
        changed = {name: value for name, value in resolved.items() if value != getattr(article, name)}
        return msgspec.structs.replace(article, **changed) if changed else article

    def resolved_tags(self, tags: Iterable[str]) -> list[str]:
        """Return tags in the spelling that pages show, each once."""
        found: dict[str, str] = {}
        for tag in tags:
            name = self.tag_name(tag)
            found.setdefault(name_slug(name) or name, name)
        return list(found.values())

    def resolved_authors(self, authors: Iterable[Author]) -> list[Author]:
        """Return bylines with the names that authors have now, each once."""
        found: dict[str, Author] = {}
        for author in authors:
            known = self.author(author.name)
            if known is not None and known.name != author.name:
                author = msgspec.structs.replace(author, name=known.name)  # noqa: PLW2901 - the same, renamed
            found.setdefault(author.name, author)
        return list(found.values())


def _items_of(menu: Iterable[MenuItem]) -> Iterator[MenuItem]:
    """Yield the entries of a menu, those of all levels."""
    for item in menu:
        yield item
        yield from _items_of(item.items)


def public_structure(structure: SiteStructure) -> SiteStructure:
    """Return a structure as it may leave ingest: without e-mail addresses that are not public."""
    authors = [
        one if one.email_is_public or not one.email else msgspec.structs.replace(one, email="")
        for one in structure.authors
    ]
    return structure if authors == structure.authors else msgspec.structs.replace(structure, authors=authors)

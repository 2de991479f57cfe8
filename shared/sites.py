"""The sites that this installation serves."""

from collections.abc import Awaitable, Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Annotated, Any, Literal, TypeVar, overload
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from shared.articles import Article
from shared.events import Measure, SiteSlug
from shared.origins import (
    host_of_origin,
    sent_host,
    sent_origin,
    without_port,
)
from shared.own_addresses import ADDRESSES_MAX
from shared.site_checks import WEEKDAYS
from shared.site_structure import SiteStructure, StructureIndex
from shared.slugs import name_slug

_Default = TypeVar("_Default")
TAG_AUTHORITY = (
    r"^(tag:([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[A-Za-z0-9._-]+@[a-z0-9.-]+)"
    r",\d{4}(-\d\d(-\d\d)?)?)?$"
)
"""The authority of a tag URI (RFC 4151): a host or mail address that was one's own on a date, and that date."""

HostName = Annotated[str, Meta(min_length=3, max_length=253)]
HubUrl = Annotated[str, Meta(max_length=500, pattern="^(https?://.+)?$")]


class SitesError(Exception):
    """The sites' configuration is invalid; the message lists every error."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the portal: its path segment and its name in the menu."""

    slug: Annotated[str, Meta(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    description: Annotated[str, Meta(max_length=500)] = ""


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One portal: its addresses, how it counts, and how it formats numbers and dates."""

    slug: SiteSlug
    name: Annotated[str, Meta(min_length=1, max_length=150)]
    origins: Annotated[list[str], Meta(min_length=1)]
    """The site's own addresses, as browsers send them; the first is its canonical one."""
    timezone: str
    identity: Annotated[str, Meta(max_length=300, pattern=TAG_AUTHORITY)] = ""
    """The authority and date of its articles' permanent ids: "tag:haihau.example,2026". Never to be changed."""
    language: str = "vi"
    first_weekday: str = "monday"
    thousands_separator: Annotated[str, Meta(max_length=1)] = ","
    default_measure: Measure = "visits"
    sections: list[Section] = []
    """Of the file only until the newsroom's own structure is known (`with_structure`)."""
    tagline: Annotated[str, Meta(max_length=200)] = ""
    agency: Annotated[str, Meta(max_length=200)] = ""
    address: Annotated[str, Meta(max_length=300)] = ""
    responsible: Annotated[str, Meta(max_length=200)] = ""
    """The responsible editor, as the footer names them."""
    phone: Annotated[str, Meta(max_length=60)] = ""
    email: Annotated[str, Meta(max_length=200)] = ""
    emblem: Annotated[str, Meta(max_length=300, pattern="^(/[^/].*)?$")] = ""
    """Path of an image on the portal; default: a star."""
    theme: Annotated[str, Meta(max_length=500)] = ""
    """A folder of templates and styles that override the default ones, relative to the sites' file."""
    hub: HubUrl | Annotated[list[HubUrl], Meta(max_length=5)] = ""
    """WebSub hubs: feeds name them, and the builder tells each of them when a feed has changed."""
    rules: Annotated[str, Meta(max_length=200)] = ""
    """The rules for portals of its kind, with number and year, as editors see them beside ready-made pages."""
    separate_approver: bool = False
    """Authors cannot approve or publish their own texts, except administrators."""
    statistics: Literal["public", "token"] = "public"
    """Who may see the statistics page, history, most read and exports. The counter itself is always public."""
    own_addresses: Annotated[list[str], Meta(max_length=ADDRESSES_MAX)] = []
    """Addresses and networks whose views are own traffic: not counted with people."""
    spam_referrers: Annotated[list[HostName], Meta(max_length=1_000)] = []
    """Hosts of referrer spam besides those of the kept list; each with its subdomains."""
    trusted_referrers: Annotated[list[HostName], Meta(max_length=1_000)] = []
    """Hosts that are not marked although the kept list has them; each with its subdomains."""
    count_headless_browsers: bool = False
    """Count headless browsers as visitors: for trying the system, never for a real portal."""
    structure: StructureIndex | None = None
    """As the newsroom edits it; None: only the sections of the file are known. Never of a file."""

    @property
    def url(self) -> str:
        """The site's canonical address, without a slash at its end: every absolute URL of the site begins with it."""
        return self.origins[0]

    @property
    def tag_authority(self) -> str:
        """The beginning of its articles' tag URIs. The default depends on the slug alone, not on the site's address."""
        return self.identity or f"tag:{self.slug}.presstally.example,2026"

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone, as an object (cached by zoneinfo)."""
        return ZoneInfo(self.timezone)

    @property
    def first_weekday_number(self) -> int:
        """The first day of the week as `datetime.weekday()` numbers it: Monday is 0."""
        return WEEKDAYS.index(self.first_weekday)

    @property
    def hubs(self) -> list[str]:
        """The URLs of the site's WebSub hubs, each once."""
        return list(dict.fromkeys(filter(None, [self.hub] if isinstance(self.hub, str) else self.hub)))

    def section_slug(self, slug: str) -> str:
        """Return the slug that a section's slug stands for now: itself, unless it was given up."""
        return slug if self.structure is None else self.structure.current("section", slug)

    def section(self, slug: str) -> Section | None:
        """Return the section of that slug, or of one that was given up for it, or None."""
        current = self.section_slug(slug)
        return next((section for section in self.sections if section.slug == current), None)

    def section_keys(self, slug: str) -> list[str]:
        """Return the slugs of a section that articles may have: the present one, and those given up for it."""
        current = self.section_slug(slug)
        return [current, *(self.structure.former("section", current) if self.structure else ())]

    def tag_slug(self, tag: str) -> str:
        """Return the slug of a tag's page now; of a tag whose name makes none, the name."""
        slug = name_slug(tag)
        return (slug if self.structure is None else self.structure.current("tag", slug)) or tag

    def resolved(self, article: Article) -> Article:
        """Return an article with its section, tags and authors as they are called now."""
        return article if self.structure is None else self.structure.resolved(article)


def with_structure(site: Site, structure: StructureIndex | None) -> Site:
    """Return a site with the structure that its newsroom edits, in place of the sections of the file."""
    if structure is None:
        return site
    sections = [Section(one.slug, one.name, one.description) for one in structure.structure.sections]
    return msgspec.structs.replace(site, sections=sections, structure=structure)


async def _never_refreshed() -> bool:
    return False


async def _no_structures() -> None:
    """Refresh nothing: this process does not follow structures."""


class Sites(Mapping[str, Site]):
    """All sites by slug, in the order of their configuration; the first one serves hosts that no site claims.

    They may change while a process runs (`shared/sites_reload.py`), all at once: work that awaits something between two
    reads of a site takes the site, or a `snapshot`, once.
    """

    def __init__(self, sites: Mapping[str, Site] | None = None, **by_slug: Site) -> None:
        self.declared: Mapping[str, Site] = {**(sites or {}), **by_slug}
        """As their configuration has them."""
        self._structures: Mapping[str, StructureIndex] = {}
        self._by_slug: dict[str, Site] = dict(self.declared)
        self._hosts = _hosts(self._by_slug)
        self._observers: list[Callable[[], None]] = []
        self.refresh: Callable[[], Awaitable[bool]] = _never_refreshed
        """Take over the newest configuration, and return whether it is another one. To be called before something is
        refused because of its site: processes notice a change at different moments."""
        self.refresh_structures: Callable[[], Awaitable[None]] = _no_structures
        """Take over the newest structures. To be called before something is refused because of its section."""
        self.changed_at = 0.0
        """When their configuration last changed, in seconds since 1970; 0 if it is not of a file."""

    def __getitem__(self, slug: str) -> Site:
        return self._by_slug[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_slug)  # of the sites of this moment, also if they change meanwhile

    def __len__(self) -> int:
        return len(self._by_slug)

    def __contains__(self, slug: object) -> bool:
        return slug in self._by_slug

    @overload
    def get(self, key: str, /) -> Site | None: ...
    @overload
    def get(self, key: str, /, default: Site | _Default) -> Site | _Default: ...
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the site of that slug, or the default."""
        return self._by_slug.get(key, default)

    def values(self) -> ValuesView[Site]:
        """Return the sites of this moment."""
        return self._by_slug.values()

    def items(self) -> ItemsView[str, Site]:
        """Return the sites of this moment by slug."""
        return self._by_slug.items()

    def snapshot(self) -> "Sites":
        """Return the sites of this moment; they do not change."""
        return Sites(self._by_slug)

    def replace(self, new: "Sites") -> None:
        """Take over other sites at once. Those that are equal stay the same objects.

        Raises:
            Exception: an observer failed; the former sites are in place again.
        """
        known = self.declared
        if list(new.declared.items()) == list(known.items()):
            return
        declared = {slug: known[slug] if known.get(slug) == site else site for slug, site in new.declared.items()}
        self._change(declared, self._structures, new.changed_at)

    def apply_structures(self, structures: Iterable[SiteStructure]) -> None:
        """Take over the structures of sites, in place of the sections of their configuration, at once.

        Raises:
            Exception: an observer failed; the former ones are in place again.
        """
        newer = {
            one.site: StructureIndex(one)
            for one in structures
            if one.site not in self._structures or self._structures[one.site].structure != one
        }
        if newer:
            self._change(self.declared, {**self._structures, **newer}, self.changed_at)

    def _change(
        self, declared: Mapping[str, Site], structures: Mapping[str, StructureIndex], changed_at: float
    ) -> None:
        before = self.declared, self._structures, self._by_slug, self._hosts, self.changed_at
        known, former = self._by_slug, self.declared
        self._by_slug = {
            slug: known[slug]
            if former.get(slug) is site and self._structures.get(slug) is structures.get(slug)
            else with_structure(site, structures.get(slug))
            for slug, site in declared.items()
        }
        self.declared, self._structures, self.changed_at = declared, structures, changed_at
        self._hosts = _hosts(self._by_slug)
        try:
            self._notify()
        except BaseException:
            self.declared, self._structures, self._by_slug, self._hosts, self.changed_at = before
            self._notify()
            raise

    def on_change(self, observer: Callable[[], None]) -> None:
        """Call a function after each change, before anything else runs."""
        self._observers.append(observer)

    def _notify(self) -> None:
        for observer in self._observers:
            observer()

    def by_host(self, host: str) -> Site:
        """Return the site that claims `host` (as in the Host header, port included or not)."""
        wanted = sent_host(host)
        found = None
        if wanted is not None:
            found = self._hosts.get(wanted) or self._hosts.get(without_port(wanted))
        return found or next(iter(self._by_slug.values()))

    def allows(self, site: Site, origin: str, host: str) -> bool:
        """Return whether pages of an origin may send events of a site.

        They may if the site declares it, or if it is the host that was asked and no other site declares that: a copy
        on another port needs no declaration.

        Args:
            site: One of these.
            origin: As in an Origin header.
            host: As in the Host header of the same request.
        """
        if origin in site.origins:
            return True
        sent = sent_origin(origin)
        if sent is None:
            return False
        own = host_of_origin(sent)
        return sent in site.origins or (own == sent_host(host) and self._hosts.get(own) in (None, site))


def _hosts(sites: Mapping[str, Site]) -> dict[str, Site]:
    """Return the sites by the hosts that they claim, with their ports first, and without if no other site has that."""
    found: dict[str, Site] = {}
    hosts = [(host_of_origin(origin), site) for site in sites.values() for origin in site.origins]
    for host, site in hosts:
        found.setdefault(host, site)
        found.setdefault(host.removesuffix(":443"), site)
    for host, site in hosts:
        found.setdefault(without_port(host), site)
    return found

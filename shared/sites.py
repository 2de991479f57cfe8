"""The sites that this installation serves, read from `sites.toml`."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

from shared.events import Measure, SiteSlug

TAG_AUTHORITY = (
    r"^(tag:([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[A-Za-z0-9._-]+@[a-z0-9.-]+)"
    r",\d{4}(-\d\d(-\d\d)?)?)?$"
)
"""The authority of a tag URI (RFC 4151): a host or mail address that was one's own on a date, and that date."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class SitesError(Exception):
    """`sites.toml` is invalid; the message lists every error."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the portal: its path segment and its name in the menu."""

    slug: Annotated[str, Meta(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
    name: Annotated[str, Meta(min_length=1, max_length=80)]


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One portal: its addresses, how it counts, and how it formats numbers and dates."""

    slug: SiteSlug
    name: Annotated[str, Meta(min_length=1, max_length=150)]
    origins: Annotated[list[str], Meta(min_length=1)]
    """The site's own addresses; the first is its canonical one."""
    timezone: str
    identity: Annotated[str, Meta(max_length=300, pattern=TAG_AUTHORITY)] = ""
    """The authority and date of its articles' permanent ids: "tag:haihau.example,2026". Never to be changed."""
    language: str = "vi"
    first_weekday: str = "monday"
    thousands_separator: Annotated[str, Meta(max_length=1)] = ","
    default_measure: Measure = "visits"
    sections: list[Section] = []
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
    hub: Annotated[str, Meta(max_length=500, pattern="^(https?://.+)?$")] = ""
    """A WebSub hub, as feeds announce it."""
    separate_approver: bool = False
    """Authors cannot approve or publish their own texts, except administrators."""
    statistics: Literal["public", "token"] = "public"
    """Who may see the statistics page, history, most read and exports. The counter itself is always public."""
    count_headless_browsers: bool = False
    """Count headless browsers as visitors: for trying the system, never for a real portal."""

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

    def section(self, slug: str) -> Section | None:
        """Return the section of that slug, or None."""
        return next((section for section in self.sections if section.slug == slug), None)


class Sites(dict[str, Site]):
    """All sites by slug, in the file's order; the first one serves hosts that no site claims."""

    def by_host(self, host: str) -> Site:
        """Return the site that claims `host` (as in the Host header, port included or not)."""
        bare = host.rsplit(":", 1)[0]
        for wanted in (host, bare):
            for site in self.values():
                if any(wanted in (urlsplit(origin).netloc, urlsplit(origin).hostname) for origin in site.origins):
                    return site
        return next(iter(self.values()))


def _site_errors(site: Site) -> list[str]:
    errors = []
    if site.timezone not in available_timezones():
        errors.append(f"site {site.slug}: timezone {site.timezone!r} is not an IANA time zone")
    if site.first_weekday not in WEEKDAYS:
        errors.append(f"site {site.slug}: first_weekday {site.first_weekday!r} must be one of {', '.join(WEEKDAYS)}")
    for origin in site.origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path:
            errors.append(f"site {site.slug}: origin {origin!r} must look like https://example.vn")
    return errors


def read_sites(path: Path) -> Sites:
    """Read and check the sites' file.

    Raises:
        SitesError: the file is missing, is not TOML, or has an invalid site.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("site", [])
    except OSError as error:
        raise SitesError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SitesError(f"{path} is not TOML: {error}") from error
    errors: list[str] = []
    sites = Sites()
    for table in tables:
        try:
            site = msgspec.convert(table, Site)
        except msgspec.ValidationError as error:
            errors.append(f"site {table.get('slug', '?')}: {error}")
            continue
        if site.theme:
            site = msgspec.structs.replace(site, theme=str((path.parent / site.theme).resolve()))
        errors += _site_errors(site)
        if site.slug in sites:
            errors.append(f"site {site.slug} is declared twice")
        sites[site.slug] = site
    if not tables:
        errors.append("it declares no [[site]]")
    if errors:
        raise SitesError(f"{path}: " + "; ".join(errors))
    return sites

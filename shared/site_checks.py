"""What the configuration of a site must not have, beyond what its types say. Pure."""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from shared.http.targets import RequestError, parse_target
from shared.origins import host_of_origin
from shared.own_addresses import errors_of_networks
from shared.public_suffixes import public_suffixes_among
from shared.referrer_hosts import COUNTED_HOST, is_within, referrer_host

if TYPE_CHECKING:
    from shared.sites import Site

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RESERVED_SLUGS = frozenset({"assets"})
"""`/stats/assets/…` are the files of the statistics page."""
RESERVED_SECTIONS = frozenset(
    {
        "api",
        "asyncapi",
        "ban-bien-tap",
        "ban-luu",
        "e",
        "luu-tru",
        "media",
        "so-do-site",
        "stats",
        "tac-gia",
        "tag",
        "tep",
        "theme",
        "tim-kiem",
        "trang",
        "xem-truoc",
    }
)
"""Paths of the installation: no page of such a section could be reached."""


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def errors_of(table: Mapping[str, Any], site: "Site") -> list[str]:
    """Return a sentence for each error of a site.

    Args:
        table: As read from the file.
        site: Made of it.
    """
    errors = [f"{name} {error}" for name, text in _texts(table) if (error := _text_error(text))]
    if site.slug in RESERVED_SLUGS:
        errors.append(f"slug {site.slug!r} is reserved")
    if site.timezone not in _time_zones():
        errors.append(f"timezone {site.timezone!r} is not an IANA time zone")
    if site.first_weekday not in WEEKDAYS:
        errors.append(f"first_weekday {site.first_weekday!r} must be one of {', '.join(WEEKDAYS)}")
    errors += [f"hub {hub!r} cannot be called: {error}" for hub in site.hubs if (error := _url_error(hub))]
    slugs = [section.slug for section in site.sections]
    errors += [f"section {slug} is declared twice" for slug in dict.fromkeys(slugs) if slugs.count(slug) > 1]
    errors += [f"section {slug!r} is reserved: the installation uses that path" for slug in slugs if _is_reserved(slug)]
    return errors + errors_of_networks(site.own_addresses) + _errors_of_referrers(site)


def _errors_of_referrers(site: "Site") -> list[str]:
    """Return a sentence for each text that no referrer can have, or that would mark the site itself."""
    errors = []
    own = [host for origin in site.origins if (host := referrer_host(host_of_origin(origin)))]
    named = {host for text in (*site.spam_referrers, *site.trusted_referrers) if (host := referrer_host(text))}
    suffixes = public_suffixes_among(named)
    for key, hosts in (("spam_referrers", site.spam_referrers), ("trusted_referrers", site.trusted_referrers)):
        for text in hosts:
            host = referrer_host(text)
            if host is None or ":" in text or not COUNTED_HOST.fullmatch(host):
                errors.append(f"{key}: {text!r} is no host name such as spam.example")
            elif key == "trusted_referrers" and host in map(referrer_host, site.spam_referrers):
                errors.append(f"{key}: {text!r} is among spam_referrers, too")
            elif key == "spam_referrers" and any(is_within(one, {host}) for one in own):
                errors.append(f"{key}: {text!r} is a host of the site itself, or a part of its name")
            elif host in suffixes:
                errors.append(f"{key}: {text!r} is a public suffix: everybody's domains are below it")
    return errors


def _url_error(url: str) -> str | None:
    try:
        parse_target(url)
    except RequestError as error:
        return str(error)
    return None


def _is_reserved(section: str) -> bool:
    return section in RESERVED_SECTIONS


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, f"{name}[{number}]")


def _text_error(text: str) -> str | None:
    found = next((one for one in text if unicodedata.category(one) in ("Cc", "Cs")), None)
    return None if found is None else f"has the control character U+{ord(found):04X}"


def errors_between(sites: "Mapping[str, Site]") -> list[str]:
    """Return a sentence for each origin that two sites declare, and for each hub that is the home page of a site."""
    errors, owners = [], dict[str, str]()
    for site in sites.values():
        for origin in site.origins:
            owner = owners.setdefault(origin, site.slug)
            if owner != site.slug:
                errors.append(f"origin {origin} is declared by two sites, {owner} and {site.slug}")
    for site in sites.values():
        found = ((hub, owners.get(hub.rstrip("/"))) for hub in site.hubs)
        errors += [
            f"hub {hub!r} of {site.slug} is the home page of {owner}, not a hub" for hub, owner in found if owner
        ]
    return errors

"""A site's banners → what pages show of them. Pure. Which of them are valid is decided where the site is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from shared.articles import Image
from shared.banners import SHOWN_MAX, Place
from shared.sites import Site
from shared.structured_data import is_hosted


@dataclass(frozen=True)
class ShownBanner:
    """A banner of a page."""

    image: Image
    href: str
    """Where it leads; "" for nowhere."""
    host: str
    """The other site to which it leads; "" if it stays on this one."""
    is_advertisement: bool
    until: datetime | None = None


def banners(site: Site, place: Place) -> Sequence[ShownBanner]:
    """Return the first banners of a place, in their order."""
    if site.structure is None:
        return ()
    found = [
        ShownBanner(one.image, one.url, other_host(one.url, site), one.is_advertisement, one.until)
        for one in site.structure.structure.banners.items
        if one.place == place and is_hosted(one.image)
    ]
    return found[: SHOWN_MAX[place]]


def other_host(url: str, site: Site) -> str:
    """Return the host of a URL that leads to another site, without `www.`; "" if it stays on this one."""
    if not url.startswith("https://") or any(url == one or url.startswith(f"{one}/") for one in site.origins):
        return ""
    return (urlsplit(url).hostname or "").removeprefix("www.")

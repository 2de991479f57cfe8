"""The banners of a site: pictures with a link in fixed places of its pages, each between two times. Pure."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.articles import Image, Url

BANNERS_MAX = 30
"""Of a site, in all places."""
Place = Literal["top", "side", "foot"]
"""Top of the front page, side column of articles and lists, above the footer of every page."""
PLACES: tuple[Place, ...] = ("top", "side", "foot")
SHOWN_MAX = {"top": 3, "side": 6, "foot": 6}
"""Banners that a page shows in a place: the first ones that are valid."""


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of the media library, whose description says what it says and where it leads."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    place: Place
    image: Image
    url: Url = ""
    """Where it leads: a path of the site, or an https URL; "" for nowhere."""
    is_advertisement: bool = False
    starts_at: datetime | None = None
    until: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether pages show it at a time."""
        return (self.starts_at is None or self.starts_at <= now) and (self.until is None or now < self.until)


class Banners(msgspec.Struct, frozen=True, kw_only=True):
    """All banners of a site in their order."""

    version: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Of the structure in which they last changed."""
    items: Annotated[list[Banner], Meta(max_length=BANNERS_MAX)] = []

    def changes(self) -> set[datetime]:
        """Return the times at which pages change although nobody changes the banners."""
        return {at for one in self.items for at in (one.starts_at, one.until) if at is not None}

    def at(self, now: datetime) -> "Banners":
        """Return those that are valid at a time."""
        return msgspec.structs.replace(self, items=[one for one in self.items if one.is_valid(now)])

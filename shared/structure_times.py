"""What of a site's structure has an end or a beginning: the front page, banners and entries of menus. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from shared.site_structure import MenuItem, SiteStructure


def timed_changes(structure: SiteStructure) -> list[datetime]:
    """Return the times at which banners and menus change although nobody changes them, in their order."""
    ends = {end for menu in structure.menus.values() for end in _ends(menu)}
    return sorted(ends | structure.banners.changes())


def all_changes(structure: SiteStructure) -> list[datetime]:
    """Return the times at which any page changes although nobody changes the structure, in their order."""
    return sorted({*timed_changes(structure), *structure.front_page.ends()})


def last_change(changes: Sequence[datetime], now: datetime) -> datetime | None:
    """Return the last of some times, in their order, that is not after `now`; None before the first one."""
    passed = bisect_right(changes, now)
    return changes[passed - 1] if passed else None


def valid_at(structure: SiteStructure, now: datetime) -> SiteStructure:
    """Return a structure with the banners and the entries of menus that are valid at a time."""
    menus = {name: valid_items(menu, now) for name, menu in structure.menus.items()}
    return msgspec.structs.replace(structure, menus=menus, banners=structure.banners.at(now))


def valid_items(items: Iterable[MenuItem], now: datetime) -> list[MenuItem]:
    """Return the entries of a menu that have not ended; those below an entry end with it."""
    return [
        msgspec.structs.replace(one, items=valid_items(one.items, now)) if one.items else one
        for one in items
        if one.until is None or now < one.until
    ]


def _ends(items: Iterable[MenuItem]) -> set[datetime]:
    found = {one.until for one in items if one.until is not None}
    return found.union(*(_ends(one.items) for one in items))

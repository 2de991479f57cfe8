"""A site with the banners and the entries of menus that are valid now. Kept until the next of them begins or ends."""

from datetime import datetime

from shared.site_structure import StructureIndex
from shared.sites import Site, with_structure
from shared.structure_times import last_change, timed_changes, valid_at

_valid: dict[str, tuple[Site, datetime | None, Site]] = {}
"""By slug: a site with all of its structure, since when the structure is as it is now, and the site with that."""


def valid_site(site: Site, now: datetime) -> tuple[Site, datetime | None]:
    """Return a site with what of its structure is valid at a time, and since when it is so; None: since ever."""
    index = site.structure
    if index is None:
        return site, None
    changes = timed_changes(index.structure)
    if not changes:
        return site, None
    since, known = last_change(changes, now), _valid.get(site.slug)
    if known is None or known[0] is not site or known[1] != since:
        known = site, since, with_structure(site, StructureIndex(valid_at(index.structure, now), index.pages))
        _valid[site.slug] = known
    return known[2], since

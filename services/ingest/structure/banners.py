"""Which banners a site may have. Pure."""

from datetime import datetime

import msgspec

from services.ingest.content.errors import FieldError, field_error
from services.ingest.structure.links import is_external
from shared.banners import Banner, Banners
from shared.site_structure import SiteStructure
from shared.structured_data import is_hosted


def checked_banners(sent: Banners, before: Banners, now: datetime) -> tuple[Banners, list[str], list[FieldError]]:
    """Return banners without those that have ended since they were read, which ones these are, and the errors.

    Args:
        sent: As an editor wants them.
        before: As they are stored.
        now: The time.
    """
    known = {one.id: one for one in before.items}
    items, left_out, errors = [], [], []
    for number, one in enumerate(sent.items):
        stored = known.get(one.id)
        if one.until is not None and one.until <= now and stored is not None and _minute(stored) == _minute(one):
            left_out.append(one.id)
            continue
        items.append(one)
        path = f"items.{number}"
        if not is_hosted(one.image):
            errors.append(field_error(f"{path}.image.media", "image_not_stored"))
        if not one.image.alt:
            errors.append(field_error(f"{path}.image.alt", "required"))
        if one.url and not (is_external(one.url) or is_own_path(one.url)):
            errors.append(field_error(f"{path}.url", "not_a_secure_link"))
        if one.until is not None and one.until <= now:
            errors.append(field_error(f"{path}.until", "over"))
        if one.until is not None and one.starts_at is not None and one.until <= one.starts_at:
            errors.append(field_error(f"{path}.until", "not_after", first="starts_at"))
        if any(one.id == other.id for other in sent.items[:number]):
            errors.append(field_error(f"{path}.id", "repeated"))
    return msgspec.structs.replace(sent, items=items), left_out, errors


def _minute(banner: Banner) -> datetime | None:
    """Return the end of a banner: forms have no seconds."""
    return banner.until and banner.until.replace(second=0, microsecond=0)


def is_own_path(url: str) -> bool:
    """Return whether a URL is a path of the site."""
    return url.startswith("/") and not url.startswith("//") and url.isprintable() and not set(url) & set(' \\"<>')


def with_banners(before: SiteStructure, banners: Banners, version: int) -> SiteStructure:
    """Return a structure with other banners; with the same ones it stays as it is."""
    if banners.items == before.banners.items:
        return before
    return msgspec.structs.replace(before, banners=msgspec.structs.replace(banners, version=version))

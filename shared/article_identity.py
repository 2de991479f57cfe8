"""The identity and the dates of an article, the same on its page, in feeds, sitemaps and exports. Pure."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from urllib.parse import quote
from zoneinfo import ZoneInfo

from shared.articles import Article, updated_at
from shared.sites import Site

UPDATE_AFTER = {"exact": timedelta(minutes=1), "day": timedelta(days=1)}
"""How long after its publication a change of the text is one of which readers are informed."""
DATES_MAX = 2_048
"""Dates that are kept as they are written: pages and lists name the same ones again and again."""
_UNRESERVED = "-._~:@!$&'()*+,;="
"""Characters that a tag URI may have besides letters and digits (RFC 3986, pchar)."""


def permanent_id(article: Article, site: Site) -> str:
    """Return the article's tag URI (RFC 4151): `tag:haihau.example,2026:article/ID`.

    It depends on the site's `identity` and the article's id only, so no change of title, slug, section or of the site's
    address changes it. The ids are UUIDs, so no two articles have the same URI, in whichever installation they are.
    """
    return f"{site.tag_authority}:article/{quote(article.id, safe=_UNRESERVED)}"


def local_iso(instant: datetime, site: Site) -> str:
    """Return an instant in the site's zone, to the second: 2026-11-24T10:00:00+07:00.

    Before zones had whole minutes the nearest offset is taken that has: RFC 3339 knows no other.
    """
    return _local_iso(instant, site.zone)


@lru_cache(DATES_MAX)
def _local_iso(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    if offset.seconds % 60:
        local = instant.astimezone(timezone(timedelta(minutes=round(offset / timedelta(minutes=1)))))
    return local.isoformat(timespec="seconds")


def published_instant(article: Article) -> datetime | None:
    """Return when the article was first public; None if its time of day is unknown."""
    return article.published_at if article.date_precision == "exact" else None


def published_date(article: Article, site: Site) -> str | None:
    """Return when the article was first public, as precisely as it is known; None if it is unknown.

    An ISO 8601 date and time in the site's zone, or the date alone (2026-11-24).
    """
    if article.published_at is None or article.date_precision == "unknown":
        return None
    if article.date_precision == "day":
        return article.published_at.astimezone(site.zone).date().isoformat()
    return local_iso(article.published_at, site)


def updated_date(article: Article, site: Site) -> str:
    """Return when what readers read last changed, as precisely as it is known, in the form of `published_date`."""
    at = updated_at(article)
    return (published_date(article, site) if at == article.published_at else None) or local_iso(at, site)


def text_update(article: Article) -> datetime | None:
    """Return when the text was changed after its publication, for readers; None if it was not, or nobody knows."""
    at, published = article.text_updated_at, article.published_at
    after = UPDATE_AFTER.get(article.date_precision)
    return at if at is not None and published is not None and after is not None and at - published >= after else None

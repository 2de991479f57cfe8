"""An article → the rows of its pages: its lists, old URLs and visibility. Pure. Its words are in search_index.py.

A change of these projections raises PROJECTION_VERSION: builders then rebuild all rows at their next start.
"""

from datetime import UTC, datetime

from shared.articles import Article, is_public, is_undated, media_kind, sort_time
from shared.old_urls import old_addresses
from shared.site_structure import Kind, StructureIndex
from shared.sites import Site
from shared.slugs import name_slug
from shared.structured_data import hosted_images

PROJECTION_VERSION = 8
MEDIA_LIST, NOTICES_LIST, CORRECTIONS_LIST = "kind/media", "kind/notice", "corrections"
"""The lists of photo and video stories with pictures, of notices, and of articles with corrections."""
ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER_ENDS = datetime.max.replace(tzinfo=UTC)


def visibility_window(article: Article) -> tuple[datetime | None, datetime]:
    """Return from when until when the article is public; from None: never.

    An article that was committed as public is public at once, also for a database whose clock is behind.
    """
    until = article.unpublish_at or NEVER_ENDS
    if article.state != "published":
        return None, until
    if is_public(article, article.modified_at):
        return ALWAYS, until
    begins = [time for time in (article.first_published_at, article.embargo_until) if time is not None]
    return max(begins, default=ALWAYS), until


def featured_until(article: Article) -> datetime | None:
    """Return until when the article comes first on the home page; None if it does not."""
    return max((time for time in (article.pinned_until, article.featured_until) if time), default=None)


def visibility_changes(article: Article) -> list[datetime]:
    """Return the times at which pages change although nothing is written."""
    times = {*visibility_window(article), article.pinned_until, article.featured_until}
    return sorted(time for time in times if time is not None and ALWAYS < time < NEVER_ENDS)


def list_keys(article: Article, site: Site) -> dict[str, str]:
    """Return the names of the lists that show the article, by list key."""
    local = sort_time(article).astimezone(site.zone)
    found = {f"section/{section}": section for section in (article.section, *article.also_in)}
    found |= {f"tag/{slug}": tag for tag in reversed(article.tags) if (slug := name_slug(tag))}
    found |= {f"author/{slug}": one.name for one in article.authors if (slug := name_slug(one.name))}
    if media_kind(article) and hosted_images(article):
        found[MEDIA_LIST] = ""
    if article.kind == "notice":
        found[NOTICES_LIST] = ""
    if article.corrections:
        found[CORRECTIONS_LIST] = ""
    if article.translation_of:
        found[f"translation/{article.translation_of}"] = ""
    return found if is_undated(article) else found | {f"month/{local:%Y-%m}": ""}


def list_time(article: Article, name: str) -> datetime:
    """Return the sort key of an article in a list: its own, or the time of its last correction."""
    if name == CORRECTIONS_LIST:
        return max(one.at for one in article.corrections)
    return sort_time(article)


def old_urls(article: Article) -> list[str]:
    """Return the addresses of the article's old URLs; stored ones that are not accepted any more have none."""
    return old_addresses(article.old_urls)


def lists_with_other_words(before: StructureIndex | None, after: StructureIndex) -> list[str]:
    """Return the lists of the tags and authors that have another name, or other former slugs, than before."""
    found = set()
    kinds: tuple[Kind, ...] = ("tag", "author")
    for kind in kinds:
        old, new = ({} if one is None else _names(one, kind) for one in (before, after))
        found |= {f"{kind}/{slug}" for slug in old.keys() | new.keys() if old.get(slug) != new.get(slug)}
    return sorted(found)


def _names(index: StructureIndex, kind: Kind) -> dict[str, str]:
    """Return the name of each slug of a kind that has an entry, or had one."""
    entries = index.tags if kind == "tag" else index.authors
    names = {slug: entry.name for slug, entry in entries.items()}
    return names | {slug: names.get(index.current(kind, slug), slug) for slug in index.aliases[kind]}

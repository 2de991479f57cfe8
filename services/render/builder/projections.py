"""An article → the rows that its surfaces are made of: where it is listed, where it stood, its words. Pure.

A change of these rules raises RULES: builders then make all rows anew at their next start.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from services.render.pages.article_text import body_lines, tag_slug
from services.render.pages.search_query import pairs, words
from shared.articles import Article, is_public
from shared.sites import Site
from shared.text import fold_diacritics

RULES = 2
ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER_ENDS = datetime.max.replace(tzinfo=UTC)
ADDRESS_CHARACTERS_MAX = 2_000


@dataclass(frozen=True)
class Words:
    """The words of an article, joined by spaces: without marks, and as they are written; and each two neighbours."""

    title: str
    title_words: str
    lead_words: str
    body_words: str
    pairs: list[str]
    marked_words: str


def public_times(article: Article) -> tuple[datetime | None, datetime]:
    """Return from when until when readers may see it; from None: not at all.

    What was committed as public is public at once, also for a database whose clock is behind.
    """
    until = article.unpublish_at or NEVER_ENDS
    if article.state != "published":
        return None, until
    if is_public(article, article.modified_at):
        return ALWAYS, until
    begins = [time for time in (article.first_published_at, article.embargo_until) if time is not None]
    return max(begins, default=ALWAYS), until


def listed_at(article: Article) -> datetime:
    """Return what lists are ordered by: when readers first saw it, here or elsewhere."""
    return article.published_at or article.first_published_at or article.modified_at


def front_until(article: Article) -> datetime | None:
    """Return until when it stands first on the home page, if it does."""
    return max((time for time in (article.pinned_until, article.featured_until) if time), default=None)


def boundaries(article: Article) -> list[datetime]:
    """Return the times at which pages change by themselves."""
    times = {*public_times(article), article.pinned_until, article.featured_until}
    return sorted(time for time in times if time is not None and ALWAYS < time < NEVER_ENDS)


def lists(article: Article, site: Site) -> dict[str, str]:
    """Return the lists that show it, by key, each with its name."""
    local = listed_at(article).astimezone(site.zone)
    found = {f"section/{section}": section for section in (article.section, *article.also_in)}
    found |= {f"tag/{slug}": tag for tag in reversed(article.tags) if (slug := tag_slug(tag))}
    if article.translation_of:
        found[f"translation/{article.translation_of}"] = ""
    return found | {f"month/{local:%Y-%m}": ""}


def old_addresses(article: Article) -> list[str]:
    """Return its former addresses as path and query, whatever host they were on."""
    found = set()
    for url in article.old_urls:
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        address = unquote(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if address.startswith("/") and address != "/" and "\x00" not in address:
            found.add(address[:ADDRESS_CHARACTERS_MAX])
    return sorted(found)


def search_words(article: Article) -> Words:
    """Return what a search looks into."""
    title = " ".join(part for part in (article.title, article.kicker, article.subtitle) if part)
    titles, lead = words(title) + words(" ".join(article.tags)), words(article.lead)
    body = words("\n".join(body_lines(article)))
    every = [*titles, *lead, *body]
    return Words(
        title=fold_diacritics(article.title),
        title_words=fold_diacritics(" ".join(titles)),
        lead_words=fold_diacritics(" ".join(lead)),
        body_words=fold_diacritics(" ".join(body)),
        pairs=pairs([fold_diacritics(word) for word in every]),
        marked_words=" ".join(every),
    )

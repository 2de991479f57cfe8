"""The front page of a site: what its newsroom may place there, and its order at a time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from services.ingest.articles.copies import StoredArticle, due_at
from services.ingest.content.errors import FieldError, field_error
from shared.articles import Article, is_public, sort_time
from shared.front_page import FrontPage, featured, home_size
from shared.site_structure import SiteStructure

Source = Literal["slot", "featured", "newest"]
Reason = Literal["unknown", "not_public", "scheduled", "withdrawn", "killed", "expired"]
"""Why an entry is not shown: no such article, never public, not yet, taken off the portal, killed, its own end."""


@dataclass(frozen=True)
class Placement:
    """An article above the sections of the front page, and why it is there."""

    article: Article
    source: Source


def copy_at(stored: StoredArticle, at: datetime) -> Article | None:
    """Return the copy of an article that will be public at a time if nobody changes anything; None if none will."""
    live, scheduled = stored.live, stored.scheduled
    due = None if scheduled is None else due_at(scheduled)
    if scheduled is not None and due is not None and due <= at:
        first = scheduled.first_published_at or due
        live = msgspec.structs.replace(
            scheduled,
            state="published",
            first_published_at=first,
            published_at=scheduled.published_at or (first if scheduled.date_precision != "unknown" else None),
        )
    return live if live is not None and is_public(live, at) else None


def order_at(front_page: FrontPage, articles: Iterable[StoredArticle], at: datetime) -> list[Placement]:
    """Return the articles above the sections, the lead story first, as the portal shows them at a time.

    Args:
        front_page: As it is stored.
        articles: At least those of its slots, the featured ones, and the newest ones of the site.
        at: The time.
    """
    copies = {one.id: one for stored in articles if (one := copy_at(stored, at)) is not None}
    slots = [copies[one.article] for one in front_page.at(at).slots if one.article in copies]
    size, _ = home_size(len(slots))
    newest = sorted(copies.values(), key=lambda one: (sort_time(one), one.number), reverse=True)[:size]
    chosen: dict[str, Placement] = {}
    sources: tuple[tuple[Source, Sequence[Article]], ...] = (
        ("slot", slots),
        ("featured", featured(copies.values(), at)),
        ("newest", newest),
    )
    for source, found in sources:
        for one in found:
            chosen.setdefault(one.id, Placement(one, source))
    return list(chosen.values())[:size]


def reason_at(stored: StoredArticle | None, until: datetime, at: datetime) -> Reason | None:
    """Return why the portal does not show an entry at a time; None if it does."""
    if stored is None:
        return "unknown"
    if until <= at:
        return "expired"
    if copy_at(stored, at) is not None:
        return None
    if stored.head.state == "killed":
        return "killed"
    if stored.scheduled is not None or (stored.live is not None and stored.live.state == "published"):
        return "scheduled" if stored.live is None or not _has_ended(stored.live, at) else "withdrawn"
    return "not_public" if stored.live is None else "withdrawn"


def _has_ended(live: Article, at: datetime) -> bool:
    return live.unpublish_at is not None and live.unpublish_at <= at


def checked(
    sent: FrontPage, before: FrontPage, articles: Mapping[str, StoredArticle], now: datetime
) -> tuple[FrontPage, list[str], list[FieldError]]:
    """Return a front page without what has ended since it was read, the articles left out, and the errors of the rest.

    Args:
        sent: As an editor wants it.
        before: As it is stored.
        articles: Those of the site that it names.
        now: The time.
    """
    known = set(before.slots)
    slots, left_out, errors, seen = [], [], [], set()
    for number, slot in enumerate(sent.slots):
        stored = articles.get(slot.article)
        has_ended = slot.until <= now or stored is None or stored.head.state == "killed"
        if has_ended and slot in known:
            left_out.append(slot.article)
        elif slot.article in seen:
            errors.append(field_error(f"slots.{number}.article", "placed_already"))
        else:
            errors += _errors(f"slots.{number}", slot.article, slot.until, articles, now)
            slots.append(slot)
            seen.add(slot.article)
    bar = sent.breaking
    if bar is not None and bar == before.breaking and bar.until <= now:
        bar = None
    elif bar is not None:
        errors += _errors("breaking", bar.article, bar.until, articles, now)
    return msgspec.structs.replace(sent, slots=slots, breaking=bar), left_out, errors


def _errors(
    path: str, article: str | None, until: datetime, articles: Mapping[str, StoredArticle], now: datetime
) -> list[FieldError]:
    errors = []
    if article is not None and article not in articles:
        errors.append(field_error(f"{path}.article", "no_such_article"))
    elif article is not None and articles[article].head.state == "killed":
        errors.append(field_error(f"{path}.article", "article_killed"))
    if until <= now:
        errors.append(field_error(f"{path}.until", "over"))
    return errors


def arranged(before: SiteStructure, front_page: FrontPage, version: int) -> SiteStructure:
    """Return a structure with another front page; with the same one it stays as it is."""
    same = msgspec.structs.replace(front_page, version=before.front_page.version)
    if same == before.front_page:
        return before
    return msgspec.structs.replace(before, front_page=msgspec.structs.replace(front_page, version=version))

"""Items of readers → drafts of articles for a site: sections, dates, states, limits. Pure."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape

import msgspec
from slugify import slugify

from services.ingest.auth.actors import Actor
from services.ingest.content.block_models import EARLIEST, LATEST, SLUG_PATTERN
from services.ingest.content.conversion import make_slug
from services.ingest.content.validation import LANGUAGE, check_limits
from services.ingest.imports.detection import SOURCE_SYSTEMS
from services.ingest.imports.fetching.images import ImageFetcher
from services.ingest.imports.item import ImportItem
from services.ingest.imports.publication import Decision, decide
from services.ingest.imports.upsert import ImportedDraft
from services.ingest.imports.warnings import ItemWarning, make_warning
from services.ingest.media.library import MediaStore
from shared.articles import (
    AUTHORS_MAX,
    LEAD_CHARACTERS_MAX,
    OLD_URLS_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
    Author,
    Paragraph,
)
from shared.old_urls import OldUrlError, old_address
from shared.sites import Site
from shared.text import fold_diacritics

EXTERNAL_ID_CHARACTERS_MAX = 255
NO_TEXT = "it has no text"
_SLUG = re.compile(SLUG_PATTERN)


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options of an import."""

    site: Site
    format: str
    file_name: str
    actor: Actor
    """Who imports: the author of what is imported, in the audit and for `separate_approver`."""
    section: str | None = None
    """For articles without a section of the site."""
    categories_as_tags: bool = False
    """Make the categories of an item tags, besides the one that is its section."""
    publish: bool = False
    """Publish articles that are public at their source."""
    with_counter: bool = False
    """Make the views counted at the source audited opening balances."""
    dry_run: bool = False
    external_id: str | None = None
    published_at: datetime | None = None
    fetcher: ImageFetcher | None = None
    media: MediaStore | None = None
    """Takes the pictures in the file itself."""


def to_draft(item: ImportItem, options: ImportOptions, now: datetime | None = None) -> ImportedDraft:
    """Convert an item into a draft for a site. `now` decides what is in the future; default: the current time.

    Raises:
        InvalidContentError, Problem: it exceeds a limit.
        ValueError: it has no external ID, or no section of the site.
    """
    site = options.site
    section = _section(item, options)
    at = options.published_at or item.published_at
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=site.zone)
    if at is not None and not EARLIEST <= at <= LATEST:
        at = None
    precision = "unknown" if at is None else "exact" if options.published_at else item.date_precision
    if item.is_new:
        precision = "exact"
    decision = _decision(item, at, now or datetime.now(UTC), site)
    if decision.publish_at or decision.embargo_until:  # it was not public yet: its publication sets its date
        at, precision = None, "exact"
    body, lead = item.body, item.lead
    if len(lead) > LEAD_CHARACTERS_MAX:  # moved to the body, so that nothing is lost
        body, lead = [Paragraph(escape(lead, quote=False)), *body], ""
    warnings = list(item.warnings)
    tags = _tags(item, options, section, warnings)
    slug = item.slug if _SLUG.fullmatch(item.slug) and len(item.slug) <= 100 else make_slug(item.title)
    old_urls, refused = _old_urls(item)
    fields = {
        **item.more,
        "title": item.title,
        "slug": slug,
        "section": section,
        "language": item.language if LANGUAGE.fullmatch(item.language) else site.language,
        "lead": lead,
        "body": body,
        "source": item.source,
        "authors": _authors(item, warnings),
        "tags": tags,
        "published_at": None if at is None else at.astimezone(UTC),
        "date_precision": precision,
        "publish_at": decision.publish_at,
        "embargo_until": decision.embargo_until,
        "unpublish_at": decision.unpublish_at,
        "lead_image": item.lead_image,
        "old_urls": old_urls,
    }
    is_public = decision.outcome in ("public", "scheduled")
    warnings = _warnings(item, decision, [*warnings, *(make_warning("link", reason) for reason in refused)])
    draft = ImportedDraft(
        site.slug, *_external_id(item, options), fields, is_public, warnings, _withdrawal(item, decision)
    )
    article = draft.article(1, 1, datetime.now(UTC))
    check_limits(article, site)
    return draft


def _old_urls(item: ImportItem) -> tuple[list[str], list[str]]:
    """Return the old URLs of an item that the portal can redirect, and a warning for each other one."""
    kept, refused = [], []
    for url in dict.fromkeys(item.old_urls):
        try:
            old_address(url)
            kept.append(url)
        except OldUrlError as error:
            refused.append(f"old URL {url[:100]!r} {error}")
    if len(kept) > OLD_URLS_MAX:
        refused.append(f"{len(kept) - OLD_URLS_MAX} old URLs above the limit of {OLD_URLS_MAX} were left out")
    return kept[:OLD_URLS_MAX], refused


def _decision(item: ImportItem, at: datetime | None, now: datetime, site: Site) -> Decision:
    decision = decide(item.state, at, now, site.zone)
    if item.body or item.lead_image is not None or decision.outcome == "left_out":
        return decision
    return replace(decision, outcome="draft", reasons=(*decision.reasons, NO_TEXT))


def _withdrawal(item: ImportItem, decision: Decision) -> str:
    """Return why an article of the item must not stay public; "" if it may: an item without text says nothing of it."""
    reasons = [reason for reason in decision.reasons if reason != NO_TEXT]
    return "; ".join(reasons) if decision.outcome == "draft" else ""


def _tags(item: ImportItem, options: ImportOptions, section: str, warnings: list[ItemWarning]) -> list[str]:
    """Return the tags that fit, with the other categories of the item if that was asked."""
    name = next((one.name for one in options.site.sections if one.slug == section), section)
    own = {section, fold_diacritics(name)}
    rest = [one for one in item.categories if slugify(one) not in own and fold_diacritics(one) not in own]
    if rest and not options.categories_as_tags:
        listed = ", ".join(rest)
        message = f"are not carried over: an article has one section; --categories-as-tags keeps them: {listed}"
        warnings.append(make_warning("field", message, "categories"))
    given = [*item.tags, *(rest if options.categories_as_tags else [])]
    found = {fold_diacritics(tag): tag for tag in reversed(given) if 0 < len(tag) <= TAG_CHARACTERS_MAX}
    kept = list(found.values())[::-1][:TAGS_MAX]
    lost = [tag for tag in given if tag and fold_diacritics(tag) not in {fold_diacritics(one) for one in kept}]
    if lost:
        warnings.append(make_warning("field", f"are too many or too long: {', '.join(lost)}", "tags"))
    return kept


def _authors(item: ImportItem, warnings: list[ItemWarning]) -> list[Author]:
    if len(item.authors) > AUTHORS_MAX:
        lost = ", ".join(one.name for one in item.authors[AUTHORS_MAX:])
        warnings.append(make_warning("field", f"are more than {AUTHORS_MAX}: {lost}", "authors"))
    return item.authors[:AUTHORS_MAX]


def _warnings(item: ImportItem, decision: Decision, warnings: list[ItemWarning]) -> list[ItemWarning]:
    if decision.outcome == "draft":
        warnings.append(make_warning("state", f"it is a draft, not public: {'; '.join(decision.reasons)}"))
    elif decision.outcome == "scheduled":
        warnings.append(make_warning("state", f"it is scheduled, not public yet: {'; '.join(decision.reasons)}"))
    return [msgspec.structs.replace(one, place=item.place, line=one.line or item.line) for one in warnings]


def _section(item: ImportItem, options: ImportOptions) -> str:
    for wanted in (item.section, *item.more_sections):
        for section in options.site.sections:
            if wanted and (
                wanted == section.slug
                or fold_diacritics(wanted) == fold_diacritics(section.name)
                or slugify(wanted) == section.slug
            ):
                return section.slug
    if options.section is None:
        known = ", ".join(section.slug for section in options.site.sections)
        named = item.section[:60]
        message = f"the site has no section {named!r}" if named else "it has no section"
        raise ValueError(f"{message}; choose one with --section: {known}")
    return options.section


def identity_of(options: ImportOptions, external_id: str) -> tuple[str, str]:
    """Return source system and external ID of an item with an ID at its source."""
    if len(external_id) > EXTERNAL_ID_CHARACTERS_MAX:
        external_id = hashlib.sha256(external_id.encode()).hexdigest()
    return f"{options.format}:{options.site.slug}", external_id


def _external_id(item: ImportItem, options: ImportOptions) -> tuple[str, str]:
    site = options.site.slug
    if options.format == "text":
        # Without its counter: the same page saved a day later has other numbers.
        own = hashlib.sha256(f"{site}\0{item.external_id}".encode()).hexdigest()
        return SOURCE_SYSTEMS["text"], options.external_id or own
    external = options.external_id or item.external_id
    if not external:
        raise ValueError("it has no external ID, so a second run would create a duplicate")
    return identity_of(options, external)

"""The import pipeline: items of format readers → drafts → Postgres, one transaction per batch, one result per item."""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import Literal

import asyncpg
import msgspec
from slugify import slugify

from services.ingest.articles.opening_balances import set_opening_balance
from services.ingest.articles.store import ArticleTooLargeError, taken_old_addresses
from services.ingest.auth.actors import Actor
from services.ingest.content.block_models import EARLIEST, LATEST, SLUG_PATTERN
from services.ingest.content.conversion import make_slug
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.validation import LANGUAGE, check_limits
from services.ingest.imports.detection import SOURCE_SYSTEMS
from services.ingest.imports.fetching.images import ImageFetcher, with_stored_images
from services.ingest.imports.identity import ImportRun, with_own_id, with_stored_id
from services.ingest.imports.item import FormatError, ImportItem, ItemOrError, LeftOutItem, UnreadableItem
from services.ingest.imports.publication import Decision, decide
from services.ingest.imports.upsert import ImportedDraft, UpsertResult, create_drafts, upsert_draft
from services.ingest.imports.warnings import ItemWarning, make_warning
from services.ingest.queries import SQL
from shared.articles import (
    AUTHORS_MAX,
    LEAD_CHARACTERS_MAX,
    OLD_URLS_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
    Article,
    Paragraph,
    State,
)
from shared.http.problems import Problem
from shared.old_urls import OldUrlError, old_address, old_addresses
from shared.postgres import POSTGRES_DATA_ERRORS, Connection
from shared.sites import Site
from shared.text import fold_diacritics

BATCH_ITEMS = 100
EXTERNAL_ID_CHARACTERS_MAX = 255
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
    publish: bool = False
    """Publish articles that are public at their source."""
    with_counter: bool = False
    """Make the views counted at the source audited opening balances."""
    dry_run: bool = False
    external_id: str | None = None
    published_at: datetime | None = None
    fetcher: ImageFetcher | None = None


class ImportResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of an item, or its expected result in a dry run."""

    place: str
    status: Literal["created", "changed", "unchanged", "left_out", "failed"]
    reason: str = ""
    """Why it failed, or was left out: deleted at its source, or no article."""
    line: int | None = None
    """Line of the item in the file, where the format has lines."""
    title: str = ""
    article: str = ""
    number: int | None = None
    version: int | None = None
    state: State | None = None
    section: str = ""
    published_at: datetime | None = None
    old_urls: list[str] = []
    """What was left out of the item, and why."""
    opening_balance: int | None = None
    """Views counted before the import."""
    dry_run: bool = False
    warnings: list[ItemWarning] = []
    """The parts of the item that were changed or lost, and why it is not public."""


def to_draft(item: ImportItem, options: ImportOptions, now: datetime | None = None) -> ImportedDraft:
    """Convert an item into a draft for a site. `now` decides what is in the future; default: the current time.

    Raises:
        ContentError, Problem, msgspec.ValidationError: it exceeds a limit.
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
    decision = _decision(item, at, now or datetime.now(UTC), site)
    if decision.publish_at or decision.embargo_until:  # it was not public yet: its publication sets its date
        at, precision = None, "exact"
    body, lead = item.body, item.lead
    if len(lead) > LEAD_CHARACTERS_MAX:  # moved to the body, so that nothing is lost
        body, lead = [Paragraph(escape(lead, quote=False)), *body], ""
    tags = {fold_diacritics(tag): tag for tag in reversed(item.tags) if 0 < len(tag) <= TAG_CHARACTERS_MAX}
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
        "authors": item.authors[:AUTHORS_MAX],
        "tags": list(tags.values())[::-1][:TAGS_MAX],
        "published_at": None if at is None else at.astimezone(UTC),
        "date_precision": precision,
        "publish_at": decision.publish_at,
        "embargo_until": decision.embargo_until,
        "unpublish_at": decision.unpublish_at,
        "lead_image": item.lead_image,
        "old_urls": old_urls,
    }
    is_public = decision.outcome in ("public", "scheduled")
    draft = ImportedDraft(
        site.slug, *_external_id(item, options), fields, is_public, _warnings(item, decision, refused)
    )
    check_limits(article := draft.article(1, 1, datetime.now(UTC)), site)
    msgspec.json.decode(msgspec.json.encode(article), type=Article)  # each field has its limit there
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
    return replace(decision, outcome="draft", reasons=(*decision.reasons, "it has no text"))


def _warnings(item: ImportItem, decision: Decision, refused: list[str]) -> list[ItemWarning]:
    warnings = [*item.warnings, *(make_warning("link", reason) for reason in refused)]
    if decision.outcome == "draft":
        warnings.append(make_warning("state", f"it is a draft, not public: {'; '.join(decision.reasons)}"))
    elif decision.outcome == "scheduled":
        warnings.append(make_warning("state", f"it is scheduled, not public yet: {'; '.join(decision.reasons)}"))
    return [msgspec.structs.replace(one, place=item.place, line=one.line or item.line) for one in warnings]


def _section(item: ImportItem, options: ImportOptions) -> str:
    wanted = item.section
    for section in options.site.sections:
        is_name = fold_diacritics(wanted) == fold_diacritics(section.name)
        if wanted and (is_name or section.slug in (wanted, slugify(wanted))):
            return section.slug
    if options.section is None:
        known = ", ".join(section.slug for section in options.site.sections)
        message = f"the site has no section {wanted[:60]!r}" if wanted else "it has no section"
        raise ValueError(f"{message}; choose one with --section: {known}")
    return options.section


def _external_id(item: ImportItem, options: ImportOptions) -> tuple[str, str]:
    site = options.site.slug
    if options.format == "text":
        # Without its counter: the same page saved a day later has other numbers.
        own = hashlib.sha256(f"{site}\0{item.external_id}".encode()).hexdigest()
        return SOURCE_SYSTEMS["text"], options.external_id or own
    external = options.external_id or item.external_id
    if not external:
        raise ValueError("it has no external ID, so a second run would create a duplicate")
    if len(external) > EXTERNAL_ID_CHARACTERS_MAX:
        external = hashlib.sha256(external.encode()).hexdigest()
    return f"{options.format}:{site}", external


PreparedItem = tuple[ImportItem, ImportedDraft] | ImportResult


def prepare_batch(items: Iterator[ItemOrError], options: ImportOptions, run: ImportRun) -> list[PreparedItem]:
    """Read and convert the next items; an empty list means the end, and `run.error` tells whether it is a damage."""
    found: list[PreparedItem] = []
    try:
        found.extend(_prepared(item, options, run) for item in islice(items, BATCH_ITEMS))
    except FormatError as error:
        run.error = error  # the items before it are saved first
    return found


def _prepared(item: ItemOrError, options: ImportOptions, run: ImportRun) -> PreparedItem:
    if isinstance(item, UnreadableItem | LeftOutItem):
        dry_run = options.dry_run
        status: Literal["left_out", "failed"] = "left_out" if isinstance(item, LeftOutItem) else "failed"
        title = item.title[:255] if isinstance(item, LeftOutItem) else ""
        return ImportResult(
            place=item.place, status=status, reason=item.reason[:500], title=title, line=item.line, dry_run=dry_run
        )
    try:
        return _with_own_id(item, to_draft(item, options), options, run)
    except (InvalidContentError, Problem, msgspec.ValidationError, ValueError) as error:
        return _failed(item, str(error), options)


def _with_own_id(item: ImportItem, draft: ImportedDraft, options: ImportOptions, run: ImportRun) -> PreparedItem:
    """Return the item with an ID that no other item of the run has; the same item again keeps its ID."""
    checksum = draft.checksum()
    place = f"{options.file_name}, {item.place}"
    known, first = run.ids.setdefault((draft.source_system, draft.external_id), (checksum, place))
    if known == checksum:
        return item, draft
    if not item.is_weak_id or options.external_id:
        return _failed(item, f"has the ID of another article: {draft.external_id[:200]!r}, as {first}", options)
    other = with_own_id(draft, f"{first} has the same address or file name")
    run.ids.setdefault((other.source_system, other.external_id), (checksum, place))
    return item, other


def _failed(item: ImportItem, reason: str, options: ImportOptions) -> ImportResult:
    return ImportResult(
        place=item.place,
        status="failed",
        reason=reason[:500],
        title=item.title[:255],
        line=item.line,
        dry_run=options.dry_run,
        warnings=item.warnings,
    )


async def run_import(
    pool: asyncpg.Pool, items: Iterator[ItemOrError], options: ImportOptions, run: ImportRun | None = None
) -> AsyncIterator[ImportResult]:
    """Import items; the next batch is read while the previous one is saved.

    Committed batches stay: repeating an interrupted import does not change them.

    Raises:
        FormatError: the file is damaged; all items before are saved.
        asyncpg.PostgresError, OSError: Postgres is unavailable; the batches before are saved.
    """
    run = run or ImportRun()
    run.error = None
    batch = await asyncio.to_thread(prepare_batch, items, options, run)
    while batch:
        saving = asyncio.create_task(_save_prepared(pool, batch, options))
        try:
            following = await asyncio.to_thread(prepare_batch, items, options, run)
        finally:
            results = await saving
        for result in results:
            yield result
        batch = following
    if run.error is not None:
        raise run.error


async def _save_prepared(pool: asyncpg.Pool, batch: list[PreparedItem], options: ImportOptions) -> list[ImportResult]:
    batch = await with_stored_images(pool, options.site.slug, batch, options.fetcher, dry_run=options.dry_run)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        done = {} if options.dry_run else await _save_batch(connection, batch, options, now)
        return [
            one if isinstance(one, ImportResult) else done.get(place) or await _save_one(connection, *one, options, now)
            for place, one in enumerate(batch)
        ]


async def _save_batch(
    connection: Connection, batch: list[PreparedItem], options: ImportOptions, now: datetime
) -> dict[int, ImportResult]:
    """Save together the new items without images and the unchanged ones; return results by position in the batch."""
    drafts = {place: one for place, one in enumerate(batch) if not isinstance(one, ImportResult)}
    by_id = {draft.external_id: place for place, (_, draft) in reversed(drafts.items())}
    ids = list(by_id)
    if not ids:
        return {}
    source = (options.site.slug, next(iter(drafts.values()))[1].source_system)
    await connection.execute(SQL["lock_external_ids"], *source, ids)
    done: dict[int, ImportResult] = {}
    for row in await connection.fetch(SQL["imported_articles"], *source, ids):
        place = by_id.pop(row["external_id"])
        item, draft = drafts[place]
        is_settled = row["was_public"] or row["state"] == "scheduled"
        is_complete = is_settled or not (options.publish and draft.is_public)
        if row["checksum"] == draft.checksum() and is_complete and not draft.has_images_since(row["at"]):
            done[place] = _unchanged(item, draft, row)
            if options.with_counter and item.views:  # an earlier import may have omitted it
                done[place] = await _with_opening_balance(connection, done[place], item.views, options)
    urls = {place: old_addresses(drafts[place][1].fields["old_urls"]) for place in by_id.values()}
    every = [address for found in urls.values() for address in found]
    taken = await taken_old_addresses(connection, options.site.slug, every, None) if every else {}
    repeated = {address for address, times in Counter(every).items() if times > 1} | set(taken)
    places = [
        place for place in by_id.values() if not drafts[place][1].has_images() and not repeated & set(urls[place])
    ]
    items = [drafts[place][0] for place in places]
    chosen = [drafts[place][1] for place in places]
    publish = [options.publish and draft.is_public for draft in chosen]
    try:
        async with connection.transaction():
            made = await create_drafts(connection, chosen, publish, now, options.actor)
            results = [_result(item, saved, options) for item, saved in zip(items, made, strict=True)]
            for number, (item, result) in enumerate(zip(items, results, strict=True)):
                if options.with_counter and item.views:
                    results[number] = await _with_opening_balance(connection, result, item.views, options)
    except (ArticleTooLargeError, asyncpg.IntegrityConstraintViolationError, *POSTGRES_DATA_ERRORS):
        return done  # one of them is invalid: they are saved one by one to find it
    return done | dict(zip(places, results, strict=True))


def _unchanged(item: ImportItem, draft: ImportedDraft, row: asyncpg.Record) -> ImportResult:
    known = {"article": row["id"], **{name: row[name] for name in ("number", "version", "state", "title")}}
    return ImportResult(place=item.place, line=item.line, status="unchanged", warnings=draft.warnings, **known)


async def _save_one(
    connection: Connection, item: ImportItem, draft: ImportedDraft, options: ImportOptions, now: datetime
) -> ImportResult:
    publish = options.publish and draft.is_public
    try:
        async with connection.transaction():  # a savepoint: one failure does not prevent the others
            if item.is_weak_id and not options.external_id:
                draft = await with_stored_id(connection, draft)
            saved = await upsert_draft(
                connection, draft, publish=publish, now=now, actor=options.actor, dry_run=options.dry_run
            )
            result = _result(item, saved, options)
            if options.with_counter and item.views:
                result = await _with_opening_balance(connection, result, item.views, options)
    except (InvalidContentError, ArticleTooLargeError, Problem, *POSTGRES_DATA_ERRORS) as error:
        return _failed(item, str(error), options)
    return result


def _result(item: ImportItem, saved: UpsertResult, options: ImportOptions) -> ImportResult:
    article = saved.article
    is_there = saved.change != "created" or not options.dry_run
    return ImportResult(
        place=item.place,
        line=item.line,
        status=saved.change,
        title=article.title,
        article=article.id if is_there else "",
        number=article.number if is_there else None,
        version=article.version,
        state=article.state,
        section=article.section,
        published_at=article.published_at,
        old_urls=article.old_urls,
        dry_run=options.dry_run,
        warnings=list(saved.warnings),
    )


async def _with_opening_balance(
    connection: Connection, result: ImportResult, views: int, options: ImportOptions
) -> ImportResult:
    balance = views
    if not options.dry_run:
        counter = {"site": options.site.slug, "article": result.article}
        why = f"views before the import, from {options.file_name}"[:500]
        balance = await set_opening_balance(
            connection, **counter, measure="views", amount=views, who=options.actor.name, why=why
        )
    return msgspec.structs.replace(result, opening_balance=balance)

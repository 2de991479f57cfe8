"""The import pipeline: items of format readers → drafts → Postgres, one transaction per batch, one result per item."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, cast

import asyncpg
import msgspec

from services.ingest.articles.opening_balances import set_opening_balance
from services.ingest.articles.store import ArticleTooLargeError, taken_old_addresses
from services.ingest.content.errors import InvalidContentError
from services.ingest.imports.drafts import ImportOptions, identity_of, to_draft
from services.ingest.imports.fetching.images import with_stored_images
from services.ingest.imports.identity import ImportRun, with_own_id, with_stored_id
from services.ingest.imports.item import FormatError, ImportItem, ItemOrError, LeftOutItem, UnreadableItem
from services.ingest.imports.upsert import ImportedDraft, UpsertResult, create_drafts, upsert_draft
from services.ingest.imports.warnings import ItemWarning
from services.ingest.imports.withdrawal import withdraw
from services.ingest.imports.word.pictures import store_embedded_images
from services.ingest.queries import SQL
from shared.articles import State
from shared.http.problems import Problem
from shared.old_urls import old_addresses
from shared.postgres import POSTGRES_DATA_ERRORS, Connection

BATCH_ITEMS = 100


class ImportResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of an item, or its expected result in a dry run."""

    place: str
    status: Literal["created", "changed", "unchanged", "withdrawn", "left_out", "failed"]
    """`withdrawn`: it was public here, and its source says that it must not be."""
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
    opening_balance: int | None = None
    """Views counted before the import."""
    dry_run: bool = False
    warnings: list[ItemWarning] = []
    """The parts of the item that were changed or lost, and why it is not public."""


@dataclass(frozen=True)
class LeftOut:
    """An item that is left out, and whose article of a former import may be public."""

    result: ImportResult
    source_system: str
    external_id: str


PreparedItem = tuple[ImportItem, ImportedDraft] | LeftOut | ImportResult


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
        status: Literal["left_out", "failed"] = "left_out" if isinstance(item, LeftOutItem) else "failed"
        title = item.title[:255] if isinstance(item, LeftOutItem) else ""
        reason = item.reason[:500]
        result = ImportResult(
            place=item.place, status=status, reason=reason, title=title, line=item.line, dry_run=options.dry_run
        )
        if isinstance(item, LeftOutItem) and item.external_id:
            return LeftOut(result, *identity_of(options, item.external_id))
        return result
    try:
        return _with_own_id(item, to_draft(item, options), options, run)
    except (InvalidContentError, Problem, msgspec.ValidationError, ValueError) as error:
        return _failed(item, str(error), options)


def _with_own_id(item: ImportItem, draft: ImportedDraft, options: ImportOptions, run: ImportRun) -> PreparedItem:
    """Return the item with an ID that no other item of the run has; the same item again keeps its ID."""
    place = f"{options.file_name}, {item.place}"
    is_same, first = run.first_with_id(draft, place)
    if is_same:
        return item, draft
    if not item.is_weak_id or options.external_id:
        return _failed(item, f"has the ID of another article: {draft.external_id[:200]!r}, as {first}", options)
    other = with_own_id(draft, f"{first} has the same address or file name")
    run.first_with_id(other, place)
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
    batch = await _read_batch(items, options, run)
    while batch:
        saving = asyncio.create_task(_save_prepared(pool, batch, options))
        try:
            following = await _read_batch(items, options, run)
        except asyncio.CancelledError:
            saving.cancel()  # it may fetch images for minutes; what it has not committed is saved by the next run
            raise
        finally:
            results = await saving
        for result in results:
            yield result
        batch = following
    if run.error is not None:
        raise run.error


async def _read_batch(items: Iterator[ItemOrError], options: ImportOptions, run: ImportRun) -> list[PreparedItem]:
    reading = asyncio.create_task(asyncio.to_thread(prepare_batch, items, options, run))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait([reading])  # the file that it reads is closed next
        raise


async def _save_prepared(pool: asyncpg.Pool, batch: list[PreparedItem], options: ImportOptions) -> list[ImportResult]:
    stored = await store_embedded_images(pool, batch, options)
    batch = cast("list[PreparedItem]", stored)
    found = await with_stored_images(pool, options.site.slug, batch, options.fetcher, dry_run=options.dry_run)
    batch = cast("list[PreparedItem]", found)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        done = {} if options.dry_run else await _save_batch(connection, batch, options, now)
        return [
            done.get(place) or await _save_prepared_one(connection, one, options, now)
            for place, one in enumerate(batch)
        ]


async def _save_prepared_one(
    connection: Connection, one: PreparedItem, options: ImportOptions, now: datetime
) -> ImportResult:
    if isinstance(one, ImportResult):
        return one
    return await (
        _save_left_out(connection, one, options, now)
        if isinstance(one, LeftOut)
        else _save_one(connection, *one, options, now)
    )


async def _save_left_out(connection: Connection, one: LeftOut, options: ImportOptions, now: datetime) -> ImportResult:
    """Withdraw the article of an item that its source has deleted, if a former import has published it."""
    known = await connection.fetchrow(SQL["imported_article"], options.site.slug, one.source_system, one.external_id)
    if known is None:
        return one.result
    async with connection.transaction():
        found = await withdraw(
            connection,
            known["id"],
            one.result.reason,
            publish=options.publish,
            now=now,
            actor=options.actor,
            dry_run=options.dry_run,
        )
    if found is None:
        return one.result
    changes = {
        "article": known["id"],
        "number": found.article.number,
        "version": found.article.version,
        "state": found.article.state,
    }
    if found.change == "withdrawn":
        changes["status"] = "withdrawn"
    return msgspec.structs.replace(one.result, warnings=list(found.warnings), **changes)


async def _save_batch(
    connection: Connection, batch: list[PreparedItem], options: ImportOptions, now: datetime
) -> dict[int, ImportResult]:
    """Save together the new items without images and the unchanged ones; return results by position in the batch."""
    drafts = {place: one for place, one in enumerate(batch) if isinstance(one, tuple)}
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
        is_settled = row["was_public"] or row["is_scheduled"]
        is_exposed = bool(draft.withdrawal) and (row["live_state"] == "published" or row["is_scheduled"])
        is_repetition = (
            draft.is_repetition(row["checksum"]) and not is_exposed and not draft.has_images_since(row["at"])
        )
        if is_repetition and (is_settled or not (options.publish and draft.is_public)):
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
            if draft.withdrawal and saved.change != "created":
                saved = await _withdrawn(connection, draft, saved, options, now)
            result = _result(item, saved, options)
            if options.with_counter and item.views:
                result = await _with_opening_balance(connection, result, item.views, options)
    except (InvalidContentError, Problem, *POSTGRES_DATA_ERRORS) as error:
        return _failed(item, str(error), options)
    return result


async def _withdrawn(
    connection: Connection, draft: ImportedDraft, saved: UpsertResult, options: ImportOptions, now: datetime
) -> UpsertResult:
    """Withdraw an article that is public, and at its source not any more."""
    found = await withdraw(
        connection,
        saved.article.id,
        draft.withdrawal,
        publish=options.publish,
        now=now,
        actor=options.actor,
        dry_run=options.dry_run,
        checksum=draft.withdrawn_checksum(),
    )
    if found is None:
        return saved
    warnings = (*saved.warnings, *found.warnings)
    return UpsertResult(found.article, found.change if found.change == "withdrawn" else saved.change, warnings)


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

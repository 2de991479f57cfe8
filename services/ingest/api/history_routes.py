"""`/api/articles/{id}/revisions`, `/diff`, `/restore` and `/api/audit`: the history of articles."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_responses import article_response
from services.ingest.api.dependencies import (
    CHANGES_ARTICLES,
    AdminCaller,
    ApiContextDep,
    ArticleId,
    IfNoneMatch,
    ReadCaller,
    WriteCaller,
    check_sections,
    load_article,
)
from services.ingest.api.editing_schemas import ArticleDiff, FieldChange
from services.ingest.api.idempotency import run_once
from services.ingest.api.pagination import Cursor, Filter, Limit, decode_cursor, encode_cursor
from services.ingest.api.representations import not_modified
from services.ingest.api.schemas import (
    ArticleResponse,
    AuditEntry,
    AuditPage,
    Revision,
    RevisionList,
    article_with_etag,
    json_response,
    response_docs,
)
from services.ingest.api.version_check import VersionRule, check_version
from services.ingest.articles import removal, workflow
from services.ingest.articles.carry_over import merge_lists
from services.ingest.articles.copies import ArticleChange
from services.ingest.articles.store import database_time, save_change
from services.ingest.content.article_models import Note
from services.ingest.content.block_comparison import compare_bodies
from services.ingest.content.errors import invalid
from services.ingest.content.text_comparison import compare_texts
from services.ingest.content.validation import check_limits
from services.ingest.queries import SQL
from shared.articles import Article
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter()
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
CopyName = Literal["live", "working", "scheduled"]


@router.get(
    "/articles/{article_id}/revisions",
    summary="List all changes of an article",
    responses=response_docs(200, RevisionList, problems=(403, 404), not_modified=True),
    tags=["Revisions"],
)
async def list_revisions(
    *,
    request: Request,
    context: ApiContextDep,
    caller: ReadCaller,
    article_id: ArticleId,
    cursor: Cursor = None,
    limit: Limit = 50,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Who changed what, when and why; newest first."""
    start = min(decode_cursor(cursor), 2**31 - 1)
    async with context.pool.acquire() as connection:
        stored = await load_article(context, connection, article_id, caller, "read")
        known = not_modified(request, stored.head.version)
        if known is not None:
            return known
        rows = await connection.fetch(SQL["list_revisions"], article_id, start, limit)
    revisions = [Revision(**dict(row)) for row in rows]
    page = RevisionList(revisions, encode_cursor(rows, limit, revisions[-1].version if revisions else 0))
    return json_response(page, headers={"etag": f'"{stored.head.version}"'})


async def _read_version(connection: Connection, article_id: str, version: int) -> Article:
    content = await connection.fetchval(SQL["revision"], article_id, version)
    if content is None:
        raise Problem(404, f"The article {article_id!r} has no version {version}.")
    return msgspec.json.decode(content, type=Article)


@router.get(
    "/articles/{article_id}/revisions/{version}",
    summary="Read one version",
    responses=response_docs(200, Article, problems=(403, 404), not_modified=True),
    tags=["Revisions"],
)
async def get_revision(
    *,
    request: Request,
    context: ApiContextDep,
    caller: ReadCaller,
    article_id: ArticleId,
    version: int,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the copy that the change has made: the working one, or the live or scheduled one if only that changed."""
    async with context.pool.acquire() as connection:
        await load_article(context, connection, article_id, caller, "read")
        found = await _read_version(connection, article_id, _storable(version))
    return not_modified(request, version) or json_response(found, headers={"etag": f'"{version}"'})


def _storable(version: int) -> int:
    return version if 1 <= version < 2**31 else 0


@router.get(
    "/articles/{article_id}/diff",
    summary="Compare two versions",
    responses=response_docs(200, ArticleDiff, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_diff(
    context: ApiContextDep,
    caller: ReadCaller,
    article_id: ArticleId,
    before: Annotated[VersionNumber | CopyName, Query(alias="from")] = "live",
    after: Annotated[VersionNumber | CopyName, Query(alias="to")] = "working",
) -> Response:
    """Return each field that differs, and the body word by word and as a unified diff with one line per block.

    Versions are numbers, or `live`, `working` or `scheduled` for the newest of these.
    """
    async with context.pool.acquire() as connection:
        stored = await load_article(context, connection, article_id, caller, "read")
        copies = {"live": stored.live, "working": stored.head, "scheduled": stored.scheduled}
        one, other = [await _read_copy(connection, article_id, copies, wanted) for wanted in (before, after)]
    if (site := context.sites.get(stored.head.site)) is not None:  # a rename is no difference
        one, other = site.resolved(one), site.resolved(other)
    return json_response(await context.convert(diff_articles, one, other))


async def _read_copy(
    connection: Connection, article_id: str, copies: Mapping[str, Article | None], wanted: int | str
) -> Article:
    if isinstance(wanted, int):
        return await _read_version(connection, article_id, wanted)
    found = copies[wanted]
    if found is None:
        raise Problem(404, f"The article has no {wanted} version.")
    return found


_NOT_COMPARED = {"body", "version", "modified_at", "text_updated_at"}
"""Fields that are compared otherwise, or differ between any two versions."""


def diff_articles(before: Article, after: Article) -> ArticleDiff:
    """Return the differences between two versions of an article."""
    names = [name for name in Article.__struct_fields__ if name not in _NOT_COMPARED]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    one, other = ([msgspec.json.encode(block).decode() for block in article.body] for article in (before, after))
    named = (f"version {before.version}", f"version {after.version}")
    return ArticleDiff(
        before.id,
        before.version,
        after.version,
        [_field_change(*pair) for pair in pairs if pair[1] != pair[2]],
        list(difflib.unified_diff(one, other, *named, lineterm="")),
        compare_bodies(before.body, after.body),
    )


def _field_change(name: str, before: Any, after: Any) -> FieldChange:
    are_texts = isinstance(before, str) and isinstance(after, str)
    return FieldChange(name, before, after, compare_texts(before, after) if are_texts else None)


class RestoreRequest(BaseModel):
    """The version to restore."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2, "note": "bản cũ đúng"}]})

    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="the version whose content is restored; omitted: undo that the article was killed or discarded",
    )
    note: Note = ""


@router.post(
    "/articles/{article_id}/restore",
    summary="Restore an old version",
    responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412)),
    tags=["Revisions"],
    dependencies=CHANGES_ARTICLES,
)
async def restore_article(
    request: Request, context: ApiContextDep, caller: WriteCaller, article_id: ArticleId, sent: RestoreRequest
) -> Response:
    """Restore the content of an old version as a new draft version. The versions between are kept.

    An administrator also undoes a mistaken `kill` (the article is `unpublished`, its URL 404 instead of 410, and what
    was unfinished is a draft again) and a discarded draft.
    """

    async def act(connection: Connection) -> Response:
        is_admin = caller.allows("admin")
        stored = await load_article(
            context, connection, article_id, caller, "write", for_update=True, also_discarded=is_admin
        )
        await check_version(connection, request, None, stored, VersionRule.OPTIONAL)
        site, before = context.site(stored.head.site), stored
        now = await database_time(connection)
        was_lost = stored.is_discarded or stored.head.state == "killed"
        if sent.version is None and not was_lost:
            raise invalid("version", "version_of_live_article")
        change: ArticleChange | None = None
        if was_lost:
            caller.check("admin", site.slug, stored.head.section)
            undo = removal.undo_discard if stored.is_discarded else removal.undo_kill
            change = await save_change(connection, before, undo(stored, now), caller.actor, sent.note)
            stored = stored.after(change)
        if sent.version is not None:
            old = site.resolved(await _read_version(connection, article_id, sent.version))
            fields = {name: getattr(old, name) for name in Article.__struct_fields__ if name not in _NOT_RESTORED}
            if stored.live is not None:  # readers have seen these corrections, whatever text they will see
                fields["corrections"] = merge_lists([], stored.live.corrections, old.corrections)
            by_publisher = caller.allows("publish", site.slug, stored.head.section)
            change = workflow.edit_article(stored, fields, by_publisher=by_publisher, now=now, action="restore")
            check_sections(caller, "publish" if change.head.state != "draft" else "write", stored.head, change.head)
            check_limits(change.head, site)
            note = sent.note or f"version {sent.version} restored"
            change = await save_change(connection, stored, change, caller.actor, note)
            stored = replace(stored.after(change), author=caller.actor)
        return article_with_etag(article_response(stored, caller, site, now))

    return await run_once(context.pool, request, caller, act)


_NOT_RESTORED = {"id", "number", "site", "version", "state", "modified_at", "first_published_at", "created_at"} | {
    "text_updated_at",
    "source_system",
    "external_id",
}
"""Fields that a restore does not change."""


@router.get(
    "/audit",
    summary="Read the audit log",
    responses=response_docs(200, AuditPage, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_audit(
    *,
    context: ApiContextDep,
    caller: AdminCaller,
    site: Filter = None,
    who: Filter = None,
    action: Filter = None,
    kind: Filter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List all accepted changes of articles, people, files and everything else, newest first."""
    if any(value is not None and "\0" in value for value in (who, action, kind)):
        raise invalid("query", "nul_character")
    sites = context.visible_sites(caller, site, "admin", None)
    rows = await context.pool.fetch(SQL["list_audit_entries"], sites, decode_cursor(cursor), limit, who, action, kind)
    entries = [_audit_entry(row) for row in rows]
    return json_response(AuditPage(entries, encode_cursor(rows, limit, entries[-1].id if entries else 0)))


def _audit_entry(row: asyncpg.Record) -> AuditEntry:
    details = None if row["details"] is None else msgspec.json.decode(row["details"])
    return AuditEntry(**{**dict(row), "details": details})

"""`/api/articles/{id}/revisions` and `/api/audit`: who did what; differences; an old version made the newest."""

import difflib
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.dependencies import (
    Admin,
    ArticleId,
    DeskOf,
    Reader,
    Writer,
    actor_of,
    check_version,
    the_article,
)
from services.ingest.api.idempotency import once
from services.ingest.api.pagination import Cursor, Filter, Limit, next_of, start_of
from services.ingest.api.schemas import (
    ArticleView,
    Audit,
    AuditEntry,
    Difference,
    FieldChange,
    Revision,
    RevisionList,
    answers,
    json,
    view,
    with_version,
)
from services.ingest.articles import workflow
from services.ingest.articles.store import database_time, save
from services.ingest.articles.workflow import Kept
from services.ingest.content.article_models import Note
from services.ingest.content.errors import ContentError, Fault
from services.ingest.content.validation import check_limits
from services.ingest.queries import SQL
from shared.articles import Article
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter()


@router.get(
    "/articles/{article_id}/revisions",
    summary="List all changes of an article",
    responses=answers(200, RevisionList, problems=(403, 404)),
    tags=["Revisions"],
)
async def list_revisions(
    desk: DeskOf, token: Reader, article_id: ArticleId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Who did what, when and why; newest first."""
    start = min(start_of(cursor), 2**31 - 1)
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        rows = await connection.fetch(SQL["revisions"], article_id, start, limit)
    revisions = [Revision(**dict(row)) for row in rows]
    return json(RevisionList(revisions, next_of(rows, limit, revisions[-1].version if revisions else 0)))


async def _version(connection: Connection, article_id: str, version: int) -> Article:
    content = await connection.fetchval(SQL["revision"], article_id, version)
    if content is None:
        raise Problem(404, f"The article {article_id!r} has no version {version}.")
    return msgspec.json.decode(content, type=Article)


@router.get(
    "/articles/{article_id}/revisions/{version}",
    summary="Read one version",
    responses=answers(200, Article, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_revision(desk: DeskOf, token: Reader, article_id: ArticleId, version: int) -> Response:
    """The article as it was after that change."""
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        return json(await _version(connection, article_id, _bounded(version)))


def _bounded(version: int) -> int:
    return version if 1 <= version < 2**31 else 0


@router.get(
    "/articles/{article_id}/diff",
    summary="Compare two versions",
    responses=answers(200, Difference, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_diff(
    desk: DeskOf,
    token: Reader,
    article_id: ArticleId,
    before: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1)],
    after: Annotated[int, Query(alias="to", ge=1, le=2**31 - 1)],
) -> Response:
    """Each field that differs, and the body as a unified diff with a line for each block."""
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        one, other = [await _version(connection, article_id, version) for version in (before, after)]
    return json(await desk.convert(difference, one, other))


def difference(before: Article, after: Article) -> Difference:
    """Return what differs between two versions of an article."""
    names = [name for name in Article.__struct_fields__ if name not in ("body", "version", "modified_at")]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    one, other = ([msgspec.json.encode(block).decode() for block in article.body] for article in (before, after))
    named = (f"version {before.version}", f"version {after.version}")
    return Difference(
        before.id,
        before.version,
        after.version,
        [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]],
        list(difflib.unified_diff(one, other, *named, lineterm="")),
    )


class RestoreIn(BaseModel):
    """Which version comes back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2, "note": "bản cũ đúng"}]})

    version: int = Field(ge=1, le=2**31 - 1, description="the version whose content comes back")
    note: Note = ""


@router.post(
    "/articles/{article_id}/restore",
    summary="Make an old version the newest",
    responses=answers(200, ArticleView, problems=(403, 404, 409, 412)),
    tags=["Revisions"],
)
async def restore_article(
    request: Request, desk: DeskOf, token: Writer, article_id: ArticleId, sent: RestoreIn
) -> Response:
    """The old content as a new version, a draft: nothing that came between is lost."""

    async def act(connection: Connection) -> Response:
        kept = await the_article(connection, article_id, token, "write", for_update=True)
        check_version(request, None, kept, must=False)
        site = desk.site(kept.head.site)
        old = await _version(connection, article_id, sent.version)
        fields = {name: getattr(old, name) for name in Article.__struct_fields__ if name not in _OWN}
        now = await database_time(connection)
        by_publisher = token.allows("publish", site.slug)
        change = workflow.edit(kept, fields, by_publisher=by_publisher, now=now, action="restore")
        check_limits(change.head, site)
        note = sent.note or f"version {sent.version} restored"
        await save(connection, kept, change, actor_of(token), note)
        after = Kept(change.head, change.live, token.prefix)
        return with_version(view(after, desk.url_of(site.slug), now))

    return await once(desk.pool, request, token, act)


_OWN = {"id", "number", "site", "version", "state", "modified_at", "first_published_at", "created_at"} | {
    "source_system",
    "external_id",
}
"""Fields that no version brings back."""


@router.get("/audit", summary="Who did what", responses=answers(200, Audit, problems=(403, 404)), tags=["Revisions"])
async def get_audit(
    *,
    desk: DeskOf,
    token: Admin,
    site: Filter = None,
    who: Filter = None,
    action: Filter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All accepted changes of all articles, newest first."""
    if any(value is not None and "\0" in value for value in (who, action)):
        raise ContentError([Fault("query", "has a NUL character")])
    rows = await desk.pool.fetch(SQL["audit"], desk.sites_of(token, site), start_of(cursor), limit, who, action)
    entries = [AuditEntry(**dict(row)) for row in rows]
    return json(Audit(entries, next_of(rows, limit, entries[-1].id if entries else 0)))

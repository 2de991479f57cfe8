"""`DELETE /api/articles/{id}` and `/api/articles/{id}/discard-draft`: discard what was never public."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_responses import article_response
from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, ArticleId, WriteCaller, load_article
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import ArticleResponse, article_with_etag, response_docs
from services.ingest.api.version_check import VersionRule, check_version
from services.ingest.articles import removal
from services.ingest.articles.store import database_time, save_change
from services.ingest.articles.text_authors import read_text_authors
from services.ingest.content.article_models import Note
from shared.postgres import Connection

router = APIRouter(dependencies=CHANGES_ARTICLES)


@router.delete(
    "/articles/{article_id}",
    status_code=204,
    tags=["Write"],
    summary="Discard a draft that was never public",
    responses=response_docs(204, problems=(403, 404, 409, 412, 428)),
)
async def discard_article(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    note: Annotated[Note, Query(description="why; stored in the audit log")] = "",
    if_match: IfMatch = None,
) -> Response:
    """Discard an article that was never public: it is 404 from then on. Its revisions stay in the audit log.

    A writer discards drafts; who may publish, also what is in review or approved. An administrator can restore it.
    """
    async with context.pool.acquire() as connection, connection.transaction():
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        await check_version(connection, request, None, stored, VersionRule.REQUIRED)
        by_publisher = caller.allows("publish", stored.head.site, stored.head.section)
        change = removal.discard(stored, by_publisher=by_publisher, now=await database_time(connection))
        await save_change(connection, stored, change, caller.actor, note)
    return Response(status_code=204)


class DiscardRequest(BaseModel):
    """The reason, and the version to discard."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 7, "note": "viết lại"}]})

    note: Note = ""
    version: int | None = Field(None, ge=1, le=2**31 - 1)


@router.post(
    "/articles/{article_id}/discard-draft",
    tags=["Write"],
    operation_id="discard_draft",
    summary="Discard the draft above a public or a scheduled version",
    responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412, 428)),
)
async def discard_draft(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    sent: DiscardRequest | None = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Discard unfinished changes: the working version is the scheduled one again, or else the last published one.

    Neither of these changes. A writer discards drafts; who may publish, also what is in review or approved. `restore`
    with the version of the draft brings it back.
    """

    async def act(connection: Connection) -> Response:
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        await check_version(connection, request, sent.version if sent else None, stored, VersionRule.REQUIRED)
        by_publisher = caller.allows("publish", stored.head.site, stored.head.section)
        now = await database_time(connection)
        change = removal.discard_draft(stored, by_publisher=by_publisher, now=now)
        authors = await read_text_authors(connection, article_id)
        stored = replace(stored, author=authors.live if stored.scheduled is None else authors.scheduled)
        change = await save_change(connection, stored, change, caller.actor, sent.note if sent else "")
        shown = article_response(stored.after(change), caller, context.site(stored.head.site), now)
        return article_with_etag(shown)

    return await run_once(context.pool, request, caller, act)

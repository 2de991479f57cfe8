"""`/api/articles/{id}/comments`: what editors say about an article or one of its blocks."""

from typing import Annotated

import asyncpg
import msgspec
from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey
from services.ingest.api.dependencies import ApiContextDep, ArticleId, ReadCaller, WriteCaller, load_article
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.articles.comments import (
    COMMENTS_MAX,
    TEXT_CHARACTERS_MAX,
    Comment,
    CommentList,
    comment_of,
    excerpt_of,
)
from services.ingest.auth.callers import Caller
from services.ingest.content.block_models import Input, Text, invalid_value
from services.ingest.content.errors import invalid
from services.ingest.queries import EDITING, SQL
from shared.articles import BLOCKS_MAX, Article
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter(tags=["Editing"])
CommentText = Annotated[Text, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
CommentId = Annotated[int, Path(ge=1, le=2**53, description="ID of the comment")]


class CommentIn(Input):
    """A new comment."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"version": 3, "block": 2, "text": "Kiểm tra lại số liệu."}]},
    )

    text: CommentText
    block: int | None = Field(None, ge=0, lt=BLOCKS_MAX, description="place of the block, from 0; null: all")
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version that was read; default: the newest")


class CommentPatch(Input):
    """Another text, or whether it is resolved."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"is_resolved": True}]})

    text: CommentText | None = None
    is_resolved: bool | None = None

    @model_validator(mode="after")
    def _any(self) -> "CommentPatch":
        if self.text is None and self.is_resolved is None:
            raise invalid_value("nothing_to_change")
        return self


@router.get(
    "/articles/{article_id}/comments",
    summary="List the comments of an article",
    responses=response_docs(200, CommentList, problems=(403, 404)),
)
async def list_comments(context: ApiContextDep, caller: ReadCaller, article_id: ArticleId) -> Response:
    """List all comments, the oldest first, each with the present place of its block."""
    async with context.pool.acquire() as connection:
        stored = await load_article(context, connection, article_id, caller, "read")
        rows = await connection.fetch(EDITING["list_comments"], article_id)
    comments = await context.convert(lambda: [comment_of(row, stored.head.body, caller.id) for row in rows])
    return json_response(CommentList(comments, stored.head.version))


@router.post(
    "/articles/{article_id}/comments",
    status_code=201,
    summary="Comment on an article",
    responses=response_docs(201, Comment, problems=(403, 404, 409)),
)
async def create_comment(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    sent: CommentIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add a comment on the article, or on a block of the version that was read. No version and no state changes."""

    async def act(connection: Connection) -> Response:
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        version = sent.version or stored.head.version
        commented = stored.head
        if version != commented.version:
            content = await connection.fetchval(SQL["revision"], article_id, version)
            if content is None:
                raise Problem(404, f"The article {article_id!r} has no version {version}.")
            commented = msgspec.json.decode(content, type=Article)
        if sent.block is not None and sent.block >= len(commented.body):
            raise invalid("block", "no_such_block", version=version, size=len(commented.body))
        if await connection.fetchval(EDITING["count_comments"], article_id) >= COMMENTS_MAX:
            raise Problem(
                409, f"An article has at most {COMMENTS_MAX} comments; delete some.", code="too_many_comments"
            )
        excerpt = "" if sent.block is None else excerpt_of(commented.body[sent.block])
        author = (caller.name, caller.id)
        row = await connection.fetchrow(
            EDITING["insert_comment"], article_id, version, sent.block, excerpt, sent.text, *author
        )
        assert row is not None
        made = comment_of(row, stored.head.body, caller.id)
        return json_response(made, 201, {"location": f"/api/articles/{article_id}/comments/{made.id}"})

    return await run_once(context.pool, request, caller, act)


@router.patch(
    "/articles/{article_id}/comments/{comment_id}",
    summary="Change or resolve a comment",
    responses=response_docs(200, Comment, problems=(403, 404)),
)
async def change_comment(
    context: ApiContextDep, caller: WriteCaller, article_id: ArticleId, comment_id: CommentId, sent: CommentPatch
) -> Response:
    """Resolve or reopen a comment, which all who may write can; only its author changes its text."""
    async with context.pool.acquire() as connection, connection.transaction():
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        row = await _comment(connection, article_id, comment_id)
        if sent.text is not None and row["author"] != caller.id:
            raise Problem(403, "Only its author can change the text of a comment.", code="not_your_comment")
        changed = await connection.fetchrow(
            EDITING["update_comment"], comment_id, sent.text, sent.is_resolved, caller.name
        )
        assert changed is not None, "its article is locked"
    return json_response(comment_of(changed, stored.head.body, caller.id))


@router.delete(
    "/articles/{article_id}/comments/{comment_id}",
    status_code=204,
    summary="Delete a comment",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_comment(
    context: ApiContextDep, caller: WriteCaller, article_id: ArticleId, comment_id: CommentId
) -> Response:
    """Delete an own comment; administrators delete any."""
    async with context.pool.acquire() as connection, connection.transaction():
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        row = await _comment(connection, article_id, comment_id)
        if not _may_delete(caller, row["author"], stored.head):
            raise Problem(403, "Only its author or an administrator can delete a comment.", code="not_your_comment")
        await connection.execute(EDITING["delete_comment"], comment_id)
    return Response(status_code=204)


def _may_delete(caller: Caller, author: str, article: Article) -> bool:
    return author == caller.id or caller.allows("admin", article.site, article.section)


async def _comment(connection: Connection, article_id: str, comment_id: int) -> asyncpg.Record:
    row = await connection.fetchrow(EDITING["comment"], article_id, comment_id)
    if row is None:
        raise Problem(404, "The article has no such comment.")
    return row

"""`/api/articles`: create, replace, patch, and the steps of the workflow."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.dependencies import (
    ArticleId,
    Desk,
    DeskOf,
    Writer,
    actor_of,
    check_version,
    needs,
    the_article,
)
from services.ingest.api.idempotency import once
from services.ingest.api.schemas import ArticleView, answers, view, with_version
from services.ingest.articles import workflow
from services.ingest.articles.store import database_time, insert, save
from services.ingest.articles.workflow import STEPS, Change, Kept
from services.ingest.auth.tokens import Token
from services.ingest.content.article_models import CONTENT, ArticleIn, ArticlePatch, ArticleReplacement, Note
from services.ingest.content.block_models import Instant
from services.ingest.content.conversion import Converted, convert, make_slug
from services.ingest.content.errors import ContentError, Fault
from services.ingest.content.validation import check_limits
from services.ingest.media.library import with_media
from services.ingest.queries import SQL
from shared.articles import Article
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter()
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Any text that this request alone has: sent again, it gets the same answer and is not done twice",
        max_length=255,
    ),
]
IfMatch = Annotated[str | None, Header(description='The version that you change, as its ETag: "3"', max_length=200)]


@router.post(
    "/articles",
    status_code=201,
    tags=["Write"],
    summary="Create a draft",
    responses=answers(201, ArticleView, problems=(403, 404, 409)),
)
async def create_article(
    request: Request, desk: DeskOf, token: Writer, sent: ArticleIn, idempotency_key: IdempotencyKey = None
) -> Response:
    """Create a draft. Readers do not see it before it is approved and published."""
    site = desk.site(sent.site)
    token.check("write", site.slug)
    converted: Converted = await desk.convert(convert, sent, CONTENT)
    fields = converted.fields
    if "language" not in sent.model_fields_set:
        fields["language"] = site.language
    fields["slug"] = fields["slug"] or make_slug(sent.title)

    async def act(connection: Connection) -> Response:
        external = (sent.source_system or "api", sent.external_id) if sent.external_id else (None, None)
        await _check_external(connection, token, *external)
        now = await database_time(connection)
        article = Article(
            id=str(uuid4()),
            number=await connection.fetchval(SQL["next_number"]),
            site=site.slug,
            version=1,
            state="draft",
            modified_at=now,
            created_at=now,
            first_published_at=None,
            source_system=external[0],
            external_id=external[1],
            **fields,
        )
        article = await with_media(connection, article)
        check_limits(article, site)
        change = Change("create", article, None, is_told=False)
        await insert(connection, change, actor_of(token), sent.note)
        return _answer(desk, Kept(article, None), now, converted.warnings, status=201)

    return await once(desk.pool, request, token, act)


async def _check_external(connection: Connection, token: Token, system: str | None, external_id: str | None) -> None:
    if external_id is None:
        return
    await connection.execute(SQL["lock_external"], system, external_id)
    known = await connection.fetchval(SQL["article_by_external_id"], system, external_id)
    if known is not None:
        kept = await the_article(connection, known, token, "write")
        detail = f"The article {known} has this external_id already; change that one."
        raise Problem(409, detail, article=known, version=kept.head.version)


@router.put(
    "/articles/{article_id}",
    tags=["Write"],
    summary="Replace the content",
    responses=answers(200, ArticleView, problems=(403, 404, 409, 412, 428)),
)
async def replace_article(
    *,
    request: Request,
    desk: DeskOf,
    token: Writer,
    article_id: ArticleId,
    sent: ArticleReplacement,
    if_match: IfMatch = None,
) -> Response:
    """Replace the content as a new version. What is left out goes back to its default; the live copy stays."""
    return await _edit(request, desk, token, article_id, sent, CONTENT)


@router.patch(
    "/articles/{article_id}",
    tags=["Write"],
    summary="Change some fields",
    responses=answers(200, ArticleView, problems=(403, 404, 409, 412, 428)),
)
async def patch_article(
    *,
    request: Request,
    desk: DeskOf,
    token: Writer,
    article_id: ArticleId,
    sent: ArticlePatch,
    if_match: IfMatch = None,
) -> Response:
    """Change some fields as a new version (RFC 7396: null takes a field away). The live copy stays."""
    assert isinstance(sent, BaseModel)
    names = [name for name in CONTENT if name in sent.model_fields_set]
    faults = [
        Fault(name, "cannot be taken away") for name in names if name in ("title", "section") and _is_null(sent, name)
    ]
    if faults:
        raise ContentError(faults)
    return await _edit(request, desk, token, article_id, sent, names)


def _is_null(sent: BaseModel, name: str) -> bool:
    return getattr(sent, name) is None


async def _edit(  # noqa: PLR0917 - what the two routes got
    request: Request, desk: Desk, token: Token, article_id: str, sent: Any, names: list[str]
) -> Response:
    converted: Converted = await desk.convert(convert, sent, names)
    async with desk.pool.acquire() as connection, connection.transaction():
        kept = await the_article(connection, article_id, token, "write", for_update=True)
        check_version(request, sent.version, kept, must=True)
        site = desk.site(kept.head.site)
        now = await database_time(connection)
        by_publisher = token.allows("publish", site.slug)
        change = workflow.edit(kept, converted.fields, by_publisher=by_publisher, now=now)
        change = replace(change, head=await with_media(connection, change.head))
        check_limits(change.head, site)
        await save(connection, kept, change, actor_of(token), sent.note)
    return _answer(desk, _after(change, kept), now, converted.warnings)


def _after(change: Change, before: Kept) -> Kept:
    return Kept(change.head, change.live, before.written_by, change.problem)


def _answer(desk: Desk, kept: Kept, now: datetime, warnings: list[Fault] | None = None, status: int = 200) -> Response:
    shown = view(kept, desk.url_of(kept.head.site), now, warnings or [])
    headers = {"location": f"/api/articles/{kept.head.id}"} if status == 201 else {}
    return with_version(shown, status, **headers)


class StepIn(BaseModel):
    """Why, and which version is meant."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "thiếu nguồn ảnh"}]})

    reason: Note = Field("", description="needed to refuse and to kill; the revision keeps it")
    note: Note = Field("", description="the same as reason")
    version: int | None = Field(None, ge=1, le=2**31 - 1)


class TimedStepIn(StepIn):
    """The same, with a time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"publish_at": "2026-12-01T07:00:00+07:00"}]}
    )

    publish_at: Instant | None = Field(None, description="null: at once; left out: the article's own publish_at")


async def _take(  # noqa: PLR0917 - what each route of a step got
    name: str, request: Request, desk: Desk, token: Token, article_id: str, sent: StepIn | None
) -> Response:
    step = STEPS[name]
    reason = (sent.reason or sent.note) if sent else ""
    if step.needs_reason and not reason:
        raise ContentError([Fault("reason", f"is missing: say why you {name} it")])
    timed = sent is not None and "publish_at" in sent.model_fields_set
    publish_at = getattr(sent, "publish_at", None) if timed else msgspec.UNSET

    async def act(connection: Connection) -> Response:
        kept = await the_article(connection, article_id, token, step.scope, for_update=True)
        check_version(request, sent.version if sent else None, kept, must=False)
        site = desk.site(kept.head.site)
        is_admin = token.allows("admin", site.slug)
        own = kept.written_by == token.prefix and name in ("approve", "schedule", "publish")
        if own and site.separate_approver and not is_admin:
            raise Problem(403, "You wrote this version; on this site somebody else approves and publishes it.")
        now = await database_time(connection)
        if name in ("approve", "schedule", "publish"):
            kept = replace(kept, head=await with_media(connection, kept.head, strict=True))
        change = workflow.take(name, kept, site, now, is_admin=is_admin, publish_at=publish_at)
        await save(connection, kept, change, actor_of(token), reason)
        return _answer(desk, _after(change, kept), now)

    return await once(desk.pool, request, token, act)


def _add_step(name: str) -> None:
    step = STEPS[name]
    body: Any = TimedStepIn if name in ("publish", "schedule") else StepIn
    caller: Any = Annotated[Token, needs(step.scope)]

    async def take_step(
        *,
        request: Request,
        desk: DeskOf,
        token: caller,
        article_id: ArticleId,
        sent: body | None = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        return await _take(name, request, desk, token, article_id, sent)

    begins = ", ".join(sorted(step.begins))
    router.add_api_route(
        f"/articles/{{article_id}}/{name}",
        take_step,
        methods=["POST"],
        tags=["Workflow"],
        operation_id=f"{name}_article",
        summary=step.summary,
        description=f"From {begins} to {step.ends}. Needs the scope `{step.scope}`.",
        responses=answers(200, ArticleView, problems=(403, 404, 409, 412)),
    )


for _name in STEPS:
    _add_step(_name)

"""`/api/articles`: create, replace, patch, and the workflow transitions."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_responses import article_response
from services.ingest.api.dependencies import (
    CHANGES_ARTICLES,
    ApiContext,
    ApiContextDep,
    ArticleId,
    WriteCaller,
    check_sections,
    load_article,
    require_scope,
)
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import ArticleResponse, article_with_etag, response_docs
from services.ingest.api.version_check import VersionRule, check_version
from services.ingest.articles import workflow
from services.ingest.articles.autosaves import close_created, close_saved, slot_of_article
from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.live_copy import undone_fixes
from services.ingest.articles.store import database_time, insert_article, save_change
from services.ingest.articles.text_authors import read_text_authors
from services.ingest.articles.transitions import TRANSITIONS
from services.ingest.auth.callers import Caller
from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn, ArticlePatch, ArticleReplacement, Note
from services.ingest.content.block_models import Instant
from services.ingest.content.conversion import ConvertedContent, convert, make_slug
from services.ingest.content.errors import FieldError, InvalidContentError, field_error, invalid
from services.ingest.content.own_urls import with_own_paths
from services.ingest.content.validation import check_limits
from services.ingest.files.references import resolve_media
from services.ingest.media.recrop import prepare_crops
from services.ingest.queries import SQL
from shared.articles import Article
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Site

router = APIRouter(dependencies=CHANGES_ARTICLES)
TAB_PATTERN = "^[A-Za-z0-9_-]{0,64}$"
APPROVALS = ("approve", "schedule", "publish")
"""Transitions that make what somebody has read public, now or later: they name the version that was read."""
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Any text unique to this request: repeated, it returns the same response and has no second effect",
        max_length=255,
    ),
]
IfMatch = Annotated[str | None, Header(description='ETag of the version to change: "3"', max_length=200)]

AutosaveKey = Annotated[
    UUID | None, Header(description="Key of the unsaved text (PUT /autosaves/{key}) that the article is created from")
]
AutosaveTab = Annotated[
    str | None,
    Header(
        description="Tab whose unsaved text is saved; default: that of any tab of the caller is removed",
        pattern=TAB_PATTERN,
    ),
]


@router.post(
    "/articles",
    status_code=201,
    tags=["Write"],
    summary="Create a draft",
    responses=response_docs(201, ArticleResponse, problems=(403, 404, 409)),
)
async def create_article(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    sent: ArticleIn,
    idempotency_key: IdempotencyKey = None,
    autosave_key: AutosaveKey = None,
) -> Response:
    """Create a draft. It is not public before it is approved and published."""
    site = context.site_of_caller(caller, "write", sent.site, sent.section)
    converted: ConvertedContent = await context.convert(convert, sent, CONTENT_FIELDS)
    fields = converted.fields
    if "language" not in sent.model_fields_set:
        fields["language"] = site.language
    fields["slug"] = fields["slug"] or make_slug(sent.title)
    await prepare_crops(context.pool, context.media, site.slug, fields)

    async def act(connection: Connection) -> Response:
        external = (sent.source_system or "api", sent.external_id) if sent.external_id else (None, None)
        await _check_external(connection, site.slug, *external)
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
        article = with_own_paths(site.resolved(article), site)
        check_sections(caller, "write", None, article)
        article = await resolve_media(connection, article)
        check_limits(article, site)
        change = ArticleChange("create", article, None, is_public_change=False)
        await insert_article(connection, change, caller.actor, sent.note)
        if autosave_key is not None:
            await close_created(connection, caller, str(autosave_key), site.slug, article.id)
        return _response(context, caller, StoredArticle(article, None), now, converted.warnings, status=201)

    return await run_once(context.pool, request, caller, act)


async def _check_external(connection: Connection, site: str, system: str | None, external_id: str | None) -> None:
    if external_id is None:
        return
    await connection.execute(SQL["lock_external_ids"], site, system, [external_id])
    known = await connection.fetchrow(SQL["article_by_external_id"], site, system, external_id)
    if known is not None:
        then = "was discarded; an administrator can restore it" if known["is_discarded"] else "change that one"
        detail = f"The article {known['id']} already has this external_id; {then}."
        raise Problem(409, detail, article=known["id"], version=known["version"], code="external_id_taken")


@router.put(
    "/articles/{article_id}",
    tags=["Write"],
    summary="Replace the content",
    responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412, 428)),
)
async def replace_article(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    sent: ArticleReplacement,
    if_match: IfMatch = None,
    autosave_tab: AutosaveTab = None,
) -> Response:
    """Replace the content as a new version. Omitted fields are reset to defaults; the published version stays."""
    return await _edit(request, context, caller, article_id, sent, CONTENT_FIELDS, autosave_tab)


@router.patch(
    "/articles/{article_id}",
    tags=["Write"],
    summary="Change some fields",
    responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412, 428)),
)
async def patch_article(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    sent: ArticlePatch,
    if_match: IfMatch = None,
    autosave_tab: AutosaveTab = None,
) -> Response:
    """Change some fields as a new version (RFC 7396: null removes a field). The published version stays."""
    assert isinstance(sent, BaseModel)
    names = [name for name in CONTENT_FIELDS if name in sent.model_fields_set]
    errors = [
        field_error(name, "cannot_be_removed")
        for name in names
        if name in ("title", "section") and _is_null(sent, name)
    ]
    if errors:
        raise InvalidContentError(errors)
    return await _edit(request, context, caller, article_id, sent, names, autosave_tab)


def _is_null(sent: BaseModel, name: str) -> bool:
    return getattr(sent, name) is None


async def _edit(  # noqa: PLR0917 - the parameters of the two routes
    request: Request, context: ApiContext, caller: Caller, article_id: str, sent: Any, names: list[str], tab: str | None
) -> Response:
    converted: ConvertedContent = await context.convert(convert, sent, names)
    if (slug := await context.pool.fetchval(SQL["site_of_article"], article_id)) is not None and caller.reaches(slug):
        await prepare_crops(context.pool, context.media, slug, converted.fields)
    async with context.pool.acquire() as connection, connection.transaction():
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        await check_version(connection, request, sent.version, stored, VersionRule.REQUIRED)
        site = context.site(stored.head.site)
        now = await database_time(connection)
        by_publisher = caller.allows("publish", site.slug, stored.head.section)
        change = workflow.edit_article(stored, converted.fields, by_publisher=by_publisher, now=now)
        change = replace(change, head=with_own_paths(site.resolved(change.head), site))
        check_sections(caller, "publish" if change.head.state != "draft" else "write", stored.head, change.head)
        change = replace(change, head=await resolve_media(connection, change.head))
        check_limits(change.head, site)
        change = await save_change(connection, stored, change, caller.actor, sent.note)
        slot = slot_of_article(caller, article_id, site.slug)
        await close_saved(connection, slot, tab, change.head.version)
    return _response(context, caller, stored.after(change), now, converted.warnings)


def _response(  # noqa: PLR0917 - what a response may report
    context: ApiContext,
    caller: Caller,
    stored: StoredArticle,
    now: datetime,
    warnings: list[FieldError] | None = None,
    status: int = 200,
    change: ArticleChange | None = None,
) -> Response:
    shown = article_response(stored, caller, context.site(stored.head.site), now, warnings or [], change=change)
    headers = {"location": f"/api/articles/{stored.head.id}"} if status == 201 else {}
    return article_with_etag(shown, status, **headers)


class TransitionRequest(BaseModel):
    """The reason, and the version to change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "thiếu nguồn ảnh"}]})

    reason: Note = Field("", description="required to refuse and to kill; stored with the revision")
    note: Note = Field("", description="same as reason")
    version: int | None = Field(None, ge=1, le=2**31 - 1)


class RefuseRequest(TransitionRequest):
    """The same, and which version."""

    copy_: Literal["working", "scheduled"] | None = Field(
        None, alias="copy", description="default: the working version if it is in review or approved"
    )


class ScheduleRequest(RefuseRequest):
    """The same, with a publication time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"publish_at": "2026-12-01T07:00:00+07:00"}]}
    )

    publish_at: Instant | None = Field(None, description="null: now; omitted: the article's own publish_at")


async def _apply(  # noqa: PLR0917 - the parameters of each transition route
    name: str, request: Request, context: ApiContext, caller: Caller, article_id: str, sent: TransitionRequest | None
) -> Response:
    transition = TRANSITIONS[name]
    reason = (sent.reason or sent.note) if sent else ""
    if transition.needs_reason and not reason:
        raise invalid("reason", "reason_required", action=name)
    timed = sent is not None and "publish_at" in sent.model_fields_set
    publish_at = getattr(sent, "publish_at", None) if timed else msgspec.UNSET

    copy = getattr(sent, "copy_", None)

    async def act(connection: Connection) -> Response:
        stored = await load_article(context, connection, article_id, caller, transition.scope, for_update=True)
        rule = VersionRule.EXACT if name in APPROVALS else VersionRule.OPTIONAL
        target = "live" if transition.is_withdrawal else workflow.target_of(name, stored, copy)
        await check_version(connection, request, sent.version if sent else None, stored, rule, copy=target)
        behind = "scheduled" if target == "scheduled" or stored.head.state == "scheduled" else "working"
        if name in ("schedule", "publish") and undone_fixes(stored, behind):
            # the fix of the live version that it would undo must have been read, too
            await check_version(connection, request, sent.version if sent else None, stored, rule, copy="live")
        site = context.site(stored.head.site)
        is_admin = caller.allows("admin", site.slug, stored.head.section)
        now = await database_time(connection)
        if name in APPROVALS:
            await _check_approval(connection, stored, target, caller, site)
            if target == "working" and stored.head.state in ("draft", "in_review"):
                # what was approved already is published as it is
                stored = replace(stored, head=await resolve_media(connection, stored.head, strict=True))
        elif target == "scheduled" and stored.scheduled is not None:
            caller.check(transition.scope, site.slug, stored.scheduled.section)
        change = workflow.apply_transition(name, stored, site, now, is_admin=is_admin, publish_at=publish_at, copy=copy)
        if name == "refuse":
            change = workflow.refused(change, reason, caller.actor.name, now)
        change = await save_change(connection, stored, change, caller.actor, change.note(reason))
        return _response(context, caller, stored.after(change), now, change=change)

    return await run_once(context.pool, request, caller, act)


async def _check_approval(
    connection: Connection, stored: StoredArticle, target: str, caller: Caller, site: Site
) -> None:
    """Check that the caller may make a copy public, and that its images are stored.

    Raises:
        Problem: 403 without the scope in its sections, or if the caller wrote it and another editor must approve it.
        InvalidContentError: an image is not in the media store.
    """
    is_live = stored.live is not None and stored.live.state == "published"
    copy, author = stored.head, stored.author
    if target == "scheduled" and stored.scheduled is not None and stored.has_successor:
        copy = stored.scheduled
        author = (await read_text_authors(connection, copy.id)).scheduled
    check_sections(caller, "publish", stored.live if is_live else None, copy)
    is_own = author is not None and author.is_same(caller.actor)
    if is_own and site.separate_approver and not caller.allows("admin", site.slug, stored.head.section):
        raise Problem(
            403,
            "You wrote this version; on this site another editor must approve and publish it.",
            code="second_editor_required",
        )
    await resolve_media(connection, copy, strict=True)


def _add_transition_route(name: str) -> None:
    transition = TRANSITIONS[name]
    bodies = {"publish": ScheduleRequest, "schedule": ScheduleRequest, "refuse": RefuseRequest}
    body: Any = bodies.get(name, TransitionRequest)
    admitted: Any = Annotated[Caller, require_scope(transition.scope)]

    async def transition_article(
        *,
        request: Request,
        context: ApiContextDep,
        caller: admitted,
        article_id: ArticleId,
        sent: body | None = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        return await _apply(name, request, context, caller, article_id, sent)

    from_states = ", ".join(sorted(transition.from_states))
    version = " Requires the version that was read, as `If-Match` or `version`." if name in APPROVALS else ""
    router.add_api_route(
        f"/articles/{{article_id}}/{name}",
        transition_article,
        methods=["POST"],
        tags=["Workflow"],
        operation_id=f"{name}_article",
        summary=transition.summary,
        description=f"From {from_states} to {transition.to_state}. Needs the scope `{transition.scope}`.{version}",
        responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412, *((428,) if version else ()))),
    )


for _name in TRANSITIONS:
    _add_transition_route(_name)

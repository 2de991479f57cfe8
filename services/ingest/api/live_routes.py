"""`/api/articles/{id}/live`: changes of the live version at once, without its working version."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_responses import article_response
from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import (
    CHANGES_ARTICLES,
    ApiContextDep,
    ArticleId,
    PublishCaller,
    check_sections,
    load_article,
)
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import ArticleResponse, article_with_etag, response_docs
from services.ingest.api.version_check import VersionRule, check_version
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.live_copy import (
    CarryOver,
    CarryOverMode,
    FieldGroup,
    carry_over,
    change_live,
    groups_of,
    live_copy_of,
)
from services.ingest.articles.store import database_time, save_change
from services.ingest.auth.callers import Caller
from services.ingest.content.article_models import LIVE_FIELDS, LivePatch
from services.ingest.content.conversion import ConvertedContent, convert
from services.ingest.content.errors import InvalidContentError, field_error, invalid
from services.ingest.content.own_urls import with_own_paths
from services.ingest.content.validation import check_limits, publishing_errors
from services.ingest.files.references import resolve_media
from shared.articles import Article, Correction
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Site

router = APIRouter(dependencies=CHANGES_ARTICLES)
_MODES: dict[Any, CarryOverMode] = {False: "no", True: "all", "where_possible": "where_possible"}
_REQUIRED = ("title", "section", "slug")
_IMAGE_FIELDS = ("body", "lead_image")


@router.patch(
    "/articles/{article_id}/live",
    tags=["Workflow"],
    operation_id="patch_live_article",
    summary="Change the live version at once",
    responses=response_docs(200, ArticleResponse, problems=(403, 404, 409, 412, 428)),
)
async def patch_live(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    article_id: ArticleId,
    sent: LivePatch,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Placement, expiry, corrections, section, tags, SEO, slug, and small fixes of the text of a public article.

    Readers get the change at once. The working version and a scheduled one stay as they are; with `carry_over` they
    get the same change. A text that is published with a fix missing is warned about; other fields that were changed
    here stay when a newer text goes live, unless that text has changed them, too.
    """
    assert isinstance(sent, BaseModel)
    names = [name for name in LIVE_FIELDS if name in sent.model_fields_set]
    errors = [field_error(name, "cannot_be_removed") for name in names if name in _REQUIRED and _is_null(sent, name)]
    if errors:
        raise InvalidContentError(errors)
    converted: ConvertedContent = await context.convert(convert, sent, names)
    settings: Any = sent

    async def act(connection: Connection) -> Response:
        stored = await load_article(context, connection, article_id, caller, "read", for_update=True)
        await check_version(connection, request, settings.version, stored, VersionRule.REQUIRED, copy="live")
        live, site, now = live_copy_of(stored), context.site(stored.head.site), await database_time(connection)
        fields = dict(converted.fields)
        if settings.correction is not None:
            added = Correction(settings.correction.text, settings.correction.at or now)
            fields["corrections"] = [*live.corrections, added]
        if fields.get("unpublish_at") is not None and fields["unpublish_at"] <= now:
            raise invalid("unpublish_at", "not_in_the_future")
        check_live_rights(caller, groups_of(fields), live, site)
        before = stored
        change = change_live(stored, fields, now)
        if change is not None:
            check_sections(caller, "publish", live, change.revised)
            resolved = await checked_live(connection, change.revised, fields, site)
            change = change_live(stored, {name: getattr(resolved, name) for name in fields}, now)
        if change is not None:
            saved = await save_change(connection, before, change, caller.actor, settings.note)
            stored = stored.after(change)
        mode = _MODES[settings.carry_over]
        carried = await context.convert(carry_over, stored, list(fields) or None, mode, now)
        after = await save_carried(connection, before, stored, carried, caller, site)
        if change is not None and not carried.changes:
            after = stored.after(saved)
        shown = article_response(after, caller, site, now, converted.warnings, carried=carried)
        return article_with_etag(shown)

    return await run_once(context.pool, request, caller, act)


def _is_null(sent: BaseModel, name: str) -> bool:
    return getattr(sent, name) is None


def check_live_rights(caller: Caller, groups: Sequence[FieldGroup], live: Article, site: Site) -> None:
    """Require the scope of each group in the section of the live version.

    Raises:
        Problem: 403.
    """
    caller.check("publish", site.slug, live.section)
    for group in groups:
        caller.check(group.scope, site.slug, live.section)
    texts = [group for group in groups if group.is_text]
    if texts and site.separate_approver and not caller.allows("admin", site.slug, live.section):
        named = ", ".join(name for group in texts for name in group.fields)
        raise Problem(
            403,
            f"On this site another editor must approve a text ({named}): edit the working version and submit it.",
            code="second_editor_required",
        )


async def checked_live(connection: Connection, live: Article, fields: dict[str, Any], site: Site) -> Article:
    """Return the live version as it is stored, with the errors of the changed fields only: others are public already.

    Raises:
        InvalidContentError: a changed field is invalid or not complete enough to be public.
        Problem: 413 if the article is too large.
    """
    if any(name in fields for name in _IMAGE_FIELDS):
        live = await resolve_media(connection, with_own_paths(live, site), strict=True)
    errors = publishing_errors(live, site)
    try:
        check_limits(live, site)
    except InvalidContentError as error:
        errors = [*error.errors, *errors]
    errors = [one for one in errors if one.field.partition(".")[0] in fields]
    if errors:
        raise InvalidContentError(errors)
    return live


async def save_carried(  # noqa: PLR0917 - the state of the request
    connection: Connection, before: StoredArticle, stored: StoredArticle, carried: CarryOver, caller: Caller, site: Site
) -> StoredArticle:
    """Save the changes that carry the live version's over into the others."""
    for change in carried.changes:
        check_limits(change.revised, site)
        if change.scheduled is not None and "scheduled" in change.copies:
            errors = publishing_errors(change.scheduled, site)
            if errors:
                raise InvalidContentError(errors)
        saved = await save_change(connection, before, change, caller.actor, "the change of the live version")
        stored = stored.after(saved)
    return stored

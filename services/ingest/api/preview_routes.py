"""`/api/articles/{id}/previews`, `/api/pages/{id}/previews`: preview links; `/previews` on the internal port."""

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.ingest.api.dependencies import (
    ApiContext,
    ApiContextDep,
    ArticleId,
    PublishCaller,
    WriteCaller,
    load_article,
)
from services.ingest.api.idempotency import run_once
from services.ingest.api.page_routes import PageId, site_of_page
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.previews import (
    EXPIRES_SECONDS_DEFAULT,
    EXPIRES_SECONDS_MAX,
    EXPIRES_SECONDS_MIN,
    VALID_LINKS_MAX,
    PreviewLink,
    PreviewLinkList,
    Shown,
)
from services.ingest.auth import audit
from services.ingest.auth.callers import Caller
from services.ingest.queries import SQL
from services.ingest.structure.pages import read_page
from shared.http.problems import Problem
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.previews import HEADER, PATH

router = APIRouter()


class PreviewRequest(BaseModel):
    """The version to show, and for how long."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 3, "expires_in": 86_400}]})

    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="null: the working version, whichever it is when the link is opened"
    )
    expires_in: int = Field(
        EXPIRES_SECONDS_DEFAULT, ge=EXPIRES_SECONDS_MIN, le=EXPIRES_SECONDS_MAX, description="seconds; at most 30 days"
    )


class PagePreviewRequest(BaseModel):
    """For how long: a link to a static page shows its working copy, whatever it is when the link is opened."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"expires_in": 86_400}]})

    expires_in: int = Field(
        EXPIRES_SECONDS_DEFAULT, ge=EXPIRES_SECONDS_MIN, le=EXPIRES_SECONDS_MAX, description="seconds; at most 30 days"
    )


@dataclass(frozen=True)
class _Target:
    """What links show, and the site that it is on."""

    shown: Shown
    site: str

    @property
    def details(self) -> dict[str, str]:
        """What the audit log names."""
        return {name: value for name, value in self.shown._asdict().items() if value is not None}


async def _article(
    context: ApiContext, connection: Connection, article_id: str, caller: Caller, *, for_update: bool = False
) -> tuple[_Target, StoredArticle]:
    stored = await load_article(context, connection, article_id, caller, "write", for_update=for_update)
    return _Target(Shown(article=article_id), stored.head.site), stored


async def _page(
    context: ApiContext, connection: Connection, page_id: str, caller: Caller, *, for_update: bool = False
) -> _Target:
    stored = await read_page(connection, page_id, for_update=for_update)
    return _Target(Shown(page=page_id), site_of_page(context, caller, "publish", stored, page_id).slug)


async def _create(  # noqa: PLR0917 - the parameters of both kinds
    context: ApiContext, connection: Connection, caller: Caller, target: _Target, version: int | None, seconds: int
) -> Response:
    made = await context.previews.create(connection, target.shown, version, seconds, caller.actor.name)
    if made is None:
        what = "page" if target.shown.article is None else "article"
        raise Problem(
            409, f"The {what} has {VALID_LINKS_MAX} valid preview links already; revoke some.", code="limit_reached"
        )
    link = context.previews.link(made, context.site_url(target.site))
    details = {**target.details, "version": version, "expires_at": link.expires_at}
    await audit.record(
        connection, caller.actor, "create", kind="preview", id=link.id, site=target.site, details=details
    )
    return json_response(link, 201)


async def _list(context: ApiContext, connection: Connection, target: _Target) -> Response:
    rows = await connection.fetch(SQL["list_previews"], *target.shown)
    url = context.site_url(target.site)
    return json_response(PreviewLinkList([context.previews.link(row, url) for row in rows]))


async def _revoke(connection: Connection, caller: Caller, target: _Target, preview: str) -> Response:
    revoked = await connection.fetchval(SQL["revoke_preview"], *target.shown, preview)
    if revoked is None:
        what = "page" if target.shown.article is None else "article"
        raise Problem(404, f"The {what} has no such preview link.")
    if revoked:
        await audit.record(
            connection, caller.actor, "revoke", kind="preview", id=preview, site=target.site, details=target.details
        )
    return Response(status_code=204)


@router.post(
    "/articles/{article_id}/previews",
    status_code=201,
    tags=["Previews"],
    summary="Create a preview link",
    responses=response_docs(201, PreviewLink, problems=(403, 404, 409)),
)
async def create_preview(
    request: Request, context: ApiContextDep, caller: WriteCaller, article_id: ArticleId, sent: PreviewRequest
) -> Response:
    """Return a link that shows a version in the site's theme to anybody who has it, until it expires or is revoked."""

    async def act(connection: Connection) -> Response:
        target, stored = await _article(context, connection, article_id, caller, for_update=True)
        if stored.head.state == "killed":
            raise Problem(409, "The article is killed and cannot be previewed.", state=stored.head.state)
        if sent.version is not None and await connection.fetchval(SQL["revision"], article_id, sent.version) is None:
            raise Problem(404, f"The article {article_id!r} has no version {sent.version}.")
        return await _create(context, connection, caller, target, sent.version, sent.expires_in)

    await context.previews.read_secret()
    return await run_once(context.pool, request, caller, act)


@router.get(
    "/articles/{article_id}/previews",
    tags=["Previews"],
    summary="List the preview links of an article",
    responses=response_docs(200, PreviewLinkList, problems=(403, 404)),
)
async def list_previews(context: ApiContextDep, caller: WriteCaller, article_id: ArticleId) -> Response:
    """Return the links that have not expired, newest first, also those that were revoked."""
    await context.previews.read_secret()
    async with context.pool.acquire() as connection:
        target, _ = await _article(context, connection, article_id, caller)
        return await _list(context, connection, target)


@router.delete(
    "/articles/{article_id}/previews/{preview}",
    status_code=204,
    tags=["Previews"],
    summary="Revoke a preview link",
    responses=response_docs(204, problems=(403, 404)),
)
async def revoke_preview(context: ApiContextDep, caller: WriteCaller, article_id: ArticleId, preview: str) -> Response:
    """End a link at once. It stays in the list until it would have expired."""
    async with context.pool.acquire() as connection, connection.transaction():
        target, _ = await _article(context, connection, article_id, caller, for_update=True)
        return await _revoke(connection, caller, target, preview)


@router.post(
    "/pages/{page_id}/previews",
    status_code=201,
    tags=["Previews"],
    summary="Create a preview link of a static page",
    responses=response_docs(201, PreviewLink, problems=(403, 404, 409)),
)
async def create_page_preview(
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    page_id: PageId,
    sent: PagePreviewRequest | None = None,
) -> Response:
    """Return a link that shows the working copy in the site's theme, until it expires, or the page is withdrawn."""

    async def act(connection: Connection) -> Response:
        target = await _page(context, connection, page_id, caller, for_update=True)
        return await _create(context, connection, caller, target, None, (sent or PagePreviewRequest()).expires_in)

    await context.previews.read_secret()
    return await run_once(context.pool, request, caller, act)


@router.get(
    "/pages/{page_id}/previews",
    tags=["Previews"],
    summary="List the preview links of a static page",
    responses=response_docs(200, PreviewLinkList, problems=(403, 404)),
)
async def list_page_previews(context: ApiContextDep, caller: PublishCaller, page_id: PageId) -> Response:
    """Return the links that have not expired, newest first, also those that were revoked."""
    await context.previews.read_secret()
    async with context.pool.acquire() as connection:
        return await _list(context, connection, await _page(context, connection, page_id, caller))


@router.delete(
    "/pages/{page_id}/previews/{preview}",
    status_code=204,
    tags=["Previews"],
    summary="Revoke a preview link of a static page",
    responses=response_docs(204, problems=(403, 404)),
)
async def revoke_page_preview(context: ApiContextDep, caller: PublishCaller, page_id: PageId, preview: str) -> Response:
    """End a link at once. It stays in the list until it would have expired."""
    async with context.pool.acquire() as connection, connection.transaction():
        target = await _page(context, connection, page_id, caller, for_update=True)
        return await _revoke(connection, caller, target, preview)


def internal_route(context: ApiContext) -> Route:
    """Return the route of the internal port on which render asks for the version that a link shows."""

    async def show(request: Request) -> Response:
        try:
            found = await context.previews.show(request.headers.get(HEADER, ""))
        except POSTGRES_UNAVAILABLE as error:
            raise Problem(
                503, "The database is unavailable.", headers={"retry-after": "2"}, code="database_unavailable"
            ) from error
        if found is None:
            raise Problem(404, "Not found.")
        return json_response(found)

    return Route(PATH, show)

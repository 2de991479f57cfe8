"""`/api/articles/{id}/previews`: preview links; and `/previews` on the internal port, which render asks."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.ingest.api.dependencies import ApiContext, ApiContextDep, ArticleId, WriteCaller, load_article
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.articles.previews import (
    EXPIRES_SECONDS_DEFAULT,
    EXPIRES_SECONDS_MAX,
    EXPIRES_SECONDS_MIN,
    VALID_LINKS_MAX,
    PreviewLink,
    PreviewLinkList,
)
from services.ingest.auth import audit
from services.ingest.queries import SQL
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
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        if stored.head.state == "killed":
            raise Problem(409, "The article is killed and cannot be previewed.", state=stored.head.state)
        if sent.version is not None and await connection.fetchval(SQL["revision"], article_id, sent.version) is None:
            raise Problem(404, f"The article {article_id!r} has no version {sent.version}.")
        made = await context.previews.create(connection, article_id, sent.version, sent.expires_in, caller.actor.name)
        if made is None:
            raise Problem(
                409,
                f"The article has {VALID_LINKS_MAX} valid preview links already; revoke some.",
                code="limit_reached",
            )
        link = context.previews.link(made, context.site_url(stored.head.site))
        details = {"article": article_id, "version": sent.version, "expires_at": link.expires_at}
        site = stored.head.site
        await audit.record(connection, caller.actor, "create", kind="preview", id=link.id, site=site, details=details)
        return json_response(link, 201)

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
        stored = await load_article(context, connection, article_id, caller, "write")
        rows = await connection.fetch(SQL["list_previews"], article_id)
    url = context.site_url(stored.head.site)
    return json_response(PreviewLinkList([context.previews.link(row, url) for row in rows]))


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
        stored = await load_article(context, connection, article_id, caller, "write", for_update=True)
        revoked = await connection.fetchval(SQL["revoke_preview"], article_id, preview)
        if revoked is None:
            raise Problem(404, "The article has no such preview link.")
        if revoked:
            details = {"article": article_id}
            await audit.record(
                connection,
                caller.actor,
                "revoke",
                kind="preview",
                id=preview,
                site=stored.head.site,
                details=details,
            )
    return Response(status_code=204)


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

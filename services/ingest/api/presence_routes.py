"""`/api/articles/{id}/presence`, `/api/pages/{id}/presence`: who has it open, and what its newest version is."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.ingest.api.article_routes import TAB_PATTERN
from services.ingest.api.autosave_routes import Tab
from services.ingest.api.dependencies import ApiContextDep, ArticleId, ReadCaller, article_place
from services.ingest.api.editing_schemas import PagePresenceResponse, PresenceResponse
from services.ingest.api.page_routes import PageId, site_of_page
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.articles import presence
from services.ingest.structure.pages import read_page

router = APIRouter(tags=["Editing"])


class PresenceIn(BaseModel):
    """The tab that has the article or the static page open."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tab": "k3Jx9", "is_writing": True}]})

    tab: str = Field("", pattern=TAB_PATTERN, description="made by the client for each tab of a browser")
    is_writing: bool = Field(False, description="whether it may have unsaved changes")


@router.put(
    "/articles/{article_id}/presence",
    summary="Report that the article is open",
    responses=response_docs(200, PresenceResponse, problems=(403, 404)),
)
async def put_presence(
    context: ApiContextDep, caller: ReadCaller, article_id: ArticleId, sent: PresenceIn | None = None
) -> Response:
    """Renew the caller's presence at an article, and return who else is there and the newest version.

    Sent every 5 seconds or less by a visible page; it expires after 10 seconds. Nothing is locked.
    """
    page = sent or PresenceIn()
    async with context.pool.acquire() as connection:
        place = await article_place(connection, article_id, caller, "read")
        people = await presence.enter(connection, caller, article_id, page.tab, is_writing=page.is_writing)
    changed = (place.changed_by, place.changed_at, place.changed_action)
    return json_response(PresenceResponse(people, place.version, place.state, *changed, presence.EXPIRES_SECONDS))


@router.delete(
    "/articles/{article_id}/presence",
    status_code=204,
    summary="Report that the article was closed",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_presence(
    context: ApiContextDep, caller: ReadCaller, article_id: ArticleId, tab: Tab | None = None
) -> Response:
    """End the presence of one tab, or of all tabs of the caller."""
    async with context.pool.acquire() as connection:
        await article_place(connection, article_id, caller, "read")
        await presence.leave(connection, caller, article_id, tab)
    return Response(status_code=204)


@router.put(
    "/pages/{page_id}/presence",
    summary="Report that the static page is open",
    responses=response_docs(200, PagePresenceResponse, problems=(403, 404)),
)
async def put_page_presence(
    context: ApiContextDep, caller: ReadCaller, page_id: PageId, sent: PresenceIn | None = None
) -> Response:
    """Renew the caller's presence at a static page, and return who else is there and the newest version.

    Sent every 5 seconds or less by a visible page; it expires after 10 seconds. Nothing is locked.
    """
    tab = sent or PresenceIn()
    async with context.pool.acquire() as connection:
        stored = await read_page(connection, page_id)
        site_of_page(context, caller, "read", stored, page_id)
        assert stored is not None
        people = await presence.enter(connection, caller, page_id, tab.tab, is_writing=tab.is_writing)
    page = stored.page
    changed = (stored.modified_by, page.modified_at)
    return json_response(PagePresenceResponse(people, page.version, *changed, presence.EXPIRES_SECONDS))


@router.delete(
    "/pages/{page_id}/presence",
    status_code=204,
    summary="Report that the static page was closed",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_page_presence(
    context: ApiContextDep, caller: ReadCaller, page_id: PageId, tab: Tab | None = None
) -> Response:
    """End the presence of one tab, or of all tabs of the caller."""
    async with context.pool.acquire() as connection:
        site_of_page(context, caller, "read", await read_page(connection, page_id), page_id)
        await presence.leave(connection, caller, page_id, tab)
    return Response(status_code=204)

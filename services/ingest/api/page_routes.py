"""`/api/pages`: static pages such as "Giới thiệu", with a working copy and a public one."""

from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import (
    CHANGES_ARTICLES,
    ApiContext,
    ApiContextDep,
    PublishCaller,
    ReadCaller,
)
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.api.structure_images import stored_body
from services.ingest.api.structure_requests import SiteQuery, change_once, check_version, structure_site, with_etag
from services.ingest.api.structure_schemas import StaticPageList, StaticPageResponse, StaticPageRow
from services.ingest.articles.related_blocks import with_known_cards
from services.ingest.articles.store import database_time
from services.ingest.auth import audit
from services.ingest.auth.callers import Caller
from services.ingest.content.article_models import Body
from services.ingest.content.block_models import SLUG_PATTERN, Input, Line, Title
from services.ingest.content.conversion import body_of
from services.ingest.content.own_urls import own_paths
from services.ingest.structure.pages import (
    StoredPage,
    change_page,
    delete_page,
    insert_page,
    list_pages,
    publish_page,
    read_page,
)
from services.ingest.structure.store import next_version
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.site_structure import DESCRIPTION_CHARACTERS_MAX, PageKind, StaticPage, page_path
from shared.sites import Site
from shared.slugs import name_slug

router = APIRouter()
PageId = Annotated[str, Path(max_length=64, pattern="^[A-Za-z0-9-]+$", description="ID of the page")]
PageSlug = Annotated[str, Field(min_length=1, max_length=100, pattern=SLUG_PATTERN)]
Description = Annotated[Line, Field(max_length=DESCRIPTION_CHARACTERS_MAX, description="for search engines")]


PageLanguage = Annotated[str, Field(pattern="^([a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3})?$", max_length=35)]


class PageIn(Input):
    """A new static page."""

    site: str | None = Field(None, max_length=40)
    title: Title = Field(examples=["Giới thiệu"])
    slug: PageSlug | None = Field(None, description="default: derived from the title")
    description: Description = ""
    kind: PageKind = Field("page", description="pages of one kind in several languages are translations of each other")
    language: PageLanguage = Field("", description="BCP 47; default: that of the site")
    body: Body = Field([])
    body_format: str = Field("html", pattern="^(html|markdown)$")


class PagePatch(Input):
    """Changes of a static page."""

    title: Title | None = None
    slug: PageSlug | None = None
    description: Description | None = None
    kind: PageKind | None = None
    language: PageLanguage | None = None
    body: Body | None = None
    body_format: str = Field("html", pattern="^(html|markdown)$")


@router.get(
    "/pages",
    tags=["Structure"],
    summary="List the static pages",
    responses=response_docs(200, StaticPageList, problems=(403, 404)),
)
async def list_static_pages(
    request: Request, context: ApiContextDep, caller: ReadCaller, site: SiteQuery = None
) -> Response:
    """List the static pages of a site by title, without their bodies."""
    wanted = structure_site(context, request, caller, "read", site)
    shown = [_response(wanted, one) for one in await list_pages(context.pool, wanted.slug)]
    rows = [StaticPageRow(**{name: getattr(one, name) for name in StaticPageRow.__struct_fields__}) for one in shown]
    return json_response(StaticPageList(site=wanted.slug, pages=rows))


@router.get(
    "/pages/{page_id}",
    tags=["Structure"],
    summary="Read a static page",
    responses=response_docs(200, StaticPageResponse, problems=(403, 404)),
)
async def get_static_page(context: ApiContextDep, caller: ReadCaller, page_id: PageId) -> Response:
    """Read the working copy of a static page."""
    stored = await read_page(context.pool, page_id)
    return _answer(site_of_page(context, caller, "read", stored, page_id), stored)


@router.post(
    "/pages",
    status_code=201,
    tags=["Structure"],
    summary="Create a static page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(201, StaticPageResponse, problems=(403, 404, 409)),
)
async def create_static_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    sent: PageIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a static page. It is not public before it is published."""
    site = structure_site(context, request, caller, "publish", sent.site)
    body = await context.convert(body_of, sent.body, sent.body_format)

    async def act(connection: Connection) -> Response:
        page = StaticPage(
            site=site.slug,
            id=str(uuid4()),
            version=await next_version(connection),
            state="withdrawn",
            slug=sent.slug or name_slug(sent.title) or "trang",
            title=sent.title,
            description=sent.description,
            kind=sent.kind,
            language=sent.language,
            body=await stored_body(connection, site.slug, own_paths(body, site)),
            modified_at=await database_time(connection),
        )
        stored = await insert_page(connection, page, caller.actor.name)
        await _record(connection, caller, "create", stored)
        return _answer(site, stored, 201)

    return await change_once(context, request, caller, act)


@router.patch(
    "/pages/{page_id}",
    tags=["Structure"],
    summary="Change a static page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, StaticPageResponse, problems=(403, 404, 409, 412, 428)),
)
async def change_static_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    page_id: PageId,
    sent: PagePatch,
    if_match: IfMatch = None,
) -> Response:
    """Change the working copy. Readers see the public one until the page is published again."""
    body = None if sent.body is None else await context.convert(body_of, sent.body, sent.body_format)

    async def act(connection: Connection) -> Response:
        stored = await read_page(connection, page_id, for_update=True)
        site = site_of_page(context, caller, "publish", stored, page_id)
        assert stored is not None
        check_version(request, stored.page.version)
        names = ("title", "slug", "description", "kind", "language")
        given: dict[str, Any] = {name: getattr(sent, name) for name in names}
        if body is not None:
            known = with_known_cards(body, [*stored.page.body, *(stored.live.body if stored.live else ())])
            given["body"] = await stored_body(connection, site.slug, own_paths(known, site))
        changed = {name: value for name, value in given.items() if value is not None}
        page = msgspec.structs.replace(stored.page, **changed)
        after = await change_page(connection, stored, page, caller.actor.name)
        await _record(connection, caller, "edit", after)
        return _answer(site, after)

    return await change_once(context, request, caller, act)


async def _publish(
    context: ApiContext, request: Request, caller: Caller, page_id: str, *, is_withdrawal: bool
) -> Response:
    async def act(connection: Connection) -> Response:
        stored = await read_page(connection, page_id, for_update=True)
        site = site_of_page(context, caller, "publish", stored, page_id)
        assert stored is not None
        check_version(request, stored.page.version, is_required=not is_withdrawal)
        after = await publish_page(connection, stored, caller.actor.name, is_withdrawal=is_withdrawal)
        await _record(connection, caller, "unpublish" if is_withdrawal else "publish", after)
        return _answer(site, after)

    return await change_once(context, request, caller, act)


@router.post(
    "/pages/{page_id}/publish",
    tags=["Structure"],
    summary="Publish a static page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, StaticPageResponse, problems=(403, 404, 409, 412, 428)),
)
async def publish_static_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    page_id: PageId,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make the working copy public. A former slug of the page redirects. Requires the version that was read."""
    return await _publish(context, request, caller, page_id, is_withdrawal=False)


@router.post(
    "/pages/{page_id}/unpublish",
    tags=["Structure"],
    summary="Withdraw a static page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, StaticPageResponse, problems=(403, 404, 409, 412)),
)
async def unpublish_static_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    page_id: PageId,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Withdraw a page: its address is 404, and it is in no menu."""
    return await _publish(context, request, caller, page_id, is_withdrawal=True)


@router.delete(
    "/pages/{page_id}",
    status_code=204,
    tags=["Structure"],
    summary="Delete a static page that is not public",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(204, problems=(403, 404, 409, 412, 428)),
)
async def delete_static_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    page_id: PageId,
    if_match: IfMatch = None,
) -> Response:
    """Delete a page that was never public, or that was unpublished. Requires the version that was read.

    Its slug is free. Addresses at which it was public are gone (410) until another page has them. It cannot be undone;
    the audit log has its title and who deleted it.
    """

    async def act(connection: Connection) -> Response:
        stored = await read_page(connection, page_id, for_update=True)
        site_of_page(context, caller, "publish", stored, page_id)
        assert stored is not None
        check_version(request, stored.page.version)
        await delete_page(connection, stored, caller.actor.name)
        await _record(connection, caller, "delete", stored)
        return Response(status_code=204)

    return await change_once(context, request, caller, act)


def site_of_page(context: ApiContext, caller: Caller, scope: str, stored: StoredPage | None, page_id: str) -> Site:
    """Return the site of a page that the caller may access.

    Raises:
        Problem: 403 without the scope; 404 if there is no such page on the caller's sites.
    """
    if stored is None or not caller.reaches(stored.page.site) or stored.page.site not in context.sites:
        raise Problem(404, f"There is no page {page_id!r}.")
    site = context.site(stored.page.site)
    if scope != "read":
        caller.check(scope, site.slug)
    return site


async def _record(connection: Connection, caller: Caller, action: str, stored: StoredPage) -> None:
    page = stored.page
    details = {"title": page.title, "slug": page.slug, "version": page.version}
    await audit.record(connection, caller.actor, action, kind="page", id=page.id, site=page.site, details=details)


def _answer(site: Site, stored: StoredPage | None, status: int = 200) -> Response:
    assert stored is not None
    shown = _response(site, stored)
    headers = {"location": f"/api/pages/{shown.id}"} if status == 201 else {}
    return with_etag(shown, shown.version, status, **headers)


def _response(site: Site, stored: StoredPage) -> StaticPageResponse:
    page, live = stored.page, stored.live
    is_public = live is not None and live.state == "published"
    same = ("slug", "title", "description", "kind", "language", "body")
    return StaticPageResponse(
        id=page.id,
        site=page.site,
        version=page.version,
        slug=page.slug,
        title=page.title,
        description=page.description,
        kind=page.kind,
        language=page.language,
        body=page.body,
        old_slugs=live.old_slugs if live else [],
        created_at=stored.created_at,
        modified_at=page.modified_at,
        modified_by=stored.modified_by,
        state="draft" if live is None else live.state,
        live_version=live.version if live else None,
        has_changes=live is None or any(getattr(page, name) != getattr(live, name) for name in same),
        url=site.url + page_path(live.slug) if live is not None and is_public else None,
    )

"""`/api/tags`: the tags of a site with their articles; search, rename and merge."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, PublishCaller, ReadCaller
from services.ingest.api.pagination import Cursor, decode_cursor, encode_cursor
from services.ingest.api.schemas import response_docs
from services.ingest.api.structure_requests import (
    MergeRequest,
    SiteQuery,
    SlugPath,
    apply,
    change_once,
    check_version,
    locked_index,
    read_index,
    read_term,
    slug_of_name,
    structure_site,
    with_etag,
)
from services.ingest.api.structure_schemas import TagList, TagResponse
from services.ingest.content.article_models import TagName
from services.ingest.content.block_models import Input
from services.ingest.structure import changes
from services.ingest.structure.terms import Term, matching, read_terms
from shared.postgres import Connection
from shared.site_structure import SiteStructure, StructureIndex, StructureTag
from shared.sites import Site

router = APIRouter()
TERMS_MAX = 100
Words = Annotated[str, Query(max_length=100, description="beginnings of words, with or without diacritics")]
Size = Annotated[int, Query(ge=1, le=TERMS_MAX)]


class TagPatch(Input):
    """Another name of a tag: another spelling, or another tag."""

    name: TagName


@router.get(
    "/tags",
    tags=["Structure"],
    summary="List or search the tags",
    responses=response_docs(200, TagList, problems=(403, 404)),
)
async def list_tags(
    *,
    request: Request,
    context: ApiContextDep,
    caller: ReadCaller,
    site: SiteQuery = None,
    q: Words = "",
    cursor: Cursor = None,
    limit: Size = 20,
) -> Response:
    """List tags, the most used first: those that articles name, and those that were renamed or merged."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    found = matching((await read_terms(context.pool, index, "tag")).values(), q)
    first = 0 if cursor is None else decode_cursor(cursor)
    rows = [_response(wanted, index, term) for term in found[first : first + limit]]
    following = encode_cursor(rows, limit, first + limit)
    return with_etag(TagList(site=wanted.slug, version=index.version, tags=rows, next=following), index.version)


@router.get(
    "/tags/{slug}",
    tags=["Structure"],
    summary="Read a tag",
    responses=response_docs(200, TagResponse, problems=(403, 404)),
)
async def get_tag(
    *, request: Request, context: ApiContextDep, caller: ReadCaller, slug: SlugPath, site: SiteQuery = None
) -> Response:
    """Read a tag by its slug, or by one that was given up for it."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    term = await read_term(context, index, "tag", slug)
    return with_etag(_response(wanted, index, term), term.version)


@router.patch(
    "/tags/{slug}",
    tags=["Structure"],
    summary="Rename a tag",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, TagResponse, problems=(403, 404, 409, 412, 428)),
)
async def rename_tag(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    slug: SlugPath,
    sent: TagPatch,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Set the name that pages show, whatever articles have. With another slug the former address redirects."""
    wanted = structure_site(context, request, caller, "publish", site)
    new_slug = slug_of_name(sent.name)

    async def act(connection: Connection) -> Response:
        known = await read_terms(connection, await locked_index(connection, wanted), "tag", slug)

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "tag", slug)
            check_version(request, entry.version if entry else 0)
            changed = StructureTag(slug=new_slug, name=sent.name, version=version)
            if entry is None:
                if slug not in known:
                    raise changes.not_found("tag", slug)
                before = changes.add(before, "tag", StructureTag(slug=slug, name=slug, version=version))
            elif msgspec.structs.replace(changed, version=entry.version) == entry:
                return before
            return changes.change(before, "tag", slug, changed)

        details = {"name": sent.name, "former_slug": slug}
        after = await apply(connection, context, caller, wanted, "tag", new_slug, "rename", change, details)
        return await _changed(connection, wanted, after, new_slug)

    return await change_once(context, request, caller, act)


@router.post(
    "/tags/{slug}/merge",
    tags=["Structure"],
    summary="Merge a tag into another one",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, TagResponse, problems=(403, 404, 409, 412)),
)
async def merge_tag(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    slug: SlugPath,
    sent: MergeRequest,
    site: SiteQuery = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Move all articles of a tag to another one, at once; its address redirects. It cannot be undone."""
    wanted = structure_site(context, request, caller, "publish", site)

    async def act(connection: Connection) -> Response:
        known = await read_terms(connection, await locked_index(connection, wanted), "tag")

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "tag", slug)
            check_version(request, entry.version if entry else 0, is_required=False)
            if slug not in known:
                raise changes.not_found("tag", slug)
            if changes.find(before, "tag", sent.into) is None and sent.into in known:
                into = StructureTag(slug=sent.into, name=known[sent.into].name, version=version)
                before = changes.add(before, "tag", into)
            return changes.merge(before, "tag", slug, sent.into)

        details = {"into": sent.into}
        after = await apply(connection, context, caller, wanted, "tag", slug, "merge", change, details)
        return await _changed(connection, wanted, after, sent.into)

    return await change_once(context, request, caller, act)


async def _changed(connection: Connection, site: Site, after: SiteStructure, slug: str) -> Response:
    index = StructureIndex(after)
    term = (await read_terms(connection, index, "tag", slug))[slug]
    return with_etag(_response(site, index, term), term.version)


def _response(site: Site, index: StructureIndex, term: Term) -> TagResponse:
    return TagResponse(
        slug=term.slug,
        name=term.name,
        version=term.version,
        url=f"{site.url}/tag/{term.slug}/",
        former_slugs=list(index.former("tag", term.slug)),
        spellings=term.spellings,
        articles=term.articles,
        public_articles=term.public_articles,
    )

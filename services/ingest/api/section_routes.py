"""`/api/sections`: the sections of a site, in their order; rename, merge and remove."""

from typing import Annotated

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import (
    CHANGES_ARTICLES,
    AdminCaller,
    ApiContext,
    ApiContextDep,
    PublishCaller,
    ReadCaller,
)
from services.ingest.api.schemas import response_docs
from services.ingest.api.structure_requests import (
    MergeRequest,
    SiteQuery,
    Slug,
    SlugPath,
    apply,
    articles_of,
    change_once,
    check_version,
    read_index,
    release_slug,
    structure_site,
    with_etag,
)
from services.ingest.api.structure_schemas import SectionList, SectionResponse, UndeclaredSection
from services.ingest.content.block_models import Input, Line
from services.ingest.content.errors import invalid
from services.ingest.structure import changes
from services.ingest.structure.store import count_articles
from services.ingest.structure.terms import Term, read_terms
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.site_structure import (
    DESCRIPTION_CHARACTERS_MAX,
    SECTION_NAME_CHARACTERS_MAX,
    SECTIONS_MAX,
    SiteStructure,
    StructureIndex,
    StructureSection,
)
from shared.sites import Site
from shared.slugs import name_slug

router = APIRouter()
SectionName = Annotated[Line, Field(min_length=1, max_length=SECTION_NAME_CHARACTERS_MAX)]
Description = Annotated[Line, Field(max_length=DESCRIPTION_CHARACTERS_MAX)]
Position = Annotated[int, Field(ge=0, le=SECTIONS_MAX, description="in the order of the sections, from 0")]
Reuse = Annotated[bool, Field(description="use a slug again that was given up; no article may have it")]


class SectionIn(Input):
    """A new section."""

    site: str | None = Field(None, max_length=40)
    name: SectionName = Field(examples=["Văn hóa"])
    slug: Slug | None = Field(None, description="default: derived from the name")
    description: Description = ""
    position: Position | None = None
    reuse: Reuse = False


class SectionPatch(Input):
    """Changes of a section; another slug renames it, and needs the scope admin."""

    name: SectionName | None = None
    slug: Slug | None = None
    description: Description | None = None
    position: Position | None = None
    reuse: Reuse = False


@router.get(
    "/sections",
    tags=["Structure"],
    summary="List the sections",
    responses=response_docs(200, SectionList, problems=(403, 404)),
)
async def list_sections(
    request: Request, context: ApiContextDep, caller: ReadCaller, site: SiteQuery = None
) -> Response:
    """List the sections of a site in their order, with the number of articles that name each."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    terms = await read_terms(context.pool, index, "section")
    sections = [_response(wanted, index, terms[slug]) for slug in index.sections]
    undeclared = [UndeclaredSection(one.slug, one.articles) for one in terms.values() if one.version == 0]
    shown = SectionList(site=wanted.slug, version=index.version, sections=sections, undeclared=undeclared)
    return with_etag(shown, index.version)


@router.get(
    "/sections/{slug}",
    tags=["Structure"],
    summary="Read a section",
    responses=response_docs(200, SectionResponse, problems=(403, 404)),
)
async def get_section(
    *, request: Request, context: ApiContextDep, caller: ReadCaller, slug: SlugPath, site: SiteQuery = None
) -> Response:
    """Read a section by its slug, or by one that was given up for it."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    current = index.current("section", slug)
    if current not in index.sections:
        raise changes.not_found("section", slug)
    shown = _response(wanted, index, (await read_terms(context.pool, index, "section"))[current])
    return with_etag(shown, shown.version)


@router.post(
    "/sections",
    status_code=201,
    tags=["Structure"],
    summary="Add a section",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(201, SectionResponse, problems=(403, 404, 409)),
)
async def add_section(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    sent: SectionIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add a section. It is in the menu at once, unless the site has a menu of its own."""
    site = structure_site(context, request, caller, "publish", sent.site)
    slug = sent.slug or name_slug(sent.name)
    if not slug:
        raise invalid("slug", "required_without_letters")
    changes.check_section_slug(slug)

    async def act(connection: Connection) -> Response:
        if sent.reuse:
            await release_slug(connection, site.slug, "section", slug)

        def change(before: SiteStructure, version: int) -> SiteStructure:
            if sent.reuse:
                before = changes.release(before, "section", slug)
            entry = StructureSection(slug=slug, name=sent.name, description=sent.description, version=version)
            return changes.add(before, "section", entry, sent.position)

        after = await apply(connection, context, caller, site, "section", slug, "create", change, {"name": sent.name})
        return await _changed(connection, context, site, after, slug, 201)

    return await change_once(context, request, caller, act)


@router.patch(
    "/sections/{slug}",
    tags=["Structure"],
    summary="Change or rename a section",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, SectionResponse, problems=(403, 404, 409, 412, 428)),
)
async def change_section(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    slug: SlugPath,
    sent: SectionPatch,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Change a section. With another slug all its articles move at once, and its former addresses redirect."""
    wanted = structure_site(context, request, caller, "publish", site)
    new_slug = sent.slug or slug
    is_renamed = new_slug != slug
    if is_renamed:
        caller.check("admin", wanted.slug)
        changes.check_section_slug(new_slug)

    async def act(connection: Connection) -> Response:
        if sent.reuse and is_renamed:
            await release_slug(connection, wanted.slug, "section", new_slug)

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "section", slug)
            if not isinstance(entry, StructureSection):
                raise changes.not_found("section", slug)
            check_version(request, entry.version)
            if sent.reuse and is_renamed:
                before = changes.release(before, "section", new_slug)
            given = {"name": sent.name, "description": sent.description}
            fields = {name: value for name, value in given.items() if value is not None}
            changed = msgspec.structs.replace(entry, slug=new_slug, **fields)
            position = sent.position
            if changed == entry and position in (None, list(before.sections).index(entry)):
                return before
            changed = msgspec.structs.replace(changed, version=version)
            return changes.change(before, "section", slug, changed, position)

        details = {**sent.model_dump(exclude_unset=True), **({"former_slug": slug} if is_renamed else {})}
        action = "rename" if is_renamed else "edit"
        after = await apply(connection, context, caller, wanted, "section", new_slug, action, change, details)
        return await _changed(connection, context, wanted, after, new_slug)

    return await change_once(context, request, caller, act)


@router.post(
    "/sections/{slug}/merge",
    tags=["Structure"],
    summary="Merge a section into another one",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, SectionResponse, problems=(403, 404, 409, 412, 428)),
)
async def merge_section(
    *,
    request: Request,
    context: ApiContextDep,
    caller: AdminCaller,
    slug: SlugPath,
    sent: MergeRequest,
    site: SiteQuery = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Move all articles of a section into another one, at once. Its addresses redirect. It cannot be undone."""
    wanted = structure_site(context, request, caller, "admin", site)

    async def act(connection: Connection) -> Response:
        undeclared = await count_articles(connection, wanted.slug, "section", [slug])

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "section", slug)
            check_version(request, entry.version if entry else 0)
            if entry is None and (slug in before.section_aliases or not undeclared):
                raise changes.not_found("section", slug)
            return changes.merge(before, "section", slug, sent.into)

        after = await apply(connection, context, caller, wanted, "section", slug, "merge", change, {"into": sent.into})
        return await _changed(connection, context, wanted, after, sent.into)

    return await change_once(context, request, caller, act)


@router.delete(
    "/sections/{slug}",
    status_code=204,
    tags=["Structure"],
    summary="Remove a section without articles",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(204, problems=(403, 404, 409, 412, 428)),
)
async def remove_section(
    *,
    request: Request,
    context: ApiContextDep,
    caller: AdminCaller,
    slug: SlugPath,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Remove a section that no article names; one with articles is merged into another one instead."""
    wanted = structure_site(context, request, caller, "admin", site)

    async def act(connection: Connection) -> Response:
        removed: list[SiteStructure] = []

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "section", slug)
            if entry is None:
                raise changes.not_found("section", slug)
            check_version(request, entry.version)
            removed.append(before)
            return changes.remove(before, "section", slug)

        await apply(connection, context, caller, wanted, "section", slug, "remove", change)
        if count := await articles_of(connection, removed[0], "section", slug):
            detail = f"{count:,} article(s) are in the section {slug!r}; merge it into another one."
            raise Problem(409, detail, articles=count, code="in_use")
        return Response(status_code=204)

    return await change_once(context, request, caller, act)


async def _changed(  # noqa: PLR0917 - the parameters of its routes
    connection: Connection, context: ApiContext, site: Site, after: SiteStructure, slug: str, status: int = 200
) -> Response:
    index = StructureIndex(after)
    shown = _response(site, index, (await read_terms(connection, index, "section"))[slug])
    headers = {"location": f"/api/sections/{slug}?site={site.slug}"} if status == 201 else {}
    return with_etag(shown, shown.version, status, **headers)


def _response(site: Site, index: StructureIndex, term: Term) -> SectionResponse:
    entry = index.sections[term.slug]
    return SectionResponse(
        slug=entry.slug,
        name=entry.name,
        description=entry.description,
        version=entry.version,
        url=f"{site.url}/{entry.slug}/",
        former_slugs=list(index.former("section", entry.slug)),
        articles=term.articles,
        public_articles=term.public_articles,
    )

"""`/api/authors`: the people and organisations of bylines; those with a page of their own; rename and merge."""

from typing import Annotated

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, PublishCaller, ReadCaller
from services.ingest.api.pagination import Cursor, decode_cursor, encode_cursor
from services.ingest.api.schemas import response_docs
from services.ingest.api.structure_images import stored_image
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
from services.ingest.api.structure_schemas import AuthorList, AuthorResponse
from services.ingest.api.tag_routes import Size, Words
from services.ingest.content.block_models import ImageIn, Input, Line, Name, Text
from services.ingest.structure import changes
from services.ingest.structure.terms import Term, matching, read_terms
from shared.postgres import Connection
from shared.site_structure import (
    BIO_CHARACTERS_MAX,
    EMAIL_CHARACTERS_MAX,
    SiteStructure,
    StructureAuthor,
    StructureIndex,
    author_path,
)
from shared.sites import Site

router = APIRouter()
Role = Annotated[Line, Field(max_length=60)]
Bio = Annotated[Text, Field(max_length=BIO_CHARACTERS_MAX, description="plain text; each line is a paragraph")]
Email = Annotated[Line, Field(max_length=EMAIL_CHARACTERS_MAX, pattern=r"^([^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\".]+)?$")]


class AuthorProfileIn(Input):
    """A new author with a page."""

    site: str | None = Field(None, max_length=40)
    name: Name = Field(examples=["Nguyễn Văn A"])
    role: Role = ""
    bio: Bio = ""
    photo: ImageIn | None = None
    email: Email = ""
    email_is_public: bool = False


class AuthorPatch(Input):
    """Changes of an author; null removes the photo. Another name changes the address, and the former one redirects."""

    name: Name | None = None
    role: Role | None = None
    bio: Bio | None = None
    photo: ImageIn | None = None
    email: Email | None = None
    email_is_public: bool | None = None


@router.get(
    "/authors",
    tags=["Structure"],
    summary="List or search the authors",
    responses=response_docs(200, AuthorList, problems=(403, 404)),
)
async def list_authors(
    *,
    request: Request,
    context: ApiContextDep,
    caller: ReadCaller,
    site: SiteQuery = None,
    q: Words = "",
    cursor: Cursor = None,
    limit: Size = 20,
) -> Response:
    """List the authors that bylines name, and those with a page of their own; the latter come first."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    found = matching((await read_terms(context.pool, index, "author")).values(), q)
    found.sort(key=lambda one: one.version == 0)  # stable: the most used of both are first
    first = 0 if cursor is None else decode_cursor(cursor)
    rows = [_response(wanted, index, term) for term in found[first : first + limit]]
    following = encode_cursor(rows, limit, first + limit)
    return with_etag(AuthorList(site=wanted.slug, version=index.version, authors=rows, next=following), index.version)


@router.get(
    "/authors/{slug}",
    tags=["Structure"],
    summary="Read an author",
    responses=response_docs(200, AuthorResponse, problems=(403, 404)),
)
async def get_author(
    *, request: Request, context: ApiContextDep, caller: ReadCaller, slug: SlugPath, site: SiteQuery = None
) -> Response:
    """Read an author by its slug, or by one that was given up for it."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    term = await read_term(context, index, "author", slug)
    return with_etag(_response(wanted, index, term), term.version)


@router.post(
    "/authors",
    status_code=201,
    tags=["Structure"],
    summary="Add an author with a page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(201, AuthorResponse, problems=(403, 404, 409)),
)
async def add_author(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    sent: AuthorProfileIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add an author: the page has all articles whose bylines have the name, whenever they were written."""
    site = structure_site(context, request, caller, "publish", sent.site)
    slug = slug_of_name(sent.name)

    async def act(connection: Connection) -> Response:
        photo = await stored_image(connection, site.slug, sent.photo, "photo")
        fields = sent.model_dump(exclude={"site", "photo"})

        def change(before: SiteStructure, version: int) -> SiteStructure:
            author = StructureAuthor(slug=slug, photo=photo, version=version, **fields)
            return changes.add(before, "author", author)

        after = await apply(connection, context, caller, site, "author", slug, "create", change, {"name": sent.name})
        return await _changed(connection, site, after, slug, 201)

    return await change_once(context, request, caller, act)


@router.patch(
    "/authors/{slug}",
    tags=["Structure"],
    summary="Change or rename an author",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, AuthorResponse, problems=(403, 404, 409, 412, 428)),
)
async def change_author(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    slug: SlugPath,
    sent: AuthorPatch,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Change an author. With another name all bylines of the former one have the new one at once."""
    wanted = structure_site(context, request, caller, "publish", site)
    new_slug = slug if sent.name is None else slug_of_name(sent.name)

    async def act(connection: Connection) -> Response:
        given = {name: value for name, value in sent.model_dump(exclude={"photo"}).items() if value is not None}
        if "photo" in sent.model_fields_set:
            given["photo"] = await stored_image(connection, wanted.slug, sent.photo, "photo")

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "author", slug)
            if not isinstance(entry, StructureAuthor):
                raise changes.not_found("author", slug)
            check_version(request, entry.version)
            changed = msgspec.structs.replace(entry, slug=new_slug, **given)
            if changed == entry:
                return before
            return changes.change(before, "author", slug, msgspec.structs.replace(changed, version=version))

        action, details = ("edit", {}) if new_slug == slug else ("rename", {"former_slug": slug, "name": sent.name})
        after = await apply(connection, context, caller, wanted, "author", new_slug, action, change, details)
        return await _changed(connection, wanted, after, new_slug)

    return await change_once(context, request, caller, act)


@router.post(
    "/authors/{slug}/merge",
    tags=["Structure"],
    summary="Merge an author into another one",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, AuthorResponse, problems=(403, 404, 409, 412)),
)
async def merge_author(
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
    """Give all bylines of an author the name of another one, who must have a page. It cannot be undone."""
    wanted = structure_site(context, request, caller, "publish", site)

    async def act(connection: Connection) -> Response:
        known = await read_terms(connection, await locked_index(connection, wanted), "author", slug)

        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "author", slug)
            check_version(request, entry.version if entry else 0, is_required=False)
            if slug not in known:
                raise changes.not_found("author", slug)
            return changes.merge(before, "author", slug, sent.into)

        details = {"into": sent.into}
        after = await apply(connection, context, caller, wanted, "author", slug, "merge", change, details)
        return await _changed(connection, wanted, after, sent.into)

    return await change_once(context, request, caller, act)


@router.delete(
    "/authors/{slug}",
    status_code=204,
    tags=["Structure"],
    summary="Remove an author's page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(204, problems=(403, 404, 412, 428)),
)
async def remove_author(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    slug: SlugPath,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Remove an author's page. Bylines stay as articles have them, without a link."""
    wanted = structure_site(context, request, caller, "publish", site)

    async def act(connection: Connection) -> Response:
        def change(before: SiteStructure, version: int) -> SiteStructure:
            entry = changes.find(before, "author", slug)
            check_version(request, entry.version if entry else 0)
            return changes.remove(before, "author", slug)

        await apply(connection, context, caller, wanted, "author", slug, "remove", change)
        return Response(status_code=204)

    return await change_once(context, request, caller, act)


async def _changed(connection: Connection, site: Site, after: SiteStructure, slug: str, status: int = 200) -> Response:
    index = StructureIndex(after)
    term = (await read_terms(connection, index, "author", slug))[slug]
    headers = {"location": f"/api/authors/{slug}?site={site.slug}"} if status == 201 else {}
    return with_etag(_response(site, index, term), term.version, status, **headers)


def _response(site: Site, index: StructureIndex, term: Term) -> AuthorResponse:
    known = index.authors.get(term.slug)
    return AuthorResponse(
        slug=term.slug,
        name=term.name,
        role=known.role if known else "",
        bio=known.bio if known else "",
        photo=known.photo if known else None,
        email=known.email if known else "",
        email_is_public=known.email_is_public if known else False,
        version=term.version,
        url=site.url + author_path(term.slug) if known else None,
        former_slugs=list(index.former("author", term.slug)),
        spellings=term.spellings,
        articles=term.articles,
        public_articles=term.public_articles,
    )

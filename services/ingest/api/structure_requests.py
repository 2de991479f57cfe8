"""What the routes of sections, tags, authors, menus and static pages share: models, versions and the change itself."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.dependencies import ApiContext
from services.ingest.api.idempotency import run_once
from services.ingest.api.schemas import json_response
from services.ingest.api.version_check import named_versions
from services.ingest.articles.topic_comparison import check_compared
from services.ingest.auth import audit
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.content.block_models import SLUG_PATTERN, Input
from services.ingest.content.errors import invalid
from services.ingest.queries import STRUCTURE_SQL
from services.ingest.structure import changes
from services.ingest.structure.store import (
    Change,
    change_structure,
    count_articles,
    count_terms,
    read_structure,
)
from services.ingest.structure.terms import Term, read_terms, spellings_of
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.site_structure import Kind, SiteStructure, StructureIndex, StructureSection
from shared.sites import Site
from shared.slugs import name_slug

SLUG_LENGTH_MAX = 60
Slug = Annotated[str, Field(min_length=1, max_length=SLUG_LENGTH_MAX, pattern=SLUG_PATTERN)]
SlugPath = Annotated[str, Path(max_length=100, pattern="^[a-z0-9-]+$")]
SiteQuery = Annotated[
    str | None, Query(max_length=40, description="slug of the site; not needed if the token has one site")
]
Act = Callable[[Connection], Awaitable[Response]]


class MergeRequest(Input):
    """Where the articles go."""

    into: Slug


def structure_site(context: ApiContext, request: Request, caller: Caller, scope: str, slug: str | None) -> Site:
    """Return the site that a request names, or the caller's only one.

    Who may read any section of a site may read its structure; changes need the scope on the whole site.

    Raises:
        Problem: 403 or 404.
        InvalidContentError: no site is named, and the caller has several.
    """
    site = context.default_site(caller, scope, slug, request.headers.get("host", ""), ANY_SECTION)
    if scope != "read":
        caller.check(scope, site.slug)
    return site


def check_version(request: Request, current: int, *, is_required: bool = True) -> None:
    """Reject a change of a version that is no longer the newest.

    Raises:
        Problem: 412 with the current version; 428 without a version; 400 for an invalid If-Match.
    """
    named = request.headers.get("if-match")
    if named is None:
        if is_required:
            detail = f'Name the version to change: send If-Match: "{current}", as the ETag has it.'
            raise Problem(428, detail, version=current)
        return
    if named.strip() == "*":
        return
    if current not in named_versions(named):
        detail = f"It was changed meanwhile, and has the version {current}. Read it again first."
        raise Problem(412, detail, headers={"etag": f'"{current}"'}, version=current)


async def read_index(context: ApiContext, site: Site) -> StructureIndex:
    """Return the newest structure of a site; of one that cannot be seeded yet, as it will be seeded."""
    stored = await read_structure(context.pool, site.slug)
    if stored is None:
        await context.structures.step()
        stored = await read_structure(context.pool, site.slug)
    return StructureIndex(unseeded(site) if stored is None else stored.structure)


async def locked_index(connection: Connection, site: Site) -> StructureIndex:
    """Return the newest structure of a site in the transaction that changes it: other changes of the site wait.

    It takes no second connection: as many changes as the pool has connections would wait for each other.
    """
    stored = await read_structure(connection, site.slug, for_update=True)
    return StructureIndex(unseeded(site) if stored is None else stored.structure)


async def read_term(context: ApiContext, index: StructureIndex, kind: Kind, slug: str) -> Term:
    """Return a tag or an author by its slug, or by one that was given up for it.

    Raises:
        Problem: 404 if there is no such one.
    """
    current = index.current(kind, slug)
    term = (await read_terms(context.pool, index, kind, current)).get(current)
    if term is None:
        raise changes.not_found(kind, slug)
    return term


def slug_of_name(name: str) -> str:
    """Return the slug that a name makes.

    Raises:
        InvalidContentError: it makes none.
    """
    if slug := name_slug(name):
        return slug
    raise invalid("name", "no_letters")


def unseeded(site: Site) -> SiteStructure:
    """Return the structure of a site that has none yet: the sections of its configuration."""
    sections = [StructureSection(slug=one.slug, name=one.name, version=1) for one in site.sections]
    return SiteStructure(site=site.slug, version=1, modified_at=datetime.fromtimestamp(0, UTC), sections=sections)


async def change_once(context: ApiContext, request: Request, caller: Caller, act: Act) -> Response:
    """Run a change in a transaction, once for each Idempotency-Key, and take it over in this process.

    Raises:
        NotComparedError: the database was not compared with the topics yet.
    """

    async def checked(connection: Connection) -> Response:
        await check_compared(connection)
        return await act(connection)

    response = await run_once(context.pool, request, caller, checked)
    await context.structures.refresh()
    return response


async def apply(  # noqa: PLR0917 - what an entry of the audit log has
    connection: Connection,
    context: ApiContext,
    caller: Caller,
    site: Site,
    kind: str,
    object_id: str,
    action: str,
    change: Change,
    details: Mapping[str, Any] | None = None,
) -> SiteStructure:
    """Change the structure of a site, and record who did."""
    structure = await change_structure(connection, context.sites.declared[site.slug], change)
    await audit.record(connection, caller.actor, action, kind=kind, id=object_id, site=site.slug, details=details)
    return structure


async def articles_of(connection: Connection, structure: SiteStructure, kind: Kind, slug: str) -> int:
    """Return how many articles name what has a slug now, in any of their copies."""
    index = StructureIndex(structure)
    counted = await count_terms(connection, structure.site, kind)
    names = spellings_of(counted, index, kind, slug)
    return await count_articles(connection, structure.site, kind, names) if names else 0


async def release_slug(connection: Connection, site: str, kind: Kind, slug: str) -> None:
    """Check that no article has a slug that was given up: its articles would move with it.

    People who have rights in a section by its former slug keep them in that section, and get none in the new one.

    Raises:
        Problem: 409 with the number of articles that have it.
    """
    stored = await read_structure(connection, site, for_update=True)
    names = [slug] if kind == "section" else []
    if kind != "section" and stored is not None:
        bare = StructureIndex(changes.release(stored.structure, kind, slug))
        names = spellings_of(await count_terms(connection, site, kind), bare, kind, slug)
    count = await count_articles(connection, site, kind, names) if names else 0
    if count:
        detail = f"{count:,} article(s) still have the {kind} {slug!r}; they would move with it. Edit these first."
        raise Problem(409, detail, articles=count, slug=slug, code="in_use")
    current = slug if stored is None else StructureIndex(stored.structure).current(kind, slug)
    if kind == "section" and current != slug:
        await connection.execute(STRUCTURE_SQL["move_section_grants"], site, slug, current)


def with_etag(value: msgspec.Struct, version: int, status: int = 200, **headers: str) -> Response:
    """Return a response with a version as its ETag."""
    return json_response(value, status, {"etag": f'"{version}"', **headers})

"""`/api/articles/{id}/autosave` and `/api/autosaves`: what somebody has typed and not saved."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import TAB_PATTERN, IfMatch
from services.ingest.api.dependencies import (
    ApiContext,
    ApiContextDep,
    ArticleId,
    ReadCaller,
    WriteCaller,
    article_place,
)
from services.ingest.api.editing_schemas import AutosaveList, AutosaveResponse, AutosaveRow, SavedAutosave
from services.ingest.api.pagination import Filter
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.api.version_check import named_versions
from services.ingest.articles import autosaves
from services.ingest.articles.autosaves import Autosave, Slot, slot_of_article
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.content.article_models import CONTENT_FIELDS
from services.ingest.queries import EDITING
from shared.http.problems import Problem

router = APIRouter(tags=["Editing"])
SEQUENCE_MAX = 2**53 - 1
_FIELDS = {*CONTENT_FIELDS, "body_format", "note"}
Tab = Annotated[str, Query(pattern=TAB_PATTERN, description="the tab that has sent it")]


@dataclass(frozen=True)
class Discarded:
    """Which texts of a slot are discarded: by default all."""

    tab: Tab | None = None
    sequence: Annotated[int, Query(ge=0, le=SEQUENCE_MAX, description="the last text of the tab")] = SEQUENCE_MAX


DiscardedDep = Annotated[Discarded, Depends()]


class AutosaveIn(BaseModel):
    """A text that is not saved."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"tab": "k3Jx9", "sequence": 12, "base_version": 3, "fields": {"title": "Chợ Cồn", "body": "<p>Sáng"}}
            ]
        },
    )

    tab: str = Field("", pattern=TAB_PATTERN, description="made by the client for each tab of a browser")
    sequence: int = Field(ge=1, le=SEQUENCE_MAX, description="rises by one with each text of the tab")
    base_version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version that is edited")
    fields: dict[str, Any] = Field(
        description="fields of PATCH /articles/{id}, valid or not; at most 1 MiB", examples=[{"title": "Chợ Cồn"}]
    )

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(fields) - _FIELDS)
        if unknown:
            named = ", ".join(name[:40] for name in unknown[:5]).encode(errors="replace").decode()
            raise PydanticCustomError("fields", "has unknown fields: {names}", {"names": named})
        return fields


class NewAutosaveIn(AutosaveIn):
    """The same of an article that does not exist yet."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"site": "haihau", "tab": "k3Jx9", "sequence": 1, "fields": {"title": "Chợ Cồn"}}]
        },
    )

    site: str = Field(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")


@router.put(
    "/articles/{article_id}/autosave",
    summary="Store an unsaved text",
    responses=response_docs(200, SavedAutosave, problems=(403, 404, 409)),
)
async def put_autosave(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    article_id: ArticleId,
    sent: AutosaveIn,
    if_match: IfMatch = None,
) -> Response:
    """Store what somebody has typed, in the caller's own slot: no revision, no other state, no check of its content.

    Of one tab the highest `sequence` wins, in whatever order requests arrive; an older one is 409
    (`autosave_outdated`). If another tab of the same person has stored a text, the response is 409
    (`autosave_elsewhere`) until the request names that text: `If-Match: "12"`, or `*`. A save with `PATCH` or `PUT`
    removes it.
    """
    async with context.pool.acquire() as connection, connection.transaction():
        place = await article_place(connection, article_id, caller, "write")
        slot = slot_of_article(caller, article_id, place.site)
        saved_at, sequence = await autosaves.save(connection, slot, _autosave(sent), _replaced(request))
    headers = {"etag": f'"{sequence}"'}
    return json_response(SavedAutosave(sequence, saved_at, place.version, place.state), headers=headers)


def _autosave(sent: AutosaveIn) -> Autosave:
    return Autosave(sent.tab, sent.sequence, sent.base_version, sent.fields)


def _replaced(request: Request) -> set[int] | None:
    named = request.headers.get("if-match")
    if named is None:
        return set()
    return None if named.strip() == "*" else named_versions(named)


@router.get(
    "/articles/{article_id}/autosave",
    summary="Read the unsaved text",
    responses={
        **response_docs(200, AutosaveResponse, problems=(403, 404)),
        204: {"description": "There is no unsaved text"},
    },
)
async def get_autosave(context: ApiContextDep, caller: ReadCaller, article_id: ArticleId) -> Response:
    """Return the caller's own unsaved text of an article; 204 without one."""
    async with context.pool.acquire() as connection:
        place = await article_place(connection, article_id, caller, "read")
        stored = await autosaves.read(connection, slot_of_article(caller, article_id, place.site))
    if stored is None:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    fields = {name: getattr(stored, name) for name in stored.__struct_fields__}
    shown = AutosaveResponse(
        **fields, article=article_id, site=place.site, head_version=place.version, head_state=place.state
    )
    return json_response(shown, headers={"etag": f'"{stored.sequence}"'})


@router.delete(
    "/articles/{article_id}/autosave",
    status_code=204,
    summary="Discard the unsaved text",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_autosave(
    context: ApiContextDep, caller: ReadCaller, article_id: ArticleId, discarded: DiscardedDep
) -> Response:
    """Discard the caller's own unsaved text; with `tab` only that tab's, up to `sequence`, also what is on its way."""
    async with context.pool.acquire() as connection:
        place = await article_place(connection, article_id, caller, "read")
        slot = slot_of_article(caller, article_id, place.site)
        await autosaves.discard(connection, slot, discarded.tab, discarded.sequence)
    return Response(status_code=204)


@router.get("/autosaves", summary="List unsaved texts", responses=response_docs(200, AutosaveList, problems=(403, 404)))
async def list_autosaves(context: ApiContextDep, caller: ReadCaller, site: Filter = None) -> Response:
    """List the caller's own unsaved texts, the newest first, where the caller may still read."""
    sites = context.visible_sites(caller, site)
    rows = await context.pool.fetch(EDITING["list_autosaves"], caller.id, sites)
    return json_response(AutosaveList([_row(row) for row in rows if _is_readable(row, caller)]))


def _is_readable(row: Any, caller: Caller) -> bool:
    return caller.allows("read", row["site"], ANY_SECTION if row["article"] is None else row["section"])


def _row(row: Any) -> AutosaveRow:
    names = set(AutosaveRow.__struct_fields__) - {"key"}
    key = row["slot"].partition(" ")[2] if row["article"] is None else None
    return AutosaveRow(key=key, **{name: row[name] for name in names})


def _new_slot(context: ApiContext, caller: Caller, key: UUID, site: str) -> Slot:
    return Slot(caller.id, caller.person, context.site_of_caller(caller, "write", site, ANY_SECTION).slug, key=str(key))


@router.put(
    "/autosaves/{key}",
    summary="Store an unsaved text of a new article",
    responses=response_docs(200, SavedAutosave, problems=(403, 404, 409)),
)
async def put_new_autosave(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    key: UUID,
    sent: NewAutosaveIn,
    if_match: IfMatch = None,
) -> Response:
    """Store what somebody has typed for an article that does not exist yet, under a UUID that the client has made.

    `POST /articles` with the header `Autosave-Key` removes it; from then on the response is 409 (`autosave_closed`)
    with the ID of the article, so that a second tab does not create it again.
    """
    slot = _new_slot(context, caller, key, sent.site)
    async with context.pool.acquire() as connection, connection.transaction():
        saved_at, sequence = await autosaves.save(connection, slot, _autosave(sent), _replaced(request))
    return json_response(SavedAutosave(sequence, saved_at, None, None), headers={"etag": f'"{sequence}"'})


@router.get(
    "/autosaves/{key}",
    summary="Read an unsaved text of a new article",
    responses=response_docs(200, AutosaveResponse, problems=(403, 404)),
)
async def get_new_autosave(context: ApiContextDep, caller: ReadCaller, key: UUID) -> Response:
    """Return an own unsaved text of an article that does not exist yet; 404 without one."""
    row = await _own_row(context, caller, key)
    if row["fields"] is None:
        raise _no_text(row["created_article"])
    names = ("tab", "sequence", "base_version", "created_at", "saved_at", "site")
    fields = {name: row[name] for name in names}
    shown = AutosaveResponse(
        **fields, fields=msgspec.Raw(row["fields"]), key=str(key), article=None, head_version=None, head_state=None
    )
    return json_response(shown, headers={"etag": f'"{row["sequence"]}"'})


async def _own_row(context: ApiContext, caller: Caller, key: UUID) -> Any:
    row = await context.pool.fetchrow(EDITING["autosave"], caller.id, f"new {key}")
    if row is None or not caller.allows("read", row["site"], ANY_SECTION):
        raise _no_text(None)
    return row


def _no_text(article: str | None) -> Problem:
    if article is not None:
        detail = f"The article {article} was created from this text."
        return Problem(404, detail, code="autosave_closed", article=article)
    return Problem(404, "You have no such unsaved text.", code="no_autosave")


@router.delete(
    "/autosaves/{key}",
    status_code=204,
    summary="Discard an unsaved text of a new article",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_new_autosave(
    context: ApiContextDep, caller: ReadCaller, key: UUID, discarded: DiscardedDep
) -> Response:
    """Discard an own unsaved text; with `tab` only that tab's, up to `sequence`."""
    row = await _own_row(context, caller, key)
    slot = Slot(caller.id, caller.person, row["site"], key=str(key))
    async with context.pool.acquire() as connection:
        await autosaves.discard(connection, slot, discarded.tab, discarded.sequence)
    return Response(status_code=204)

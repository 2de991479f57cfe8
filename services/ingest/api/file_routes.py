"""`/api/files`: upload, list, rename and delete documents, and see which articles offer them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
import obstore
from fastapi import APIRouter, Query
from obstore.exceptions import NotFoundError
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.ingest.api.dependencies import ApiContext, ApiContextDep, ReadCaller, WriteCaller
from services.ingest.api.request_language import language_headers, localized_texts
from services.ingest.api.schemas import FileList, json_response, response_docs
from services.ingest.api.search_terms import SEARCH_RULES, search_query
from services.ingest.api.uploads import clean_file_name, uploaded_file
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.content.block_models import Line
from services.ingest.content.errors import invalid
from services.ingest.files.library import (
    FileItem,
    FileWithUses,
    delete_file,
    file_item,
    rename_file,
    store_file,
    stored_file,
    with_uses,
)
from services.ingest.files.rules import EXTENSIONS
from services.ingest.media.library import receive_upload, store_unavailable
from services.ingest.queries import SQL
from shared.articles import FILE_NAME_CHARACTERS_MAX
from shared.http.downloads import attachment
from shared.http.problems import Problem
from shared.object_store import FILES, STORE_ERRORS

router = APIRouter(tags=["Files"])
_ID = re.compile(r"^[0-9a-f]{32}\Z")
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself, or a form with the field `file`. PDF, DOC, DOCX, XLS, XLSX, ODT or ZIP.",
        "content": {"application/octet-stream": _BINARY, "multipart/form-data": {"schema": _FORM}},
    }
}
SiteSlug = Annotated[
    str | None, Query(max_length=40, description="the file's site; default: the caller's only one, or that of the host")
]


@router.post(
    "/files",
    status_code=201,
    summary="Upload a document",
    responses={**response_docs(201, FileItem, problems=(403, 404, 415)), 200: response_docs(200, FileItem)[200]},
    openapi_extra=_BODY,
)
async def upload_file(
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    file_name: Annotated[
        str, Query(max_length=FILE_NAME_CHARACTERS_MAX, description="default: the file name in the form")
    ] = "",
    site: SiteSlug = None,
) -> Response:
    """Check a document by its content and store it; 200 if the site has it already.

    Refused are macros, scripts, encrypted files, files of two types at once and archives with programs: `reason` names
    which.
    """
    target = context.default_site(caller, "write", site, request.headers.get("host", ""), ANY_SECTION)
    chunks, name = await uploaded_file(request, context.file_bytes_max)
    async with receive_upload(chunks, clean_file_name(file_name or name)) as upload:
        item, is_new = await store_file(context.pool, context.media, target.slug, upload, caller.actor)
    return _response(item, 201 if is_new else 200, location=f"/api/files/{item.id}")


_Item = TypeVar("_Item", bound=FileItem)


def _in_language(item: _Item) -> _Item:
    return msgspec.structs.replace(item, warnings=localized_texts(item.warnings))


def _response(item: FileItem, status: int = 200, **headers: str) -> Response:
    return json_response(_in_language(item), status, {**language_headers(), **headers})


@router.get("/files", summary="List files, newest first", responses=response_docs(200, FileList, problems=(403, 404)))
async def list_files(
    *,
    context: ApiContextDep,
    caller: ReadCaller,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    site: SiteSlug = None,
    q: Annotated[str | None, Query(max_length=255, description=f"words of the name{SEARCH_RULES}")] = None,
) -> Response:
    """List the files of a site, or of all sites that the caller may access, and where they are used."""
    before, last = datetime(2200, 1, 1, tzinfo=UTC), ""
    if cursor is not None:
        at, _, last = cursor.partition("_")
        try:
            before = datetime.fromisoformat(at)
        except ValueError as error:
            raise invalid("cursor", "invalid_cursor") from error
        if before.tzinfo is None or not _ID.match(last):
            raise invalid("cursor", "invalid_cursor")
    sites, words = context.visible_sites(caller, site), None if q is None else search_query(q)
    rows = await context.pool.fetch(SQL["list_files"], before, last, limit + 1, sites, words)
    found = await with_uses(context.pool, [file_item(row) for row in rows[:limit]], caller)
    following = None
    if len(rows) > limit:
        at = found[-1].created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        following = f"{at}_{found[-1].id}"
    shown = [_in_language(item) for item in found]
    return json_response(FileList(shown, following), headers=language_headers())


async def _file(context: ApiContext, caller: Caller, scope: str, file_id: str, site: str | None) -> FileItem:
    caller.check(scope)
    sites = context.visible_sites(caller, site, scope)
    item = await stored_file(context.pool, file_id, sites) if _ID.match(file_id) else None
    if item is None:
        raise Problem(404, "Not found.")
    return item


@router.get(
    "/files/{file_id}",
    summary="Read a file's data",
    responses=response_docs(200, FileWithUses, problems=(403, 404)),
)
async def read_file(context: ApiContextDep, caller: ReadCaller, file_id: str, site: SiteSlug = None) -> Response:
    """Return a file, and the articles that offer it."""
    item = await _file(context, caller, "read", file_id, site)
    return _response((await with_uses(context.pool, [item], caller, limit=None))[0])


class FilePatch(BaseModel):
    """The fields of a file that can be changed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Nghị quyết 12.pdf"}]})

    name: Annotated[Line, Field(min_length=1, max_length=FILE_NAME_CHARACTERS_MAX - 5)]


@router.patch("/files/{file_id}", summary="Rename a file", responses=response_docs(200, FileItem, problems=(403, 404)))
async def change_file(
    context: ApiContextDep, caller: WriteCaller, file_id: str, sent: FilePatch, site: SiteSlug = None
) -> Response:
    """Change the name that visitors see, for articles that are saved from now on. Published links stay valid."""
    item = await _file(context, caller, "write", file_id, site)
    return _response(await rename_file(context.pool, item, clean_file_name(sent.name), caller.actor))


@router.delete(
    "/files/{file_id}",
    status_code=204,
    summary="Delete an unused file",
    responses=response_docs(204, problems=(403, 404, 409)),
)
async def remove_file(context: ApiContextDep, caller: WriteCaller, file_id: str, site: SiteSlug = None) -> Response:
    """Delete a file that no article offers; 409 with the articles if there are any."""
    item = await _file(context, caller, "write", file_id, site)
    await delete_file(context.pool, context.media, item, caller)
    return Response(None, 204)


@router.get(
    "/files/{file_id}/content",
    summary="Download a file",
    response_class=StreamingResponse,
    responses={**response_docs(200, problems=(403, 404)), 200: {"content": dict.fromkeys(EXTENSIONS, _BINARY)}},
)
async def read_content(context: ApiContextDep, caller: ReadCaller, file_id: str, site: SiteSlug = None) -> Response:
    """Return the bytes of a file, whether an article offers it or not: for editors, as a download."""
    item = await _file(context, caller, "read", file_id, site)
    try:
        result = await obstore.get_async(context.media.store, FILES + item.id)
    except (FileNotFoundError, NotFoundError) as error:
        raise Problem(404, "The file is no longer in the media store.") from error
    except STORE_ERRORS as error:
        raise store_unavailable(error) from error
    headers = {
        **attachment(item.name),
        "cache-control": "private, no-store",
        "content-length": str(result.meta["size"]),
    }
    return StreamingResponse(result.stream(), media_type=item.type, headers=headers)

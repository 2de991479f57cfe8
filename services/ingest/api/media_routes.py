"""`/api/media`: upload an image, look it up, set its focus point, fetch its original."""

import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Any

import obstore
from fastapi import APIRouter, Query
from obstore.exceptions import NotFoundError
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.body_limits import bounded, too_large
from services.ingest.api.dependencies import DeskOf, Reader, Writer, actor_of
from services.ingest.api.schemas import MediaList, answers, json
from services.ingest.content.block_models import FocusIn
from services.ingest.content.normalization import TextError, clean_line
from services.ingest.media.library import UPLOAD_BYTES_MAX, Medium, medium_of, received, save
from services.ingest.queries import SQL
from shared.articles import Focus
from shared.http.problems import Problem
from shared.object_store import ORIGINALS, STORE_ERRORS

router = APIRouter(tags=["Media"])
ENVELOPE_BYTES_MAX = 64 * 1024
"""What a form may have around its file."""
FILE_NAME_CHARACTERS_MAX = 200
_ID = re.compile(r"^[0-9a-f]{64}$")
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself, or a form with the field `file`. JPEG, PNG, WebP, AVIF or GIF.",
        "content": {"application/octet-stream": _BINARY, "multipart/form-data": {"schema": _FORM}},
    }
}
Part = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False, description="part of the width or height")]


@router.post(
    "/media",
    status_code=201,
    summary="Upload an image",
    responses={**answers(201, Medium, problems=(403, 415)), 200: answers(200, Medium)[200]},
    openapi_extra=_BODY,
)
async def upload_medium(  # noqa: PLR0917 - what the query may have
    request: Request,
    desk: DeskOf,
    token: Writer,
    file_name: Annotated[
        str, Query(max_length=FILE_NAME_CHARACTERS_MAX, description="default: as the form has it")
    ] = "",
    focus_x: Part = None,
    focus_y: Part = None,
) -> Response:
    """Store an image. Its copies have no metadata; the original stays private. A second time it is 200."""
    if (focus_x is None) != (focus_y is None):
        raise Problem(422, "focus_x and focus_y come together.")
    focus = None if focus_x is None or focus_y is None else Focus(focus_x, focus_y)
    chunks, name = await _file_of(request)
    async with received(chunks, _clean_name(file_name or name)) as upload:
        medium, is_new = await save(desk.pool, desk.media, upload, focus, actor_of(token))
    return json(medium, 201 if is_new else 200, {"location": f"/api/media/{medium.id}"})


async def _file_of(request: Request) -> tuple[AsyncGenerator[bytes, None], str]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return bounded(request, UPLOAD_BYTES_MAX), ""
    chunks = bounded(request, UPLOAD_BYTES_MAX, ENVELOPE_BYTES_MAX)
    try:
        form = await MultiPartParser(request.headers, chunks, max_files=1, max_fields=10).parse()
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        raise Problem(400, f"The form cannot be read: {str(error)[:200]}") from error
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Problem(422, "The form has no file in the field `file`.")
    if (file.size or 0) > UPLOAD_BYTES_MAX:
        raise too_large(file.size or 0, UPLOAD_BYTES_MAX)
    return _chunks_of(file), file.filename or ""


async def _chunks_of(file: UploadFile) -> AsyncGenerator[bytes, None]:
    while chunk := await file.read(256 * 1024):
        yield chunk
    await file.close()


def _clean_name(name: str) -> str:
    try:
        return PurePath(clean_line(name).replace("\\", "/")).name[-FILE_NAME_CHARACTERS_MAX:]
    except TextError as error:
        raise Problem(422, f"The file's name {error}.") from error


@router.get("/media", summary="List images, newest first", responses=answers(200, MediaList, problems=(403,)))
async def list_media(
    desk: DeskOf,
    token: Reader,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List the images of the store."""
    before, last = datetime(2200, 1, 1, tzinfo=UTC), ""
    if cursor is not None:
        at, _, last = cursor.partition("_")
        try:
            before = datetime.fromisoformat(at)
        except ValueError as error:
            raise Problem(422, "This cursor is none of ours.") from error
        if before.tzinfo is None or not _ID.match(last):
            raise Problem(422, "This cursor is none of ours.")
    rows = await desk.pool.fetch(SQL["media"], before, last, limit + 1)
    found = [medium_of(row) for row in rows[:limit]]
    more = f"{found[-1].created_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{found[-1].id}"
    return json(MediaList(found, more if len(rows) > limit else None)) if found else json(MediaList([], None))


@router.get(
    "/media/{medium}", summary="Read what is known of an image", responses=answers(200, Medium, problems=(403, 404))
)
async def read_medium(desk: DeskOf, token: Reader, medium: str) -> Response:
    """Return an image with its copies."""
    row = await desk.pool.fetchrow(SQL["medium"], medium) if _ID.match(medium) else None
    if row is None:
        raise Problem(404, "There is no image by that name.")
    return json(medium_of(row))


class MediumPatch(BaseModel):
    """What can be changed of an image."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"focus": {"x": 0.3, "y": 0.4}}]})

    focus: FocusIn | None


@router.patch("/media/{medium}", summary="Set the focus point", responses=answers(200, Medium, problems=(403, 404)))
async def change_medium(desk: DeskOf, token: Writer, medium: str, sent: MediumPatch) -> Response:
    """Set the point that a crop must keep. Articles that are written from now on get it; null takes it away."""
    place = (sent.focus.x, sent.focus.y) if sent.focus else (None, None)
    row = await desk.pool.fetchrow(SQL["set_focus"], medium, *place) if _ID.match(medium) else None
    if row is None:
        raise Problem(404, "There is no image by that name.")
    return json(medium_of(row))


@router.get(
    "/media/{medium}/original",
    summary="Fetch the original",
    responses={**answers(200, problems=(403, 404)), 200: {"content": {"image/*": _BINARY}}},
)
async def read_original(desk: DeskOf, token: Writer, medium: str) -> Response:
    """Return the file as it was uploaded, with all its metadata: for editors only, and to be saved, not shown."""
    row = await desk.pool.fetchrow(SQL["medium"], medium) if _ID.match(medium) else None
    if row is None:
        raise Problem(404, "There is no image by that name.")
    try:
        got = await obstore.get_async(desk.media.store, ORIGINALS + medium)
        content = bytes(await got.bytes_async())
    except (FileNotFoundError, NotFoundError) as error:
        raise Problem(404, "The original is not in the store any more.") from error
    except STORE_ERRORS as error:
        raise Problem(503, "The media store does not answer now.", headers={"retry-after": "5"}) from error
    headers = {
        "content-disposition": f'attachment; filename="{medium[:16]}.{row["type"].partition("/")[2]}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=row["type"], headers=headers)

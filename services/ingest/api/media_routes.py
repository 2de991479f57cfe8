"""`/api/media`: upload, list and read images, set a focus point, fetch an original."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import obstore
from fastapi import APIRouter, Query
from obstore.exceptions import NotFoundError
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.dependencies import ApiContext, ApiContextDep, ReadCaller, WriteCaller
from services.ingest.api.schemas import MediaList, json_response, response_docs
from services.ingest.api.search_terms import SEARCH_RULES, search_query
from services.ingest.api.uploads import clean_file_name, uploaded_file
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.content.block_models import CREDIT_CHARACTERS_MAX, FocusIn, Line
from services.ingest.content.errors import invalid
from services.ingest.media.library import (
    UPLOAD_BYTES_MAX,
    MediaItem,
    describe_image,
    media_item,
    receive_upload,
    store_image,
    stored_item,
    with_crops,
)
from services.ingest.media.recrop import set_focus
from services.ingest.media.uses import MediaWithUses, with_media_uses
from services.ingest.queries import SQL
from shared.articles import ALT_CHARACTERS_MAX, CAPTION_CHARACTERS_MAX, FILE_NAME_CHARACTERS_MAX, Focus
from shared.http.problems import Problem
from shared.object_store import ORIGINALS, STORE_ERRORS

router = APIRouter(tags=["Media"])
_ID = re.compile(r"^[0-9a-f]{64}\Z")
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself, or a form with the field `file`. JPEG, PNG, WebP, AVIF or GIF.",
        "content": {"application/octet-stream": _BINARY, "multipart/form-data": {"schema": _FORM}},
    }
}
SiteSlug = Annotated[
    str | None, Query(max_length=40, description="the image's site; default: the token's only one, or that of the host")
]
Fraction = Annotated[
    float | None, Query(ge=0, le=1, allow_inf_nan=False, description="fraction of the width or height")
]


@router.post(
    "/media",
    status_code=201,
    summary="Upload an image",
    responses={**response_docs(201, MediaItem, problems=(403, 404, 415)), 200: response_docs(200, MediaItem)[200]},
    openapi_extra=_BODY,
)
async def upload_image(  # noqa: PLR0917 - the query parameters
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    file_name: Annotated[
        str, Query(max_length=FILE_NAME_CHARACTERS_MAX, description="default: the file name in the form")
    ] = "",
    focus_x: Fraction = None,
    focus_y: Fraction = None,
    site: SiteSlug = None,
) -> Response:
    """Store an image of a site, and cut its crops around the focus point. 200 if the site has it already.

    Renditions and crops have no metadata; the original stays private.
    """
    target = context.default_site(caller, "write", site, request.headers.get("host", ""), ANY_SECTION)
    if (focus_x is None) != (focus_y is None):
        raise invalid("focus_x" if focus_x is None else "focus_y", "focus_incomplete")
    focus = None if focus_x is None or focus_y is None else Focus(focus_x, focus_y)
    chunks, name = await uploaded_file(request, UPLOAD_BYTES_MAX)
    async with receive_upload(chunks, clean_file_name(file_name or name)) as upload:
        item, is_new = await store_image(context.pool, context.media, target.slug, upload, focus, caller.actor)
    return json_response(item, 201 if is_new else 200, {"location": f"/api/media/{item.id}"})


@router.get("/media", summary="List images, newest first", responses=response_docs(200, MediaList, problems=(403, 404)))
async def list_media(
    *,
    context: ApiContextDep,
    caller: ReadCaller,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    site: SiteSlug = None,
    q: Annotated[
        str | None, Query(max_length=255, description=f"words of file name, alt, caption and credit{SEARCH_RULES}")
    ] = None,
) -> Response:
    """List the images of a site, or of all sites that the token may access, and where they are used."""
    before, last, last_site = datetime(2200, 1, 1, tzinfo=UTC), "", ""
    if cursor is not None:
        at, _, rest = cursor.partition("_")
        last, _, last_site = rest.partition("_")
        try:
            before = datetime.fromisoformat(at)
        except ValueError as error:
            raise invalid("cursor", "invalid_cursor") from error
        if before.tzinfo is None or not _ID.match(last) or "\0" in last_site:
            raise invalid("cursor", "invalid_cursor")
    sites = context.visible_sites(caller, site)
    words = None if q is None else search_query(q)
    rows = await context.pool.fetch(SQL["list_media"], before, last, last_site, limit + 1, sites, words)
    shown = await with_crops(context.pool, [media_item(row) for row in rows[:limit]])
    found = await with_media_uses(context.pool, shown, caller)
    following = None
    if len(rows) > limit:
        at = found[-1].created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        following = f"{at}_{found[-1].id}_{found[-1].site}"
    return json_response(MediaList(found, following))


@router.get(
    "/media/{medium}",
    summary="Read an image's data",
    responses=response_docs(200, MediaWithUses, problems=(403, 404)),
)
async def read_image(context: ApiContextDep, caller: ReadCaller, medium: str, site: SiteSlug = None) -> Response:
    """Return an image with its renditions and crops, and where it is used."""
    item = await _media_item(context, caller, "read", medium, site)
    return json_response((await with_media_uses(context.pool, [item], caller))[0])


async def _media_item(context: ApiContext, caller: Caller, scope: str, medium: str, site: str | None) -> MediaItem:
    """Return an image on the sites of a token: on the named one, or on the first that has it.

    Raises:
        Problem: 403 without the scope or the named site; 404 if no site of the token has it.
    """
    caller.check(scope)
    sites = context.visible_sites(caller, site, scope)
    item = await stored_item(context.pool, medium, sites) if _ID.match(medium) else None
    if item is None:
        raise Problem(404, "Not found.")
    return item


class MediaPatch(BaseModel):
    """The fields of an image that can be changed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"focus": {"x": 0.3, "y": 0.4}}]})

    focus: FocusIn | None = None
    alt: Annotated[Line, Field(max_length=ALT_CHARACTERS_MAX)] | None = None
    caption: Annotated[Line, Field(max_length=CAPTION_CHARACTERS_MAX)] | None = None
    credit: Annotated[Line, Field(max_length=CREDIT_CHARACTERS_MAX)] | None = None


@router.patch(
    "/media/{medium}",
    summary="Set the focus point and the texts",
    responses=response_docs(200, MediaItem, problems=(403, 404)),
)
async def change_image(
    context: ApiContextDep, caller: WriteCaller, medium: str, sent: MediaPatch, site: SiteSlug = None
) -> Response:
    """Set the point that crops keep; null removes it. The articles that show the image get the new crops.

    Live articles get them if the caller has the scope `publish`. An article with a focus point of its own keeps it.
    `alt`, `caption` and `credit` are for articles that use the image from now on; "" removes one.
    """
    item = await _media_item(context, caller, "write", medium, site)
    given = sent.model_dump(include={"alt", "caption", "credit"}, exclude_none=True)
    if given:
        item = await describe_image(context.pool, item, given, caller.actor)
    if "focus" in sent.model_fields_set:
        focus = Focus(sent.focus.x, sent.focus.y) if sent.focus else None
        may_publish = caller.allows("publish", item.site)
        item = await set_focus(context.pool, context.media, item, focus, caller.actor, may_publish=may_publish)
    return json_response(item)


@router.get(
    "/media/{medium}/original",
    summary="Fetch the original",
    response_class=Response,
    responses={**response_docs(200, problems=(403, 404)), 200: {"content": {"image/*": _BINARY}}},
)
async def read_original(context: ApiContextDep, caller: WriteCaller, medium: str, site: SiteSlug = None) -> Response:
    """Return the uploaded file with all its metadata: for those who may write on a site that has it, as a download."""
    item = await _media_item(context, caller, "write", medium, site)
    try:
        result = await obstore.get_async(context.media.store, ORIGINALS + medium)
        content = bytes(await result.bytes_async())
    except (FileNotFoundError, NotFoundError) as error:
        raise Problem(404, "The original is no longer in the media store.") from error
    except STORE_ERRORS as error:
        raise Problem(
            503, "The media store is unavailable.", headers={"retry-after": "5"}, code="media_store_unavailable"
        ) from error
    headers = {
        "content-disposition": f'attachment; filename="{medium[:16]}.{item.type.partition("/")[2]}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=item.type, headers=headers)

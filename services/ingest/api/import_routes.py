"""`/api/imports`: a file of many articles, and a result for each of them as a line of JSON."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.ingest.api.body_limits import bounded
from services.ingest.api.dependencies import DeskOf, Writer
from services.ingest.api.schemas import answers
from services.ingest.imports.detection import READERS, format_of
from services.ingest.imports.item import ReadError
from services.ingest.imports.pipeline import Options, Result, run_import
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

router = APIRouter(tags=["Imports"])
IMPORT_BYTES_MAX = 32 * 1024 * 1024
NDJSON = "application/x-ndjson"
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}
FORMATS = sorted(READERS)


@router.post(
    "/imports",
    summary="Import many articles",
    responses=answers(200, Result, problems=(403, 404), media=NDJSON),
    openapi_extra=_BODY,
)
async def import_articles(  # noqa: PLR0917 - what the query may have
    request: Request,
    desk: DeskOf,
    token: Writer,
    site: Annotated[str, Query(max_length=40)],
    section: Annotated[str | None, Query(max_length=60, description="for what has none that the site has")] = None,
    format: Annotated[  # noqa: A002 - the name in the query
        str | None, Query(pattern=f"^({'|'.join(FORMATS)})$", description=f"{', '.join(FORMATS)}; default: ndjson")
    ] = None,
    file_name: Annotated[str, Query(max_length=200, description="tells the format, if that is not said")] = "",
    publish: Annotated[bool, Query(description="needs the scope admin: the import is the approval")] = False,
    with_counter: Annotated[bool, Query(description="needs the scope admin: views become opening balances")] = False,
    dry_run: Annotated[bool, Query(description="tell what would be made, and write nothing")] = False,
) -> Response:
    """Import a file as the command does. The answer is one line for each article; a failure keeps no other from it.

    The same file again changes nothing, so that an import that broke off is simply sent again.
    """
    kept = desk.site(site)
    token.check("admin" if publish or with_counter else "write", kept.slug)
    if section is not None and kept.section(section) is None:
        known = ", ".join(one.slug for one in kept.sections)
        raise Problem(422, f"There is no section {section!r} on {kept.slug}; there are {known}.")
    content = b"".join([chunk async for chunk in bounded(request, IMPORT_BYTES_MAX)])
    try:
        kind = format or (format_of(file_name, content) if file_name else "ndjson")
    except ReadError as error:
        raise Problem(422, f"The file {error}.") from error
    options = Options(
        site=kept,
        format=kind,
        file_name=file_name or "an import over the API",
        who=token.name,
        section=section,
        publish=publish,
        with_counter=with_counter,
        dry_run=dry_run,
    )

    async def lines() -> AsyncGenerator[bytes, None]:
        try:
            async for result in run_import(desk.pool, READERS[kind](content, file_name), options):
                yield msgspec.json.encode(result) + b"\n"
        except ReadError as error:
            yield msgspec.json.encode(Result(place="file", status="failed", reason=str(error)[:500])) + b"\n"
        except POSTGRES_UNAVAILABLE as error:
            log.warning("Postgres is away; an import broke off", reason=repr(error))
            reason = "the database does not answer now; what stands above is saved, send the file again"
            yield msgspec.json.encode(Result(place="file", status="failed", reason=reason)) + b"\n"
        except Exception:  # noqa: BLE001 - the answer has begun: its last line must tell that it is not whole
            log.exception("An import failed", format=kind)
            reason = "this failed on our side and has been logged; what stands above is saved"
            yield msgspec.json.encode(Result(place="file", status="failed", reason=reason)) + b"\n"

    return StreamingResponse(lines(), media_type=NDJSON, headers={"cache-control": "no-store"})

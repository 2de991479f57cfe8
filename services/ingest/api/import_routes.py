"""`/api/imports`: import a file of articles, and return one line of JSON for each."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from services.ingest.api.body_limits import limited_body
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, WriteCaller
from services.ingest.api.request_language import IS_VIETNAMESE, language_headers
from services.ingest.api.schemas import response_docs
from services.ingest.articles.topic_comparison import NotComparedError
from services.ingest.content.errors import invalid, quoted
from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.drafts import ImportOptions
from services.ingest.imports.item import FormatError, ReadContext
from services.ingest.imports.pipeline import ImportResult, run_import
from services.ingest.imports.reasons import reason_in_vietnamese
from services.ingest.imports.vietnamese import in_vietnamese
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

router = APIRouter(tags=["Imports"], dependencies=CHANGES_ARTICLES)
IMPORT_BYTES_MAX = 32 * 1024 * 1024
NDJSON = "application/x-ndjson"
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}
FORMATS = sorted(READERS)
SectionForOthers = Annotated[str | None, Query(max_length=60, description="for articles without a section of the site")]
FormatName = Annotated[
    str | None, Query(pattern=f"^({'|'.join(FORMATS)})$", description=f"{', '.join(FORMATS)}; default: ndjson")
]
BaseUrl = Annotated[
    str,
    Query(
        max_length=500,
        pattern=r"^(https?://[^/?#\s]+[^\s]*)?$",
        description="address of the old site, for relative links and pictures",
    ),
]


@router.post(
    "/imports",
    summary="Import many articles",
    responses=response_docs(200, ImportResult, problems=(403, 404), media=NDJSON),
    openapi_extra=_BODY,
)
async def import_articles(  # noqa: PLR0917 - the query parameters
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    site: Annotated[str, Query(max_length=40)],
    section: SectionForOthers = None,
    format: FormatName = None,  # noqa: A002 - the query parameter's name
    file_name: Annotated[str, Query(max_length=200, description="determines the format if `format` is not given")] = "",
    base_url: BaseUrl = "",
    categories_as_tags: Annotated[bool, Query(description="keep categories that are not the section as tags")] = False,
    publish: Annotated[bool, Query(description="needs the scope admin: the import is the approval")] = False,
    with_counter: Annotated[bool, Query(description="needs the scope admin: views become opening balances")] = False,
    dry_run: Annotated[bool, Query(description="report the results without writing anything")] = False,
) -> Response:
    """Import a file as the command does. The response has one line per article; a failure does not stop the rest.

    Importing the same file again changes nothing, so an interrupted import can simply be repeated.
    """
    target = context.site_of_caller(caller, "admin" if publish or with_counter else "write", site)
    if section is not None and target.section(section) is None:
        known = ", ".join(one.slug for one in target.sections)
        raise invalid("section", "unknown_section_of", section=quoted(section), site=target.slug, sections=known)
    content = b"".join([chunk async for chunk in limited_body(request, IMPORT_BYTES_MAX)])
    try:
        kind = format or (detect_format(file_name, content) if file_name else "ndjson")
    except FormatError as error:
        raise Problem(422, f"The file {error}.", code="unreadable_import") from error
    options = ImportOptions(
        site=target,
        format=kind,
        file_name=file_name or "an import over the API",
        actor=caller.actor,
        section=section,
        categories_as_tags=categories_as_tags,
        publish=publish,
        with_counter=with_counter,
        dry_run=dry_run,
        media=context.media,
    )

    turn = AsyncExitStack()
    await turn.enter_async_context(context.imports.admit())

    async def lines() -> AsyncGenerator[bytes, None]:
        try:
            async for result in run_import(
                context.pool, READERS[kind](content, file_name, ReadContext(base_url)), options
            ):
                yield msgspec.json.encode(_in_language(result)) + b"\n"
        except FormatError as error:
            yield _interrupted(str(error))
        except POSTGRES_UNAVAILABLE as error:
            log.warning("import interrupted: Postgres is unavailable", reason=repr(error))
            yield _interrupted("the database is unavailable; the results above are saved, send the file again")
        except NotComparedError as error:
            yield _interrupted(f"interrupted: {error}; the results above are saved, send the file again")
        except Exception:  # noqa: BLE001 - the response has started: its last line must report that it is incomplete
            log.exception("import failed", format=kind)
            yield _interrupted("internal server error (logged); the results above are saved")

    return _ImportResponse(
        turn, lines(), media_type=NDJSON, headers={"cache-control": "no-store", **language_headers()}
    )


def _in_language(result: ImportResult) -> ImportResult:
    """Return a result with its reason and warnings in the language of the request."""
    if not IS_VIETNAMESE.get():
        return result
    return msgspec.structs.replace(
        result, reason=reason_in_vietnamese(result.reason), warnings=list(map(in_vietnamese, result.warnings))
    )


def _interrupted(reason: str) -> bytes:
    """Return the last line of a response that is incomplete."""
    return msgspec.json.encode(_in_language(ImportResult(place="file", status="failed", reason=reason[:500]))) + b"\n"


class _ImportResponse(StreamingResponse):
    """The lines of an import, which ends its turn also if the client has left before the first one."""

    def __init__(self, turn: AsyncExitStack, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        async with self._turn:
            await super().__call__(scope, receive, send)

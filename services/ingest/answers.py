"""What the editor API answers: views, errors with the field and the sizes, and the bounds of a request."""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.contents import ContentError, Fault, warnings_of
from services.ingest.importing import Result
from services.ingest.media import Medium
from services.ingest.publications import Publication
from services.ingest.workflow import Kept, allowed_steps
from shared.articles import Article, State, article_path, is_public
from shared.logs import log
from shared.postgres import POSTGRES_AWAY
from shared.problems import EXCEPTION_HANDLERS, Problem, on_http_exception

BODY_BYTES_MAX = 2 * 1024 * 1024
DRAINED_BYTES_MAX = 64 * 1024 * 1024
"""What is too large is read to its end, up to here: many clients and gateways read no answer before they have sent."""
STREAMED = ("/media", "/imports")
"""Routes that read their bodies themselves, with bounds of their own."""
JSON_DEPTH_MAX = 60
ERRORS_MAX = 20
_TAGS = {"text", "blocks", "paragraph", "heading", "figure", "list", "quote", "table", "embed", "file"}


class ArticleView(Article, frozen=True, kw_only=True):
    """An article as its editors see it: the head, and what readers get of it."""

    live_version: int | None
    """The version that was last given to readers, or taken from them; null: never public."""
    live_state: State | None
    url: str | None
    """Where readers find it; null while they cannot."""
    problem: str | None
    """Why the scheduler could not publish it."""
    steps: list[str]
    """The steps that its state allows."""
    warnings: list[Fault]


class ArticleList(msgspec.Struct):
    """A page of articles as editors see them, newest first; `next` is the `cursor` of the page that follows."""

    articles: list[ArticleView]
    next: str | None


class PublicArticleList(msgspec.Struct):
    """A page of articles as readers get them."""

    articles: list[Article]
    next: str | None


class Revision(msgspec.Struct):
    """One accepted change: who did what, when and why."""

    version: int
    action: str
    state: State
    who: str
    note: str
    at: datetime
    is_told: bool
    """Readers got something else by it."""


class RevisionList(msgspec.Struct):
    """A page of revisions, newest first."""

    revisions: list[Revision]
    next: str | None


class AuditEntry(msgspec.Struct):
    """One accepted change of any article."""

    id: int
    article: str
    title: str
    version: int
    action: str
    state: State
    who: str
    note: str
    site: str
    at: datetime


class Audit(msgspec.Struct):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None


class FieldChange(msgspec.Struct):
    """A field that differs between two versions."""

    field: str
    before: Any
    after: Any


class Difference(msgspec.Struct):
    """What differs between two versions; the body as a unified diff, a line for each block."""

    article: str
    before: int
    after: int
    fields: list[FieldChange]
    body: list[str]


class MediaList(msgspec.Struct):
    """A page of images, newest first."""

    media: list[Medium]
    next: str | None


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """RFC 9457. `errors` names each field that is wrong, with its limit and the value's size."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
    version: int | None = None
    missing_scope: str | None = None
    state: str | None = None
    possible_from: list[str] | None = None
    article: str | None = None


_REFERENCE = "#/components/schemas/{name}"
_KINDS = (
    Article,
    ArticleView,
    ArticleList,
    PublicArticleList,
    RevisionList,
    Audit,
    Difference,
    Publication,
    Medium,
    MediaList,
    Result,
    ProblemDocument,
)
_refs, SCHEMAS = msgspec.json.schema_components(_KINDS, ref_template=_REFERENCE)
_SCHEMA: dict[type, dict[str, Any]] = dict(zip(_KINDS, _refs, strict=True))
ETAG = {"ETag": {"schema": {"type": "string"}, "description": 'The version, such as "3"; send it back as If-Match'}}


def answers(status: int, *kinds: type, problems: Sequence[int] = (), media: str = "application/json") -> Any:
    """Return the documented answers of a route: what it gives, and its problems."""
    schemas = [_SCHEMA[kind] for kind in kinds]
    schema = {} if not schemas else schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    problem = {"content": {"application/problem+json": {"schema": _SCHEMA[ProblemDocument]}}}
    found: dict[int | str, Any] = {code: dict(problem) for code in (*problems, 400, 401, 413, 422, 503)}
    found[status] = {"content": {media: {"schema": schema}}, **({"headers": ETAG} if ArticleView in kinds else {})}
    return found


def view(kept: Kept, public_url: str, now: datetime, warnings: Sequence[Fault] = ()) -> ArticleView:
    """Return the article as its editors see it."""
    fields = {name: getattr(kept.head, name) for name in Article.__struct_fields__}
    live = kept.live
    is_open = live is not None and is_public(live, now)
    return ArticleView(
        **fields,
        live_version=None if live is None else live.version,
        live_state=None if live is None else live.state,
        url=public_url + article_path(live) if live is not None and is_open else None,
        problem=kept.problem,
        steps=allowed_steps(kept),
        warnings=[*warnings, *warnings_of(kept.head)],
    )


def json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    kept = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, kept, "application/json")


def with_version(value: ArticleView, status: int = 200, **headers: str) -> Response:
    """Return an article with its version as the ETag."""
    return json(value, status, {"etag": f'"{value.version}"', **headers})


def content_problem(error: ContentError) -> Problem:
    """Return the problem document of content that cannot be taken or published."""
    return _problem(error.faults)


def _problem(faults: Sequence[Fault]) -> Problem:
    shown = list(faults[:ERRORS_MAX])
    first = "; ".join(f"{fault.field}: {fault.fault}" for fault in shown[:3])
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    return Problem(422, f"{first}{more}", errors=shown)


def _field_of(place: Sequence[int | str]) -> str:
    """Return a field's name as its sender wrote it: pydantic adds the names of the kinds it tried."""
    parts = list(place[1:]) if place and place[0] == "body" else list(place)
    kept = [part for index, part in enumerate(parts) if not _is_tag(parts, index)]
    return ".".join(str(part) for part in kept) or "body"


def _is_tag(parts: Sequence[int | str], index: int) -> bool:
    if index == 0 or parts[index] not in _TAGS:
        return False
    after_body = parts[0] == "body" and index == 1
    return after_body or (parts[0] == "body" and isinstance(parts[index - 1], int) and index == 3)


def _fault(item: dict[str, Any]) -> Fault:
    place = _field_of(item["loc"])
    context = item.get("ctx") or {}
    value = item.get("input")
    # The size after NFC, which is what the limit is for; not that of what was typed.
    size = context.get("actual_length", len(value) if isinstance(value, str | list) else None)
    for name, words in (("max_length", "is the most"), ("min_length", "is the least")):
        if name in context:
            unit = "characters" if isinstance(value, str) else "entries"
            limit = int(context[name])
            return Fault(place, f"has {size or 0:,} {unit}; {limit:,} {words}", limit, size)
    if item["type"] == "extra_forbidden":
        return Fault(place, "is no field here")
    if item["type"] == "missing":
        return Fault(place, "is missing")
    limits = [context[name] for name in ("le", "lt", "ge", "gt") if isinstance(context.get(name), int)]
    return Fault(place, item["msg"].removeprefix("Value error, ")[:300], limits[0] if limits else None)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    not_json = [item for item in items if item["type"] == "json_invalid"]
    if not_json:
        reason = (not_json[0].get("ctx") or {}).get("error", "")
        return Problem(400, f"The body is not JSON: {reason} at position {not_json[0]['loc'][-1]}.").response()
    return _problem([_fault(item) for item in items]).response()


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's only one, and it does not say why
        return Problem(400, "The body is not JSON in UTF-8, or has a number of thousands of digits.").response()
    return await on_http_exception(request, error)


async def _on_content(request: Request, error: Exception) -> Response:
    assert isinstance(error, ContentError)
    return content_problem(error).response()


async def _on_absence(request: Request, error: Exception) -> Response:
    log.warning("Postgres is away; the request was refused", reason=repr(error))
    detail = "The database does not answer now. Try again soon, with the same Idempotency-Key."
    return Problem(503, detail, headers={"retry-after": "2"}).response()


HANDLERS: dict[Any, Any] = {
    **EXCEPTION_HANDLERS,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    ContentError: _on_content,
    **dict.fromkeys(POSTGRES_AWAY, _on_absence),
}


async def bounded(request: Request, limit: int, envelope: int = 0) -> AsyncGenerator[bytes, None]:
    """Yield a body's chunks.

    Args:
        request: Its body is read by nobody else.
        limit: In bytes.
        envelope: What may be around it, in bytes.

    Raises:
        Problem: 413, it is larger.
    """
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit + envelope:
            yield chunk
        elif size > DRAINED_BYTES_MAX:
            break
    if size > limit + envelope:
        raise too_large(size, limit)


def too_large(size: int, limit: int) -> Problem:
    """Return the refusal of a file that has too many bytes."""
    return Problem(413, f"The file has {size:,} bytes; {limit:,} is the most.", limit=limit, size=size)


class Bounded:
    """Reads a request's body before the API does, and refuses what is too large or too deep."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        streamed = scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in STREAMED
        if streamed or scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(Request(scope, receive))
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _read(request: Request) -> bytes:
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_BYTES_MAX:
            body += chunk
        elif size > DRAINED_BYTES_MAX:
            break
    if size > BODY_BYTES_MAX:
        more = " or more" if size > DRAINED_BYTES_MAX else ""
        detail = f"The body has {size:,} bytes{more}; {BODY_BYTES_MAX:,} is the most."
        raise Problem(413, detail, limit=BODY_BYTES_MAX, size=size)
    depth = _json_depth(bytes(body))
    if depth > JSON_DEPTH_MAX:
        detail = f"The body has {depth:,} arrays and objects inside each other; {JSON_DEPTH_MAX} is the most."
        raise Problem(400, detail, limit=JSON_DEPTH_MAX, size=depth)
    return bytes(body)


# To the end if it does not end: each byte is read once, whatever comes.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def _json_depth(body: bytes) -> int:
    deepest = depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

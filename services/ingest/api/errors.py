"""Exceptions of the editor API → RFC 9457 problem documents."""

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.content.errors import ContentError, Fault
from shared.http.problems import EXCEPTION_HANDLERS, Problem, on_http_exception
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

ERRORS_MAX = 20


_TAGS = {"text", "blocks", "paragraph", "heading", "figure", "list", "quote", "table", "embed", "file"}


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
    **dict.fromkeys(POSTGRES_UNAVAILABLE, _on_absence),
}

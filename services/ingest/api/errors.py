"""Exceptions of the editor API → RFC 9457 problem documents."""

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.articles.topic_comparison import NotComparedError, not_compared_problem
from services.ingest.content.errors import FieldError, InvalidContentError
from services.ingest.content.pydantic_errors import field_error_of
from shared.http.problems import EXCEPTION_HANDLERS, Problem, on_http_exception
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

ERRORS_MAX = 20


def validation_problem(error: InvalidContentError) -> Problem:
    """Return the problem document of content that cannot be accepted or published."""
    return _problem_of_errors(error.errors)


def _problem_of_errors(faults: Sequence[FieldError]) -> Problem:
    shown = list(faults[:ERRORS_MAX])
    first = "; ".join(f"{one.field}: {one.message}" for one in shown[:3])
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    return Problem(422, f"{first}{more}", errors=shown)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items = error.errors()
    not_json = [item for item in items if item["type"] == "json_invalid"]
    if not_json:
        reason = (not_json[0].get("ctx") or {}).get("error", "")
        return Problem(
            400, f"The body is not valid JSON: {reason} at position {not_json[0]['loc'][-1]}.", code="invalid_json"
        ).response()
    return _problem_of_errors([field_error_of(item) for item in items]).response()


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI raises no other 400, and without a reason
        return Problem(
            400, "The body is not JSON in UTF-8, or has a number with too many digits.", code="invalid_json"
        ).response()
    return await on_http_exception(request, error)


async def _on_content_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidContentError)
    return validation_problem(error).response()


async def _on_database_unavailable(request: Request, error: Exception) -> Response:
    log.warning("request rejected: Postgres is unavailable", reason=repr(error))
    detail = "The database is unavailable; retry later with the same Idempotency-Key."
    return Problem(503, detail, headers={"retry-after": "2"}, code="database_unavailable").response()


async def _on_not_compared(request: Request, error: Exception) -> Response:
    return not_compared_problem().response()


HANDLERS: dict[Any, Any] = {
    **EXCEPTION_HANDLERS,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    InvalidContentError: _on_content_invalid,
    NotComparedError: _on_not_compared,
    **dict.fromkeys(POSTGRES_UNAVAILABLE, _on_database_unavailable),
}

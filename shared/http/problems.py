"""Errors as RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.logs import log

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A request that cannot be served, with a message for the client."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        self.extensions = extensions

    def response(self) -> Response:
        """Return the problem as an HTTP response."""
        body = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extensions,
        }
        return Response(msgspec.json.encode(body), self.status, self.headers, MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer with the problem that was raised."""
    assert isinstance(error, Problem)
    return error.response()


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer the framework's own errors (404, 405, …) as problems too."""
    assert isinstance(error, HTTPException)
    return Problem(error.status_code, error.detail, headers=error.headers).response()


async def on_invalid_value(request: Request, error: Exception) -> Response:
    """Answer a value that Postgres cannot store, such as a NUL in a path: nothing can have that name."""
    return Problem(404, "Not found.").response()


async def on_unexpected_error(request: Request, error: Exception) -> Response:
    """Answer an unexpected error without its details, which are in the log."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return Problem(500, "Internal server error. The error has been logged.").response()


EXCEPTION_HANDLERS: dict[Any, Any] = {
    Problem: on_problem,
    HTTPException: on_http_exception,
    asyncpg.DataError: on_invalid_value,
    Exception: on_unexpected_error,
}
"""How every HTTP application here answers what its handlers raise."""

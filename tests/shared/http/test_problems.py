"""Errors are RFC 9457 problem documents."""

import json
from typing import Any

import asyncpg
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from structlog.testing import capture_logs

from shared.http.problems import EXCEPTION_HANDLERS, MEDIA_TYPE, Problem

REQUEST = Request({"type": "http", "method": "GET", "path": "/a/b", "query_string": b"secret=1", "headers": []})


async def response_to(kind: type[Exception], error: Exception) -> Any:
    return await EXCEPTION_HANDLERS[kind](REQUEST, error)


def test_problem_response_has_the_members_of_the_rfc() -> None:
    """Type, title, status and detail are always there; extensions follow; headers are sent."""
    response = Problem(503, "Try again.", headers={"retry-after": "2"}, reason="full").response()
    assert (response.status_code, response.media_type, response.headers["retry-after"]) == (503, MEDIA_TYPE, "2")
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Try again.",
        "reason": "full",
    }


def test_problem_title_can_be_set() -> None:
    """A title of one's own replaces the status's phrase."""
    assert json.loads(Problem(422, "x", title="Invalid article").response().body)["title"] == "Invalid article"


async def test_raised_problem_is_the_response() -> None:
    """A handler that raises a problem answers with it."""
    assert (await response_to(Problem, Problem(409, "Changed."))).status_code == 409


async def test_framework_errors_are_problems() -> None:
    """Starlette's own 404 and 405 keep their status and headers, as problem documents."""
    response = await response_to(HTTPException, HTTPException(405, headers={"allow": "GET"}))
    assert (response.status_code, response.media_type, response.headers["allow"]) == (405, MEDIA_TYPE, "GET")
    assert json.loads(response.body)["detail"] == "Method Not Allowed"


async def test_value_that_postgres_cannot_store_is_not_found() -> None:
    """A path with a NUL names nothing."""
    response = await response_to(asyncpg.DataError, asyncpg.DataError("invalid byte sequence"))
    assert (response.status_code, json.loads(response.body)["detail"]) == (404, "Not found.")


async def test_unexpected_error_is_logged_and_not_shown() -> None:
    """An unexpected error is a 500 without its text; the log has the error and the path, without the query."""
    error = RuntimeError("a secret")
    with capture_logs() as lines:
        response = await response_to(Exception, error)
    assert response.status_code == 500
    assert "a secret" not in response.body.decode()
    assert json.loads(response.body)["detail"] == "Internal server error. The error has been logged."
    (line,) = lines
    assert (line["event"], line["path"], line["exc_info"]) == ("request failed", "/a/b", error)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_every_status_has_a_title(status: int) -> None:
    """The title is HTTP's phrase for the status."""
    assert Problem(status, "x").title

"""Exceptions of the editor API as problem documents."""

from typing import Any

import pytest

from services.ingest.api.errors import ERRORS_MAX, validation_problem
from services.ingest.content.errors import InvalidContentError, field_error


def test_validation_problem_lists_errors_and_summarises_the_first_three() -> None:
    """The detail has the first three errors and the number of the others; `errors` has at most ERRORS_MAX."""
    problem = validation_problem(InvalidContentError([field_error(f"f{n}", "required") for n in range(30)]))
    assert problem.status == 422
    assert problem.detail == "f0: is required; f1: is required; f2: is required; and 27 more"
    assert len(problem.extensions["errors"]) == ERRORS_MAX == 20


@pytest.mark.parametrize(
    ("change", "field", "message", "limit", "size"),
    [
        ({"title": "T" * 256}, "title", "must have at most 255 characters (got 256)", 255, 256),
        ({"title": ""}, "title", "must have at least 1 characters (got 0)", 1, 0),
        ({"tags": ["x"] * 21}, "tags", "must have at most 20 entries (got 21)", 20, 21),
        ({"nothing": 1}, "nothing", "unknown field", None, None),
        ({"priority": 10}, "priority", "must be at most 9", 9, None),
        ({"body": [{"type": "paragraph"}]}, "body.0.html", "is required", None, None),
        ({"body": [{"type": "list", "items": []}]}, "body.0.items", "must have at least 1 entries (got 0)", 1, 0),
        ({"lead": "a\\u0000"}, "lead", None, None, None),
    ],
)
async def test_invalid_request_names_field_limit_and_size(  # noqa: PLR0917
    api: Any, change: dict[str, Any], field: str, message: str | None, limit: int | None, size: int | None
) -> None:
    """An invalid request is a 422 whose errors name the field as sent, the limit and the size after NFC."""
    given = {"site": "haihau", "section": "tin-tuc", "title": "T", **change}
    response = await api.call("POST", "/articles", given)
    if message is None:
        assert response.status == 201  # an escaped backslash is no NUL character
        return
    assert (response.status, response.headers["content-type"]) == (422, "application/problem+json")
    (error,) = response.json()["errors"]
    assert (error["field"], error["fault"]) == (field, message)
    assert (error.get("limit"), error.get("size")) == (limit, size)


async def test_invalid_json_is_400_with_position(api: Any) -> None:
    """A body that is not JSON is a 400 that names the position; one that is not UTF-8 is a 400 too."""
    response = await api.call("POST", "/articles", b'{"title": }')
    assert (response.status, "at position 10" in response.json()["detail"]) == (400, True), response.body
    assert (await api.call("POST", "/articles", b'{"title": "\xff"}')).status == 400


async def test_database_unavailable_is_503_with_retry_after(api: Any) -> None:
    """Without Postgres a request is a 503 that may be repeated."""
    await api.token("write")
    await api.call("GET", "/articles", scope="write")
    api.context.pool.terminate()
    response = await api.call("POST", "/articles", {"site": "haihau", "section": "tin-tuc", "title": "x"})
    assert (response.status, response.headers["retry-after"]) == (503, "2")
    assert "Idempotency-Key" in response.json()["detail"]

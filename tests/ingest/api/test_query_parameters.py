"""The query of every route of the OpenAPI: unknown, repeated, overlong and unusable parameters are refused by name."""

from collections.abc import Iterator
from typing import Any

from services.ingest.api.query_parameters import ANY_QUERY

ANY_QUERY_PATHS = {"/sessions/oidc/callback"}
"""What other systems call with parameters of their own."""
METHODS = ("get", "post", "put", "patch", "delete")


def operations(api: Any) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Yield method and path of each operation, and its query parameters: whether each may be repeated."""
    for path, methods in api.app.openapi()["paths"].items():
        for method in METHODS:
            if method in methods and path not in ANY_QUERY_PATHS:
                parameters = [one for one in methods[method].get("parameters", []) if one["in"] == "query"]
                yield method.upper(), path, {one["name"]: "array" in str(one["schema"]) for one in parameters}


def path_of(path: str) -> str:
    return path.replace("{version}", "1").replace("{", "x").replace("}", "x")


async def refused(api: Any, method: str, path: str, query: str, name: str) -> None:
    """Send a request of an administrator, and expect a refusal that names the parameter."""
    answer = await api.call(method, f"{path_of(path)}?{query}", None if method == "GET" else {}, "admin")
    assert answer.status == 422, (method, path, query, answer.body)
    assert [error["field"] for error in answer.json()["errors"]] == [name], (method, path, query, answer.body)


async def test_query_of_every_route_refuses_what_it_does_not_know(api: Any) -> None:
    """A misspelt filter is an error that names it on every route, and so is a parameter that is sent twice."""
    count = 0
    for method, path, parameters in operations(api):
        count += 1
        assert "khong-co" not in parameters
        await refused(api, method, path, "khong-co=1", "khong-co")
        for name, may_repeat in parameters.items():
            if not may_repeat:
                await refused(api, method, path, f"{name}=1&{name}=1", name)
            await refused(api, method, path, f"{name}=%00", name)
            await refused(api, method, path, f"{name}={'x' * 2_001}", name)
    assert count > 20


def test_routes_that_take_any_query_are_few_and_named(api: Any) -> None:
    """A route is exempt only if it is listed here."""
    paths = api.app.openapi()["paths"].items()
    assert {path for path, methods in paths for one in methods.values() if ANY_QUERY in one} == ANY_QUERY_PATHS


async def test_query_parameters_that_routes_know_are_those_of_the_openapi(api: Any) -> None:
    """What the check accepts of a list is what the documentation says: the message names them all."""
    for method, path, parameters in operations(api):
        answer = await api.call(method, f"{path_of(path)}?a=1", None if method == "GET" else {}, "admin")
        known = ", ".join(sorted(parameters)) or "none"
        assert answer.json()["errors"][0]["fault"] == f"unknown parameter; this route has: {known}", (method, path)


ODD: tuple[tuple[str, str | None], ...] = (
    ("Section=tin-tuc", "Section"),
    ("section%20=tin-tuc", "section "),
    ("section[]=tin-tuc", "section[]"),
    ("%73ection=a&section=b", "section"),
    ("section=%ff", "query"),
    ("%ff=1", "query"),
    ("section=é", "query"),
    ("&".join(f"a{number}=1" for number in range(101)), "query"),
    ("=1", ""),
    ("q=a\0", "q"),
    ("%00=1", "�"),
    ("x" * 5_000 + "=1", "x" * 60),
    ("callback=alert", "callback"),
    ("_=1764400000", "_"),
    ("section", None),
    ("&&&", None),
    ("", None),
    ("state=draft&state=published", None),
)


async def test_query_that_is_odd_is_refused_or_understood(api: Any) -> None:
    """Names are compared as they are decoded, byte for byte."""
    for query, field in ODD:
        answer = await api.call("GET", f"/articles?{query}", scope="read")
        if field is None:
            assert answer.status == 200, answer.body
            continue
        assert answer.status == 422, (query, answer.body)
        assert field in [error["field"] for error in answer.json()["errors"]], query
        assert len(answer.body) < 10_000


async def test_query_with_editors_filters_without_token_is_refused(api: Any) -> None:
    """Without a token the list would look filtered; the public filters are accepted."""
    for query in (
        "state=draft",
        "mine=true",
        "sort=modified",
        "order=asc",
        "fields=short",
        "due_from=2026-01-01T00:00Z",
    ):
        answer = await api.call("GET", f"/articles?{query}", scope=None)
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, query.partition("=")[0]), query
    for query in ("section=tin-tuc", "q=a", "tag=a", "author=a", "full=true", "limit=1", "site=haihau"):
        assert (await api.call("GET", f"/articles?{query}", scope=None)).status == 200, query

"""`/articles/{id}/previews`: limits and audit; `/previews` of the internal port."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from services.ingest.api.preview_routes import internal_route
from shared.http.problems import EXCEPTION_HANDLERS, Problem
from shared.previews import HEADER, PATH


async def asked(api: Any, signed: str) -> tuple[int, bytes]:
    """Ask as render does."""
    route = internal_route(api.context)
    assert Starlette(routes=[route], exception_handlers=EXCEPTION_HANDLERS).routes[0].path == PATH
    headers = [(HEADER.encode(), signed.encode("latin-1", "replace"))]
    try:
        response = await route.endpoint(Request({"type": "http", "method": "GET", "path": PATH, "headers": headers}))
    except Problem as problem:
        response = problem.response()
    return response.status_code, bytes(response.body)


async def test_preview_request_out_of_range_is_refused(api: Any) -> None:
    """Times, versions and fields that cannot be are refused by name; a version that does not exist is 404."""
    article = (await api.create("Một"))["id"]
    path = f"/articles/{article}/previews"
    for body in (
        {"expires_in": 59},
        {"expires_in": 30 * 86_400 + 1},
        {"expires_in": -1},
        {"expires_in": 1e300},
        {"expires_in": "mai"},
        {"expires_in": None},
        {"version": 0},
        {"version": 2**31},
        {"version": "1; DROP"},
        {"verson": 1},
        {"site": "giao-thuy"},
        [],
        "x",
    ):
        answer = await api.call("POST", path, body)
        assert answer.status == 422, (body, answer.body)
    assert (await api.call("POST", path, {"version": 2})).status == 404
    assert (await api.call("DELETE", f"{path}/khong-co")).status == 404
    assert (await api.call("DELETE", f"{path}/%00")).status == 404
    assert (await api.call("POST", "/articles/khong-co/previews", {})).status == 404


async def test_preview_is_repeated_audited_and_answered_on_the_internal_port(api: Any) -> None:
    """A repeated request makes one link; the audit log has it without its signature; the API has no internal path."""
    article = (await api.create("Một"))["id"]
    path = f"/articles/{article}/previews"
    first, second = [await api.call("POST", path, {}, idempotency_key="k-1") for _ in range(2)]
    assert first.json() == second.json()
    signed = first.json()["url"].rpartition("/")[2]
    status, body = await asked(api, signed)
    assert (status, b'"title":"M\xe1\xbb\x99t"' in body) == (200, True)
    refused = {await asked(api, wrong) for wrong in ("", "x", signed[:-1], signed + "A", "\xff" * 60)}
    assert {status for status, _ in refused} == {404}
    assert len(refused) == 1
    assert (await api.call("GET", PATH, scope=None)).status == 404
    assert (await api.call("DELETE", f"{path}/{first.json()['id']}")).status == 204
    entries = (await api.call("GET", "/audit", scope="admin")).body.decode()
    assert '"revoke"' in entries
    assert signed.partition(".")[2] not in entries

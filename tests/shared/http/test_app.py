"""A process's HTTP port: health, and the routes of roles that start and stop."""

import asyncio
import json
from ipaddress import ip_network
from typing import Any, cast

import pytest
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.http.app import HttpApp
from shared.http.direct import DirectRequest
from shared.http.fair_limit import CALLER
from shared.role import CachedResponse, OperatorDecision, Role
from tests.shared.http.fakes import FakeProtocol, FakeRequest

SERVED = Counter("test_app_served", "For this test.")


async def get(app: HttpApp, path: str, method: str = "GET", query: str = "") -> FakeProtocol:
    protocol = FakeProtocol()
    await app.__rsgi__(FakeRequest(path, method, query_string=query), protocol)  # type: ignore[arg-type]
    return protocol


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def broken(request: Request) -> Response:
    raise RuntimeError("a secret")


def app_with(*roles: Role, starting: tuple[str, ...] = ()) -> HttpApp:
    app = HttpApp()
    app.starting = [*(role.name for role in roles), *starting]
    for role in roles:
        app.open(role)
    return app


@pytest.mark.parametrize(
    ("role", "path", "status", "expected"),
    [
        (Role("a"), "/livez", 200, {"alive": True, "failures": []}),
        (Role("a", liveness_failure=lambda: "stuck"), "/livez", 503, {"alive": False, "failures": ["a: stuck"]}),
        (Role("a"), "/readyz", 200, {"ready": True, "problems": [], "decisions": [], "warnings": []}),
        (
            Role("a", not_ready=lambda: ["no x"]),
            "/readyz",
            503,
            {"ready": False, "problems": ["a: no x"], "decisions": [], "warnings": []},
        ),
        (
            Role("a", degraded=lambda: ["no y"]),
            "/readyz",
            200,
            {"ready": True, "problems": [], "decisions": [], "warnings": ["a: no y"]},
        ),
    ],
)
async def test_health_reports_what_the_roles_report(
    role: Role, path: str, status: int, expected: dict[str, Any]
) -> None:
    """Liveness and readiness are 503 with a reason; a warning leaves a process ready."""
    protocol = await get(app_with(role), path)
    assert (protocol.status, json.loads(protocol.body)) == (status, expected)


async def test_readiness_marks_what_waits_for_an_operator() -> None:
    """`decisions` has the problems that do not pass by themselves, and only those."""
    role = Role("a", not_ready=lambda: ["no x", OperatorDecision("run `y`")])
    answer = json.loads((await get(app_with(role), "/readyz")).body)
    assert (answer["problems"], answer["decisions"]) == (["a: no x", "a: run `y`"], ["a: run `y`"])


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("", ["c: starting", "b: no x"]),
        ("role=a", []),
        ("role=b", ["b: no x"]),
        ("role=c", ["c: starting"]),
        ("role=d", ["c: starting", "b: no x"]),  # a process without the role is as ready as all that it runs
    ],
)
async def test_readiness_of_one_role(query: str, problems: list[str]) -> None:
    """A balancer may send visitors to a role while another one of the process waits."""
    app = app_with(Role("a"), Role("b", not_ready=lambda: ["no x"]), starting=("c",))
    protocol = await get(app, "/readyz", query=query)
    assert (protocol.status, json.loads(protocol.body)["problems"]) == (503 if problems else 200, problems)
    app.draining = True
    assert "stopping" in json.loads((await get(app, "/readyz", query=query)).body)["problems"]


async def test_readiness_names_starting_roles_and_a_stop() -> None:
    """A process whose roles start, or that stops, is alive and not ready."""
    app = app_with(Role("a"), starting=("b",))
    assert json.loads((await get(app, "/readyz")).body)["problems"] == ["b: starting"]
    assert (await get(app, "/livez")).status == 200
    app.open(Role("b"))
    app.draining = True
    assert json.loads((await get(app, "/readyz")).body)["problems"] == ["stopping"]


async def test_metrics_are_served_before_any_role() -> None:
    """Prometheus reads a process that has not started yet."""
    protocol = await get(app_with(starting=("a",)), "/metrics")
    assert protocol.status == 200
    assert b"http_server_request_duration_seconds" in protocol.body


async def test_routes_of_all_roles_are_served() -> None:
    """Each role's routes are there; other paths are a 404 problem."""
    app = app_with(Role("a", [Route("/a", hello)]), Role("b", [Route("/b", hello)]))
    assert [(await get(app, path)).status for path in ("/a", "/b", "/c")] == [200, 200, 404]


async def test_request_waits_for_a_role_that_starts() -> None:
    """A request that comes too early is served as soon as its role is up."""
    app = app_with(starting=("a", "b"))
    waiting = asyncio.create_task(get(app, "/a"))
    await asyncio.sleep(0.01)
    app.open(Role("b", [Route("/b", hello)]))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    app.open(Role("a", [Route("/a", hello)]))
    assert (await waiting).body == b"hello"


async def test_request_for_a_role_that_does_not_start_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time the client is asked to come back; other roles serve meanwhile."""
    monkeypatch.setattr("shared.http.app.STARTUP_WAIT_SECONDS", 0.01)
    app = app_with(Role("a", [Route("/a", hello)]), starting=("b",))
    protocol = await get(app, "/b")
    assert (protocol.status, dict(protocol.headers)["retry-after"]) == (503, "1")
    assert (await get(app, "/a")).status == 200


async def test_raw_route_bypasses_the_framework() -> None:
    """A raw handler gets RSGI's own request and protocol, for any method."""
    seen = []

    async def raw(request: Any, protocol: Any) -> int:
        seen.append(request.method)
        protocol.response_bytes(202, [], b"")
        return 202

    app = app_with(Role("a", raw_routes={"/e": raw}))
    assert [(await get(app, "/e", method)).status for method in ("POST", "BREW")] == [202, 202]
    assert seen == ["POST", "BREW"]


async def test_direct_handlers_come_before_the_routes() -> None:
    """A handler's response from memory is sent and counted; what no role takes over is left to the loop."""
    cached = CachedResponse(200, [("x-cache", "hit")], b"cached", SERVED)

    def direct(request: DirectRequest) -> bool:
        if request.path != "/a":
            return False
        cached.send(request.protocol)
        return True

    app = app_with(Role("b"), Role("a", [Route("/{path:path}", hello)], direct=direct))
    before, protocol = SERVED._value.get(), FakeProtocol()
    for path, is_served in (("/a", True), ("/b", False)):
        request = DirectRequest(path, cast("Any", FakeRequest(path)), cast("Any", protocol), lambda _: None)
        assert app.serve_direct(request) is is_served
    assert (protocol.body, SERVED._value.get()) == (b"cached", before + 1)


async def test_unexpected_error_of_a_route_is_a_500() -> None:
    """A route that fails is a problem document without the error's text."""
    protocol = FakeProtocol()
    with pytest.raises(RuntimeError):  # Starlette raises it again, for the server's log
        await app_with(Role("a", [Route("/a", broken)])).__rsgi__(FakeRequest("/a"), protocol)  # type: ignore[arg-type]
    assert (protocol.status, b"a secret" in protocol.body) == (500, False)


async def test_connection_of_a_draining_server_closes_after_its_response() -> None:
    """A gateway must not send a request on a connection that a stopping server is about to close."""

    async def raw(request: Any, protocol: Any) -> int:
        protocol.response_bytes(200, [("x-kept", "1")], b"ok")
        return 200

    app = app_with(Role("one", routes=[Route("/hello", hello)], raw_routes={"/raw": raw}))
    assert ("connection", "close") not in (await get(app, "/raw")).headers
    app.draining = True
    assert (await get(app, "/raw")).headers == [("x-kept", "1"), ("connection", "close")]
    assert ("connection", "close") in (await get(app, "/hello")).headers
    assert ("connection", "close") in (await get(app, "/readyz")).headers


async def test_each_request_has_its_own_caller() -> None:
    """The caller is the client's address prefix behind trusted proxies, and is not mixed up between requests."""

    async def caller(request: Request) -> Response:
        await asyncio.sleep(0)
        return PlainTextResponse(CALLER.get())

    app = HttpApp((ip_network("10.0.0.0/8"),))
    app.starting = ["a"]
    app.open(Role("a", routes=[Route("/", caller)]))
    expected = {
        ("10.0.0.1:1", "203.0.113.9, 198.51.100.1"): "198.51.100.1",
        ("10.0.0.1:1", "2001:db8::1:2"): "2001:db8::/64",
        ("10.0.0.1:1", "unknown"): "10.0.0.1",
        ("203.0.113.5:1", "198.51.100.1"): "203.0.113.5",
        ("[2001:db8:1::5]:80", ""): "2001:db8:1::/64",
    }
    protocols = [FakeProtocol() for _ in expected]
    requests = [
        FakeRequest("/", client=peer, headers={"x-forwarded-for": sent} if sent else {}) for peer, sent in expected
    ]
    tasks = [
        asyncio.create_task(app.__rsgi__(request, protocol))  # type: ignore[arg-type]
        for request, protocol in zip(requests, protocols, strict=True)
    ]
    await asyncio.gather(*tasks)
    assert [protocol.body.decode() for protocol in protocols] == list(expected.values())

"""Limits on request bodies: size, nesting depth, and bodies that are streamed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.api import body_limits as module
from services.ingest.api.body_limits import (
    BODY_BYTES_MAX,
    JSON_DEPTH_MAX,
    BodyBudget,
    BodyLimitMiddleware,
    limited_body,
)
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem


class KnownCaller:
    """Tokens with one valid bearer, whose prefix is the bearer itself."""

    async def identify(self, request: Request) -> Any:
        authorization = request.headers.get("authorization")
        if authorization is None:
            raise Problem(401, "A token is required.")
        return SimpleNamespace(id=authorization)


def body_limits(app: ASGIApp) -> BodyLimitMiddleware:
    return BodyLimitMiddleware(app, KnownCaller())  # type: ignore[arg-type]


async def run(
    body: list[bytes], path: str = "/articles", method: str = "POST", caller: str | None = "Lan"
) -> tuple[int, bytes, bytes]:
    """Return the status and body of the response, and the body that the application got."""
    got = bytearray()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            got.extend(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    chunks = iter([*body[:-1], body[-1]])
    left = len(body)
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": next(chunks), "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", caller.encode())] if caller else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    await body_limits(app)(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], bytes(got)


async def test_middleware_passes_body_in_one_piece() -> None:
    """A body within the limits reaches the application unchanged, whatever its chunks."""
    assert await run([b'{"a":', b"", b'"[[["}']) == (200, b"ok", b'{"a":"[[["}')


@pytest.mark.parametrize("extra", [1, 5_000_000])
async def test_middleware_too_large_body_is_413_with_sizes(extra: int) -> None:
    """A body above the limit is a 413 that names limit and size, also when it is much larger."""
    status, body, got = await run([b"x" * BODY_BYTES_MAX, b"x" * extra])
    assert (status, got) == (413, b"")
    assert f'"limit":{BODY_BYTES_MAX},"size":{BODY_BYTES_MAX + extra}'.encode() in body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX, 200),
        (b"[" * (JSON_DEPTH_MAX + 1) + b"]" * (JSON_DEPTH_MAX + 1), 400),
        (b'{"a":' * (JSON_DEPTH_MAX + 1), 400),
        (b'"' + b"[" * 1_000 + b'"', 200),
        (b'"\\"' + b"[" * 1_000 + b'"', 200),
        (b'"' + b"[" * 1_000, 200),
        (b'"\\', 200),
        (b"[]" * 1_000, 200),
        (b'"a' * 100_000, 200),
    ],
)
async def test_middleware_limits_json_depth_outside_strings(body: bytes, status: int) -> None:
    """Arrays and objects are counted outside strings; unterminated strings take linear time."""
    assert (await run([body]))[0] == status


@pytest.mark.parametrize(("path", "method"), [("/media", "POST"), ("/imports", "POST"), ("/articles", "GET")])
async def test_middleware_leaves_streaming_routes_alone(path: str, method: str) -> None:
    """Routes that read their bodies themselves, and methods without one, get the body as it is."""
    body = b"[" * 100
    assert await run([body], path, method) == (200, b"ok", body)


async def chunks_of(body: bytes, limit: int, envelope: int = 0) -> list[bytes]:
    async def stream() -> AsyncIterator[Message]:
        for start in range(0, len(body), 10):
            yield {"type": "http.request", "body": body[start : start + 10], "more_body": start + 10 < len(body)}

    messages = stream()

    async def receive() -> Any:
        return await anext(messages)

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    return [chunk async for chunk in limited_body(request, limit, envelope)]


async def test_limited_body_within_limit_yields_all_chunks() -> None:
    """A body of exactly the limit, or within limit and envelope, is yielded completely."""
    assert b"".join(await chunks_of(b"x" * 30, 30)) == b"x" * 30
    assert b"".join(await chunks_of(b"x" * 35, 30, 5)) == b"x" * 35


async def test_limited_body_above_limit_raises_413_with_sizes() -> None:
    """A larger body is read to its end, and then a 413 names the limit and the size."""
    with pytest.raises(Problem) as raised:
        await chunks_of(b"x" * 36, 30, 5)
    assert (raised.value.status, raised.value.extensions) == (413, {"limit": 30, "size": 36})


async def test_stranger_is_refused_before_the_body_is_read() -> None:
    """Without a token, the answer is 401, and nothing is read: the server reads what may be left of a small body."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the API must not see the request")

    async def receive() -> Message:
        raise AssertionError("the body must not be read")

    async def send(message: Message) -> None:
        sent.append(message)

    for path in ("/articles", "/imports", "/media", "/nowhere"):
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        await body_limits(app)(scope, receive, send)
    assert [message["status"] for message in sent if "status" in message] == [401] * 4


@pytest.mark.parametrize(
    ("chunks", "slow_after", "read"), [(40, 100, 40), (100, 100, 65), (40, 3, 4)], ids=["whole", "endless", "slow"]
)
async def test_upload_is_refused_once_it_has_been_read(chunks: int, slow_after: int, read: int) -> None:
    """The reason arrives at a sender that writes all of a file first; an endless or slow one is not waited for."""
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"detail": "no such site"}, 422)(scope, receive, send)

    async def receive() -> Message:
        order.append("read")
        if len(order) > slow_after:
            raise Problem(408, "The body took too long.")
        return {"type": "http.request", "body": bytes(1024 * 1024), "more_body": len(order) < chunks}

    async def send(message: Message) -> None:
        order.append(message["type"])

    scope = {"type": "http", "method": "POST", "path": "/media", "headers": [(b"authorization", b"Lan")]}
    await body_limits(app)({**scope, "query_string": b""}, receive, send)
    assert order == ["read"] * read + ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("path", ["/articles", "/imports"])
async def test_slow_body_is_408(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A body that does not arrive in time ends with a 408 instead of holding memory."""
    monkeypatch.setattr(module, "BODY_SECONDS_MAX", 0.05)
    monkeypatch.setattr(module, "UPLOAD_SECONDS_MAX", 0.05)
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def receive() -> Message:
        await asyncio.sleep(10)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"authorization", b"Lan")]}
    await body_limits(app)({**scope, "query_string": b""}, receive, send)
    assert sent[0]["status"] == 408


def test_budget_bounds_bytes_and_requests() -> None:
    """One caller cannot take all of the memory, all callers together cannot take more, and what ends is free again."""
    budget = BodyBudget()
    megabyte = 1024 * 1024
    with ExitStack() as held:
        held.enter_context(budget.reserve("a", 70 * megabyte))
        with pytest.raises(Problem) as raised, budget.reserve("a", 3 * megabyte):
            pass
        assert (raised.value.status, raised.value.headers) == (429, {"retry-after": "2"})
        held.enter_context(budget.reserve("b", 58 * megabyte))
        with pytest.raises(Problem) as raised, budget.reserve("c", 1 * megabyte):
            pass
        assert (raised.value.status, raised.value.headers) == (503, {"retry-after": "2"})
    with ExitStack() as held:
        for _ in range(module.REQUESTS_OF_CALLER_MAX):
            held.enter_context(budget.reserve("a", 0))
        with pytest.raises(Problem, match="your requests"), budget.reserve("a", 0):
            pass
        for number in range(module.REQUESTS_MAX - module.REQUESTS_OF_CALLER_MAX):
            held.enter_context(budget.reserve(f"c{number}", 0))
        with pytest.raises(Problem, match="Too many requests"), budget.reserve("b", 0):
            pass
    assert (budget._bytes, budget._requests) == ({}, {})


async def test_middleware_body_with_too_many_values_is_400() -> None:
    """Values take far more memory than their text, so that their number is bounded before they are decoded."""
    status, body, got = await run([b'{"a":[' + b"[]," * 200_000 + b"0]}"])
    assert (status, got) == (400, b"")
    assert b"at most 100,000 values" in body


async def test_slow_changes_of_a_caller_leave_turns_to_others() -> None:
    """Changes that wait for a lock hold connections: another caller's change is served meanwhile."""
    release, running = asyncio.Event(), Counter[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        running[CALLER.get()] += 1
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    limited = body_limits(app)

    async def change(caller: str) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Message) -> None:
            pass

        headers = [(b"authorization", caller.encode()), (b"content-length", b"2")]
        await limited({"type": "http", "method": "POST", "path": "/articles", "headers": headers}, receive, send)

    tasks = [asyncio.create_task(change(caller)) for caller in (*(["Lan"] * 20), "An")]
    for _ in range(50):
        await asyncio.sleep(0)
    assert running == {"caller Lan": module.CHANGES_OF_CALLER_RUNNING_MAX, "caller An": 1}
    release.set()
    await asyncio.gather(*tasks)
    assert running == {"caller Lan": 20, "caller An": 1}

"""Bounds on request bodies: bytes, JSON depth, and how long they may take."""

import re
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

BODY_BYTES_MAX = 2 * 1024 * 1024


DRAINED_BYTES_MAX = 64 * 1024 * 1024
"""What is too large is read to its end, up to here: many clients and gateways read no answer before they have sent."""


STREAMED = ("/media", "/imports")
"""Routes that read their bodies themselves, with bounds of their own."""


JSON_DEPTH_MAX = 60


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

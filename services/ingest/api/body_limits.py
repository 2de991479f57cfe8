"""Limits on request bodies: size and JSON nesting depth."""

import re
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

BODY_BYTES_MAX = 2 * 1024 * 1024


DRAINED_BYTES_MAX = 64 * 1024 * 1024
"""A body that is too large is read to its end, up to this size: many clients read the response only after sending."""


STREAMING_ROUTES = ("/media", "/imports")
"""Routes that read their bodies themselves, with limits of their own."""


JSON_DEPTH_MAX = 60


async def limited_body(request: Request, limit: int, envelope: int = 0) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a request body.

    Args:
        request: Its body has not been read.
        limit: Maximum size of the content, in bytes.
        envelope: Allowed overhead, such as that of a form, in bytes.

    Raises:
        Problem: 413 if it is larger.
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
    """Return the problem of a file that is too large."""
    return Problem(413, f"The file must have at most {limit:,} bytes (got {size:,}).", limit=limit, size=size)


class BodyLimitMiddleware:
    """Reads request bodies ahead of the API, and rejects those that are too large or nested too deep."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        streamed = (
            scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in STREAMING_ROUTES
        )
        if streamed or scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            body = await _read_limited(Request(scope, receive))
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


async def _read_limited(request: Request) -> bytes:
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
        detail = f"The body must have at most {BODY_BYTES_MAX:,} bytes (got {size:,}{more})."
        raise Problem(413, detail, limit=BODY_BYTES_MAX, size=size)
    depth = _json_depth(bytes(body))
    if depth > JSON_DEPTH_MAX:
        detail = f"The body must be nested at most {JSON_DEPTH_MAX} levels deep (got {depth:,})."
        raise Problem(400, detail, limit=JSON_DEPTH_MAX, size=depth)
    return bytes(body)


# An unterminated string matches to the end of the body, so that matching takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def _json_depth(body: bytes) -> int:
    deepest = depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

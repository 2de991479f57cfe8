"""Limits on requests with a body: who sends it, how many bytes all of them have, how long one takes, and its JSON.

The caller is known from the headers before the first byte is read, so that a stranger's body costs nothing. Bytes are
reserved until the response has been sent: an import and a decoded article need their body for that long.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterator

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.auth.authentication import Authentication
from services.ingest.content.json_bounds import has_more_values
from shared.http.fair_limit import CALLER, FairLimit
from shared.http.problems import Problem

BODY_BYTES_MAX = 2 * 1024 * 1024

DRAINED_BYTES_MAX = 64 * 1024 * 1024
"""A body that is too large is read to its end, up to this size: many clients read the response only after sending."""

STREAMING_ROUTES = ("/media", "/imports", "/files")
"""Routes that read their bodies themselves, with limits of their own."""
LARGE_ROUTES = ("/files",)
"""Streaming routes whose bodies are written to a temporary folder while they are read."""
LARGE_UPLOAD_BYTES_MAX = 61 * 1024 * 1024
"""What a large route may read at most. It is reserved as memory: the temporary folder of a container is in memory."""

STRANGERS_ROUTES = ("/sessions", "/password-resets", "/login-links", "/account-links", "/passwords")
"""Routes without a caller: for people who log in."""
STRANGERS_BYTES_MAX = 8 * 1024
STRANGERS_SECONDS_MAX = 5.0
"""Of such a body: slow ones would take the places of those who log in."""

JSON_DEPTH_MAX = 60
JSON_VALUES_MAX = 100_000
"""An article of 500 blocks with large tables has a third of it."""

BODY_SECONDS_MAX = 30.0
UPLOAD_SECONDS_MAX = 120.0
"""Of a body of the streaming routes; the gateway has the same limit."""
UPLOAD_BYTES_MAX = 33 * 1024 * 1024
"""What a streaming route may read at most, with the envelope of a form: reserved if the length is not declared."""
RESERVED_BYTES_MAX = 128 * 1024 * 1024
"""Of all bodies of a process together."""
RESERVED_BYTES_OF_CALLER_MAX = 72 * 1024 * 1024
REQUESTS_MAX = 128
"""Requests with a body that are being served."""
REQUESTS_OF_CALLER_MAX = 48
CHANGES_RUNNING_MAX = 6
CHANGES_OF_CALLER_RUNNING_MAX = 3
"""Complete requests that are being served: a caller whose changes wait for a lock leaves connections to others."""
CHANGE_WAIT_SECONDS_MAX = 20.0


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


class BodyBudget:
    """The bodies that are in memory, and the requests that have one, by caller."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()

    @contextlib.contextmanager
    def reserve(self, caller: str, size: int) -> Iterator[None]:
        """Reserve bytes for a request while the context is open.

        Raises:
            Problem: 429 if the caller has too much in progress, 503 if all callers together have.
        """
        others = {"retry-after": "2"}
        if (
            self._requests[caller] >= REQUESTS_OF_CALLER_MAX
            or self._bytes[caller] + size > RESERVED_BYTES_OF_CALLER_MAX
        ):
            raise Problem(429, "Too many of your requests are in progress; wait for their responses.", headers=others)
        if self._requests.total() >= REQUESTS_MAX or self._bytes.total() + size > RESERVED_BYTES_MAX:
            raise Problem(503, "Too many requests are in progress; retry later.", headers=others, code="busy")
        self._bytes[caller] += size
        self._requests[caller] += 1
        try:
            yield
        finally:
            self._bytes[caller] -= size
            self._requests[caller] -= 1
            if not self._requests[caller]:
                del self._bytes[caller], self._requests[caller]


class BodyLimitMiddleware:
    """Authenticates the callers of requests with a body, then reads it within limits, ahead of the API.

    Args:
        app: The API.
        authentication: Identifies callers.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication
        self._budget = BodyBudget()
        self._budget_of_strangers = BodyBudget()
        self._changes = FairLimit(
            "changes",
            running_max=CHANGES_RUNNING_MAX,
            running_of_caller_max=CHANGES_OF_CALLER_RUNNING_MAX,
            wait_seconds_max=CHANGE_WAIT_SECONDS_MAX,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        is_streamed, is_open = path in STREAMING_ROUTES, path in STRANGERS_ROUTES
        streamed_max = LARGE_UPLOAD_BYTES_MAX if path in LARGE_ROUTES else UPLOAD_BYTES_MAX
        bytes_max = streamed_max if is_streamed else STRANGERS_BYTES_MAX if is_open else BODY_BYTES_MAX
        with contextlib.ExitStack() as reserved:
            try:
                caller, size = await self._admit(Request(scope), bytes_max, is_open=is_open)
                budget = self._budget_of_strangers if is_open else self._budget
                reserved.enter_context(budget.reserve(caller, size))
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
            seconds_max = UPLOAD_SECONDS_MAX if is_streamed else STRANGERS_SECONDS_MAX if is_open else BODY_SECONDS_MAX
            deadline = asyncio.get_running_loop().time() + seconds_max
            try:
                await self._serve(scope, _with_deadline(receive, deadline), send, path)
            except Problem as problem:
                await problem.response()(scope, receive, send)

    async def _admit(self, request: Request, bytes_max: int, *, is_open: bool) -> tuple[str, int]:
        """Return the caller of a request and the bytes to reserve for its body, from the headers alone.

        Raises:
            Problem: 401, 403 or 503, as `Authentication.identify`. The routes check the scope.
        """
        length = request.headers.get("content-length", "")
        declared = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else bytes_max
        if is_open:
            if declared > bytes_max:
                raise Problem(
                    413,
                    f"The body must have at most {bytes_max:,} bytes (got {declared:,}).",
                    limit=bytes_max,
                    size=declared,
                )
            return CALLER.get(), declared
        caller = await self._authentication.identify(request)
        CALLER.set(f"caller {caller.id}")
        return caller.id, min(declared, bytes_max)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if path in STREAMING_ROUTES:
            await self._app(scope, *_answered_after_the_body(receive, send))
            return
        is_open = path in STRANGERS_ROUTES
        body = await _read_limited(Request(scope, receive), STRANGERS_BYTES_MAX if is_open else BODY_BYTES_MAX)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        if is_open:  # the work has limits of its own: see auth.passwords and auth.login_throttle
            await self._app(scope, replay, send)
            return
        async with self._changes.admit():
            await self._app(scope, replay, send)


def _with_deadline(receive: Receive, deadline: float) -> Receive:
    """Return a `receive` that raises a Problem, 408, if the body is not complete at a time of the event loop."""
    is_complete = False

    async def receive_in_time() -> Message:
        nonlocal is_complete
        if is_complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "The body took too long.") from None
        is_complete = not message.get("more_body", False)
        return message

    return receive_in_time


def _answered_after_the_body(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return a `send` that refuses an upload once the rest of it has been read, be it some megabytes.

    Its sender would otherwise have a connection that ends, and not the reason.
    """
    is_complete = False

    async def noted() -> Message:
        nonlocal is_complete
        message = await receive()
        is_complete = not message.get("more_body", False)
        return message

    async def after_the_body(message: Message) -> None:
        if message.get("status", 200) >= 400:
            size = 0
            with contextlib.suppress(Problem):  # it takes too long
                while not is_complete and size <= DRAINED_BYTES_MAX:
                    size += len((await noted()).get("body", b""))
        await send(message)

    return noted, after_the_body


async def _read_limited(request: Request, bytes_max: int) -> bytes:
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= bytes_max:
            body += chunk
        elif size > DRAINED_BYTES_MAX:
            break
    if size > bytes_max:
        more = " or more" if size > DRAINED_BYTES_MAX else ""
        detail = f"The body must have at most {bytes_max:,} bytes (got {size:,}{more})."
        raise Problem(413, detail, limit=bytes_max, size=size)
    if has_more_values(bytes(body), JSON_VALUES_MAX):
        raise Problem(
            400, f"The body must have at most {JSON_VALUES_MAX:,} values.", limit=JSON_VALUES_MAX, code="invalid_json"
        )
    depth = _json_depth(bytes(body))
    if depth > JSON_DEPTH_MAX:
        detail = f"The body must be nested at most {JSON_DEPTH_MAX} levels deep (got {depth:,})."
        raise Problem(400, detail, limit=JSON_DEPTH_MAX, size=depth, code="invalid_json")
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

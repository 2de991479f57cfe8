"""Uploads that are refused before they are read: the rest is read and dropped, so that the browser shows the answer.

A browser that is still sending when its connection ends shows an error of its own instead, for example to somebody
whose session has ended.
"""

import asyncio
import contextlib

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.newsroom.forms import UPLOAD_BYTES_MAX, is_upload

DRAIN_SECONDS_MAX = 60.0


class UnreadUploads:
    """Middleware that sends the answer to an upload once there is nothing left to read, within bounds.

    Args:
        app: The application behind it.
        bytes_max: How much is read in all.
        seconds_max: How long is waited for the rest.
    """

    def __init__(self, app: ASGIApp, bytes_max: int = UPLOAD_BYTES_MAX, seconds_max: float = DRAIN_SECONDS_MAX) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not is_upload(Request(scope)):
            await self._app(scope, receive, send)
            return
        is_complete, size = False, 0

        async def noted() -> Message:
            nonlocal is_complete, size
            message = await receive()
            is_complete = not message.get("more_body", False)
            size += len(message.get("body", b""))
            return message

        async def after_the_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_max):
                        while not is_complete and size <= self._bytes_max:
                            await noted()
            await send(message)

        await self._app(scope, noted, after_the_body)

"""Asks ingest for the version that a preview link shows: within bounds on time, bytes and requests at once."""

import asyncio
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from shared.articles import ARTICLE_BYTES_MAX
from shared.previews import HEADER, PATH, PreviewedVersion

SECONDS_MAX = 3.0
HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 2 * ARTICLE_BYTES_MAX
"""Working versions may be larger than what can be published."""


class PreviewUnavailableError(Exception):
    """Ingest does not answer, or not as it should."""


class PreviewSource:
    """The internal port of ingest's role `articles`.

    Args:
        url: Its address, as PRESSTALLY_ARTICLES_URL; empty: there are no previews.
        seconds_max: For a whole request.
    """

    def __init__(self, url: str, seconds_max: float = SECONDS_MAX) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._seconds_max = seconds_max

    async def fetch(self, signed: str) -> PreviewedVersion | None:
        """Return the version that a link shows; None if the link is not valid.

        Args:
            signed: Of the link; ASCII letters, digits, and `-_.` only.

        Raises:
            PreviewUnavailableError: with the reason, which does not name the link.
        """
        if not self._host:
            raise PreviewUnavailableError("PRESSTALLY_ARTICLES_URL is not set")
        try:
            async with asyncio.timeout(self._seconds_max):
                status, body = await self._request(signed)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise PreviewUnavailableError(type(error).__name__) from error
        if status == 404:
            return None
        if status != 200:
            raise PreviewUnavailableError(f"status {status}")
        try:
            return msgspec.json.decode(body, type=PreviewedVersion)
        except msgspec.MsgspecError as error:
            raise PreviewUnavailableError("the response cannot be decoded") from error

    async def _request(self, signed: str) -> tuple[int, bytes]:
        host = f"[{self._host}]" if ":" in self._host else self._host
        head = f"GET {PATH} HTTP/1.1\r\nHost: {host}:{self._port}\r\n{HEADER}: {signed}\r\nConnection: close\r\n\r\n"
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=HEAD_BYTES_MAX)
        try:
            writer.write(head.encode("ascii"))
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            size = int(headers.get("content-length", "-1"))
            if not 0 <= size <= BODY_BYTES_MAX:
                raise ValueError("no length, or too many bytes")
            return int(lines[0].split(" ")[1]), await reader.readexactly(size)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

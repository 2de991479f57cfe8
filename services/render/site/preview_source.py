"""Asks ingest for the version that a preview link shows: within bounds on time and bytes.

urllib3 speaks HTTP, in a thread. It is imported with the first preview, so that a portal without any does not have it
in memory.
"""

import asyncio
import ssl
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from shared.articles import ARTICLE_BYTES_MAX
from shared.previews import HEADER, PATH, PreviewedVersion

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

SECONDS_MAX = 3.0
BODY_BYTES_MAX = 2 * ARTICLE_BYTES_MAX
"""Working versions may be larger than what can be published."""
CONNECTIONS_KEPT_MAX = 2


class PreviewUnavailableError(Exception):
    """Ingest does not answer, or not as it should."""


class PreviewSource:
    """The internal port of ingest's role `articles`.

    Args:
        url: Its address, as PRESSTALLY_ARTICLES_URL; empty: there are no previews.
        seconds_max: For a whole request.
    """

    def __init__(self, url: str, seconds_max: float = SECONDS_MAX) -> None:
        self._url = url
        self._seconds_max = seconds_max

    async def fetch(self, signed: str) -> PreviewedVersion | None:
        """Return the version that a link shows; None if the link is not valid.

        Args:
            signed: Of the link; ASCII letters, digits, and `-_.` only.

        Raises:
            PreviewUnavailableError: with the reason, which does not name the link.
        """
        if not self._url:
            raise PreviewUnavailableError("PRESSTALLY_ARTICLES_URL is not set")
        try:
            async with asyncio.timeout(self._seconds_max):
                status, body = await asyncio.to_thread(self._request, signed)
        except OSError as error:  # TimeoutError is one
            raise PreviewUnavailableError(str(error) or type(error).__name__) from error
        if status == 404:
            return None
        if status != 200:
            raise PreviewUnavailableError(f"status {status}")
        try:
            return msgspec.json.decode(body, type=PreviewedVersion)
        except msgspec.MsgspecError as error:
            raise PreviewUnavailableError("the response cannot be decoded") from error

    @cached_property
    def _pool(self) -> "HTTPConnectionPool":
        """Connections that are kept from one request to the next."""
        from urllib3 import connection_from_url

        tls = {"ssl_context": ssl.create_default_context()} if urlsplit(self._url).scheme == "https" else {}
        return connection_from_url(
            self._url, maxsize=CONNECTIONS_KEPT_MAX, timeout=self._seconds_max, retries=False, **tls
        )

    def _request(self, signed: str) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            OSError: there is no whole response, or it is too large. The text names no link.
        """
        from urllib3.exceptions import HTTPError

        try:
            response = self._pool.request("GET", PATH, headers={HEADER: signed}, redirect=False, preload_content=False)
            body = response.read(BODY_BYTES_MAX + 1)
        except HTTPError as error:
            raise OSError(type(error).__name__) from error
        if len(body) > BODY_BYTES_MAX:
            response.close()
            raise OSError("too many bytes")
        response.release_conn()
        return response.status, body

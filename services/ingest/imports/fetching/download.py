"""Downloads an image from a host that nobody trusts, within bounds on bytes, time and redirects.

A host is resolved once. Each of its addresses has to be public, and the connection goes to an address that was checked:
a name server that gives another answer a moment later changes nothing. The same holds for each redirect.
"""

import asyncio
import contextlib
import hashlib
import http.client
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from services.ingest.imports.fetching.targets import AllowedHosts
from services.ingest.media.image_types import HEAD_BYTES, ImageError, sniff_type
from services.ingest.media.library import UPLOAD_BYTES_MAX
from shared.http.checked_connection import (
    Connect,
    OpenConnection,
    Resolve,
    Transfer,
    UnreachableError,
    connect,
    described,
    open_checked,
    resolve,
)
from shared.http.targets import RequestError, is_public, parse_target

CHUNK_BYTES = 64 * 1024
THREADS_MAX = 8
_REDIRECTS = (301, 302, 303, 307, 308)
_TYPES = re.compile(r"image/|(?:application|binary)/octet-stream|application/x-(?:binary|download)|$")
_HEADERS = {
    "User-Agent": "Presstally image import",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


@dataclass(frozen=True)
class DownloadLimits:
    """The limits of one image."""

    bytes: int = UPLOAD_BYTES_MAX
    seconds: float = 30.0
    """From the first request to the last byte, with all redirects."""
    connect_seconds: float = 10.0
    redirects: int = 5


@dataclass(frozen=True)
class DownloadedImage:
    """A file that begins as an image does."""

    digest: str
    """SHA-256."""
    bytes: int


class Downloader:
    """Downloads images, each in a thread.

    Args:
        limits: Of each image.
        resolve: Resolves a host.
        connect: Connects to a checked address.
        tls: The certificate authorities; default: those of the system.
    """

    def __init__(
        self,
        limits: DownloadLimits | None = None,
        resolve: Resolve = resolve,
        connect: Connect = connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or DownloadLimits()
        self._resolve = resolve
        self._connect = connect
        self._tls = tls or ssl.create_default_context()
        self._threads = ThreadPoolExecutor(THREADS_MAX, "image-download")

    async def download(self, url: str, hosts: AllowedHosts, file: Path) -> DownloadedImage:
        """Download an image into a file.

        Raises:
            RequestError: with the reason. The file may exist.
        """
        transfer = Transfer()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._download, url, hosts, file, transfer)
        try:
            done, _ = await asyncio.wait([work], timeout=self.limits.seconds)
        finally:
            transfer.cut()
            work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if not done:
            raise UnreachableError(f"it took more than {self.limits.seconds:g} s") from None
        return work.result()

    def _download(self, url: str, hosts: AllowedHosts, file: Path, transfer: Transfer) -> DownloadedImage:
        try:
            for _ in range(self.limits.redirects + 1):
                target = parse_target(url)
                hosts.check(target)
                opened = open_checked(
                    target,
                    transfer,
                    is_public,
                    resolve=self._resolve,
                    connect=self._connect,
                    tls=self._tls,
                    connect_seconds=self.limits.connect_seconds,
                )
                connection = OpenConnection(target, opened)
                with contextlib.closing(connection):
                    connection.request("GET", target.path, headers={"Host": target.host_header, **_HEADERS})
                    response = connection.getresponse()
                    with contextlib.closing(response):
                        if response.status not in _REDIRECTS:
                            return self._receive(response, file)
                        url = urljoin(url, response.headers.get("location", "").strip())
        except TimeoutError as error:
            raise UnreachableError("the server did not answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(f"the transfer failed: {described(error)}") from error
        finally:
            transfer.close()
        raise RequestError(f"it was redirected more than {self.limits.redirects} times")

    def _receive(self, response: http.client.HTTPResponse, file: Path) -> DownloadedImage:
        if response.status != 200:
            raise RequestError(f"the server answered {response.status} {response.reason[:60]}".rstrip())
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not _TYPES.match(kind):
            raise RequestError(f"it has the type {kind[:60]}, not that of an image")
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise RequestError(f"it is compressed ({encoding[:30]}) though nobody asked for that")
        limit, announced = self.limits.bytes, response.length
        if announced is not None and announced > limit:
            raise RequestError(f"it has {announced:,} bytes, more than {limit:,}")
        digest, size, is_image = hashlib.sha256(), 0, False
        head = b""
        with file.open("wb") as output:
            while chunk := response.read1(CHUNK_BYTES if announced is None else min(CHUNK_BYTES, announced - size)):
                size += len(chunk)
                if size > limit:
                    raise RequestError(f"it has more than {limit:,} bytes")
                if not is_image:
                    head += chunk
                    is_image = len(head) >= HEAD_BYTES and _check_image(head)
                digest.update(chunk)
                output.write(chunk)
        if announced is not None and size < announced:
            raise UnreachableError(f"it ended after {size:,} of {announced:,} bytes")
        _check_image(head)
        return DownloadedImage(digest.hexdigest(), size)


def _check_image(head: bytes) -> bool:
    if not head:
        raise RequestError("it is empty")
    try:
        sniff_type(head[:HEAD_BYTES])
    except ImageError as error:
        raise RequestError(f"the file {error}") from error
    return True

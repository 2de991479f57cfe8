"""Downloads an image from a host that nobody trusts, within bounds on bytes, time and redirects.

A host is resolved once. Each of its addresses has to be public, and the connection goes to an address that was checked:
a name server that gives another answer a moment later changes nothing. The same holds for each redirect.
"""

import asyncio
import contextlib
import hashlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from services.ingest.imports.fetching.targets import AllowedHosts, NotFetchedError, Target, is_public, parse_target
from services.ingest.media.library import UPLOAD_BYTES_MAX
from services.ingest.media.renditions import HEAD_BYTES, ImageError, sniff_type

CHUNK_BYTES = 64 * 1024
ADDRESSES_MAX = 3
"""How many addresses of a host are tried."""
THREADS_MAX = 8
_REDIRECTS = (301, 302, 303, 307, 308)
_TYPES = re.compile(r"image/|(?:application|binary)/octet-stream|application/x-(?:binary|download)|$")
_HEADERS = {
    "User-Agent": "Presstally image import",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}

Resolve = Callable[[str, int], list[str]]
"""Host and port → its IP addresses. Raises OSError."""
Connect = Callable[[str, int, float], socket.socket]
"""IP address, port and timeout in seconds → a connected socket. Raises OSError."""


class UnreachableError(NotFetchedError):
    """The host does not answer."""


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


class Transfer:
    """A running transfer, which `cut` ends wherever it waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def watch(self, opened: socket.socket) -> None:
        """Remember a connection. Its copy stays usable after TLS has taken over the original."""
        with self._lock:
            self._release()
            self._socket = opened.dup()
            if self._is_cut:
                self._shutdown()

    def cut(self) -> None:
        """End the connection: reading from it and writing to it fail."""
        with self._lock:
            self._is_cut = True
            self._shutdown()

    def close(self) -> None:
        """Close the copy of the connection."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _shutdown(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class OpenConnection(http.client.HTTPConnection):
    """A connection over a socket that is open already. It knows neither proxies nor cookies nor redirects."""

    def __init__(self, target: Target, opened: socket.socket) -> None:
        super().__init__(target.host, target.port)
        self.sock = opened

    def connect(self) -> None:
        """Refuse to connect: the address would not be checked."""
        raise UnreachableError("the server closed the connection")


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
    """Return a socket that is connected to an IP address. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(timeout_seconds)
        opened.connect((address, port))  # an address: nothing is resolved again
    except BaseException:
        opened.close()
        raise
    return opened


def open_checked(
    target: Target,
    transfer: Transfer,
    is_allowed: Callable[[str], bool],
    *,
    resolve: Resolve,
    connect: Connect,
    tls: ssl.SSLContext,
    connect_seconds: float,
) -> socket.socket:
    """Return a connection to an address of a host all of whose addresses are allowed.

    Raises:
        NotFetchedError: one of them is not allowed.
        UnreachableError: the host has no address, or does not answer.
        OSError: TLS cannot be established.
    """
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"the host {target.host} has no address") from error
    refused = next((one for one in addresses if not is_allowed(one)), None)
    if refused is not None or not addresses:
        raise NotFetchedError(f"the host {target.host} has the address {refused}, which is not public")
    problem: OSError | None = None
    for address in addresses[:ADDRESSES_MAX]:
        try:
            opened = connect(address, target.port, connect_seconds)
        except OSError as error:
            problem = error
            continue
        try:
            transfer.watch(opened)
            if target.scheme == "https":
                return tls.wrap_socket(opened, server_hostname=target.host)
        except BaseException:
            opened.close()
            raise
        return opened
    raise UnreachableError(f"the host {target.host} does not answer: {_described(problem)}")


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
            NotFetchedError: with the reason. The file may exist.
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
            raise UnreachableError(f"the transfer failed: {_described(error)}") from error
        finally:
            transfer.close()
        raise NotFetchedError(f"it was redirected more than {self.limits.redirects} times")

    def _receive(self, response: http.client.HTTPResponse, file: Path) -> DownloadedImage:
        if response.status != 200:
            raise NotFetchedError(f"the server answered {response.status} {response.reason[:60]}".rstrip())
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not _TYPES.match(kind):
            raise NotFetchedError(f"it has the type {kind[:60]}, not that of an image")
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise NotFetchedError(f"it is compressed ({encoding[:30]}) though nobody asked for that")
        limit, announced = self.limits.bytes, response.length
        if announced is not None and announced > limit:
            raise NotFetchedError(f"it has {announced:,} bytes, more than {limit:,}")
        digest, size, is_image = hashlib.sha256(), 0, False
        head = b""
        with file.open("wb") as output:
            while chunk := response.read1(CHUNK_BYTES if announced is None else min(CHUNK_BYTES, announced - size)):
                size += len(chunk)
                if size > limit:
                    raise NotFetchedError(f"it has more than {limit:,} bytes")
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
        raise NotFetchedError("it is empty")
    try:
        sniff_type(head[:HEAD_BYTES])
    except ImageError as error:
        raise NotFetchedError(f"the file {error}") from error
    return True


def _described(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__

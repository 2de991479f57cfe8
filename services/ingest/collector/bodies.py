"""Receives the bodies of events within bounds of size and time, and all of them together within a bound of memory."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any

from shared.http.problems import Problem
from shared.http.rsgi import RsgiClosed, RsgiProtocol, RsgiRequest, chunks_of
from shared.http.unread_bodies import DRAINED_BYTES_MAX, drain

BODY_SECONDS = 10.0
BODIES_BYTES_MAX = 32 * 1024 * 1024
"""Of all bodies that are being received together."""
BODY_SECONDS_UNDER_PRESSURE = 0.5
"""A body that has taken longer is given up when another one needs its memory."""


@dataclass(slots=True, eq=False)
class BodyReader:
    """A body that is being received."""

    begun_at: float
    """In monotonic seconds."""
    source: Any = None
    """What receives it: a task, or a future of the server. Both can be cancelled on their loop."""
    reserved_bytes: int = 0


class BodyReaders:
    """All bodies that a collector is receiving, on its event loop or in the server's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Held to change what follows."""
        self._readers: dict[BodyReader, None] = {}
        """The oldest first."""
        self.reserved_bytes = 0

    def begin(self, reader: BodyReader, size: int) -> bool:
        """Reserve memory for a body, and return whether there was some. To be followed by `end`."""
        with self._lock:
            if self.reserved_bytes + size > BODIES_BYTES_MAX:
                return False
            reader.reserved_bytes = size
            self.reserved_bytes += size
            self._readers[reader] = None
        return True

    def end(self, reader: BodyReader) -> None:
        """Free the memory of a body, unless it was given up already."""
        with self._lock:
            self._readers.pop(reader, None)
            self._free(reader)
            reader.source = None  # a future of the server keeps its callback, and no search for garbage looks into it

    async def read(self, request: RsgiRequest, protocol: RsgiProtocol, bytes_max: int) -> bytes:
        """Read the streamed body, and reject it as soon as it is too large or too slow.

        Raises:
            Problem: 413, 408 or 503; 400 if the client has left.
        """
        try:
            return await self._read(request, protocol, bytes_max)
        except RsgiClosed as error:
            raise unreceived(error) from error

    async def _read(self, request: RsgiRequest, protocol: RsgiProtocol, bytes_max: int) -> bytes:
        received = getattr(protocol, "received", None)
        if received is not None:  # in the server's thread: within the same bounds
            return bytes(received.get())
        length = int(request.headers.get("content-length") or 0)
        if length > bytes_max:
            await drain(request, chunks_of(protocol))
            raise _too_large(bytes_max)
        task = asyncio.current_task()
        assert task is not None, "granian runs a task for each request"
        reader = BodyReader(time.monotonic(), task)
        with self._lock:
            self._readers[reader] = None
        try:
            if length:
                self._reserve(reader, length)
                return await protocol()
            body, size = bytearray(), 0
            chunks: Any = protocol
            async for chunk in chunks:
                size += len(chunk)
                if size > DRAINED_BYTES_MAX:
                    break
                if size <= bytes_max:
                    self._reserve(reader, len(chunk))
                    body += chunk
            if size > bytes_max:
                raise _too_large(bytes_max)
        except asyncio.CancelledError:
            if reader in self._readers:
                raise
            raise _too_slow() from None
        finally:
            self.end(reader)
        return bytes(body)

    def _reserve(self, reader: BodyReader, size: int) -> None:
        """Reserve memory for a body; if there is none, those that have been read for longest give up theirs.

        Bodies of real pages are complete within milliseconds, so that the oldest ones belong to an attack.

        Raises:
            Problem: 503 if all others are as new.
        """
        recent = time.monotonic() - BODY_SECONDS_UNDER_PRESSURE
        with self._lock:
            while self.reserved_bytes + size > BODIES_BYTES_MAX:
                oldest = next(iter(self._readers))
                if oldest is reader or oldest.begun_at > recent:
                    detail = "Too many bodies are being received; retry later with the same IDs."
                    raise Problem(503, detail, headers={"retry-after": "2"}, reason="unavailable")
                self._cancel(oldest)
            reader.reserved_bytes += size
            self.reserved_bytes += size

    def _free(self, reader: BodyReader) -> None:
        self.reserved_bytes -= reader.reserved_bytes
        reader.reserved_bytes = 0

    def _cancel(self, reader: BodyReader) -> None:
        self._readers.pop(reader)
        self._free(reader)
        if reader.source is not None:  # it may have begun right now, before the process was stopped for a while
            reader.source.cancel()

    async def cancel_slow(self) -> None:
        """Cancel reads of bodies that take too long. A check per second costs less than a timer per request."""
        while True:
            await asyncio.sleep(1)
            deadline = time.monotonic() - BODY_SECONDS
            with self._lock:
                for reader in [reader for reader in self._readers if reader.begun_at < deadline]:
                    self._cancel(reader)


def unreceived(error: BaseException) -> Exception:
    """Return the problem of a body that was given up, or whose client has left; an unknown error as it is."""
    if isinstance(error, RsgiClosed):
        return Problem(400, "The body ended too early.", reason="invalid")
    return error if isinstance(error, Exception) else _too_slow()


def _too_slow() -> Problem:
    return Problem(408, "The body took too long.", reason="slow")


def _too_large(bytes_max: int) -> Problem:
    return Problem(413, f"The body must have at most {bytes_max:,} bytes.", reason="too_large")

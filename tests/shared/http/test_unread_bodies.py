"""Bodies that are left when a response is ready."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.http import unread_bodies
from shared.http.rsgi import RsgiClosed
from shared.http.unread_bodies import drain
from tests.shared.http.fakes import FakeRequest

KILOBYTE = 1024


class Body:
    """A body of chunks of 40 KiB that counts what is read of it."""

    def __init__(self, chunks: int, end: str = "complete") -> None:
        self._chunks = chunks
        self._end = end
        self.read_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._chunks):
            self.read_bytes += 40 * KILOBYTE
            yield bytes(40 * KILOBYTE)
        if self._end == "stalls":
            await asyncio.sleep(3_600)
        if self._end == "closed":
            raise RsgiClosed


@pytest.mark.parametrize(
    ("body", "length", "kilobytes"),
    [
        (Body(0), "0", 0),
        (Body(10), "409600", 400),
        (Body(10), None, 400),
        (Body(100), None, 1_040),
        (Body(100), "4096000", 0),
        (Body(2, "stalls"), "4096", 80),
        (Body(2, "closed"), "4096", 80),
    ],
    ids=["none", "declared", "chunked", "endless", "too-large", "stalls", "client-left"],
)
async def test_rest_of_a_body_is_read_within_bounds(
    monkeypatch: pytest.MonkeyPatch, body: Body, length: str | None, kilobytes: int
) -> None:
    """Up to 1 MiB is read, for some seconds; of a larger one that says so, nothing."""
    monkeypatch.setattr(unread_bodies, "DRAINED_SECONDS", 0.2 if body._end == "stalls" else 60)
    request = FakeRequest(headers={} if length is None else {"content-length": length})
    await drain(request, body.__aiter__())  # type: ignore[arg-type]
    assert body.read_bytes == kilobytes * KILOBYTE

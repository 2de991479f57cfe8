"""Receiving the bodies of events."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.ingest.collector import bodies as module
from services.ingest.collector.bodies import BodyReaders
from shared.http.problems import Problem

KILOBYTE = 1024


class Sender:
    """A client that declares a length, or sends chunks, and may stall."""

    def __init__(self, *chunks: bytes, declared: int | None = None, stalls: bool = False) -> None:
        headers = {} if declared is None else {"content-length": str(declared)}
        self.request: Any = SimpleNamespace(headers=headers)
        self._chunks = chunks
        self._stalls = stalls
        self.read_bytes = 0

    async def __call__(self) -> bytes:
        if self._stalls:
            await asyncio.sleep(3_600)
        return b"".join(self._chunks)

    async def __aiter__(self) -> Any:
        for chunk in self._chunks:
            self.read_bytes += len(chunk)
            yield chunk
        if self._stalls:
            await asyncio.sleep(3_600)

    def send(self, readers: BodyReaders, bytes_max: int = 64 * KILOBYTE) -> "asyncio.Task[bytes]":
        return asyncio.create_task(readers.read(self.request, self, bytes_max))  # type: ignore[arg-type]


async def test_body_is_read_and_its_memory_is_free_again() -> None:
    """Bodies with and without a declared length are returned, and nothing stays reserved."""
    readers = BodyReaders()
    assert await Sender(b"ab", declared=2).send(readers) == b"ab"
    assert await Sender(b"a", b"b").send(readers) == b"ab"
    for too_large in (Sender(declared=64 * KILOBYTE + 1), Sender(b"x" * 40 * KILOBYTE, b"x" * 40 * KILOBYTE)):
        with pytest.raises(Problem) as raised:
            await too_large.send(readers)
        assert raised.value.status == 413
    assert readers.reserved_bytes == 0


async def test_body_that_is_too_large_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender can write the rest of a body that is too large, up to 1 MiB."""
    monkeypatch.setattr("shared.http.unread_bodies.DRAINED_SECONDS", 60)
    readers = BodyReaders()
    chunks = [b"x" * 40 * KILOBYTE] * 10
    for sender in (Sender(*chunks, declared=400 * KILOBYTE), Sender(*chunks)):
        with pytest.raises(Problem):
            await sender.send(readers)
        assert sender.read_bytes == 400 * KILOBYTE
    huge = Sender(*chunks * 10, declared=4_000 * KILOBYTE)
    with pytest.raises(Problem):
        await huge.send(readers)
    assert huge.read_bytes == 0
    assert readers.reserved_bytes == 0


@pytest.mark.parametrize("is_declared", [True, False])
async def test_stalled_bodies_give_way_to_new_ones(monkeypatch: pytest.MonkeyPatch, is_declared: bool) -> None:
    """When stalled bodies hold all memory, the oldest end with a 408, and a new one is read at once."""
    monkeypatch.setattr(module, "BODIES_BYTES_MAX", 256 * KILOBYTE)
    monkeypatch.setattr(module, "BODY_SECONDS_UNDER_PRESSURE", 60)
    readers = BodyReaders()
    full = b"x" * 64 * KILOBYTE
    stalled = [Sender(full, declared=len(full) if is_declared else None, stalls=True).send(readers) for _ in range(4)]
    await asyncio.sleep(0.01)
    with pytest.raises(Problem) as raised:  # all are as new: an honest sender tries again
        await Sender(b"ab", declared=2).send(readers)
    assert (raised.value.status, raised.value.headers) == (503, {"retry-after": "2"})
    monkeypatch.setattr(module, "BODY_SECONDS_UNDER_PRESSURE", 0)
    assert await Sender(b"ab", declared=2).send(readers) == b"ab"
    (ended,) = [task for task in stalled if task.done()]
    assert ended is stalled[0]
    assert isinstance(ended.exception(), Problem)
    for task in stalled:
        task.cancel()
    await asyncio.wait(stalled)
    assert readers.reserved_bytes == 0


async def test_slow_body_ends_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that takes too long is given up."""
    monkeypatch.setattr(module, "BODY_SECONDS", 0.01)
    readers = BodyReaders()
    watch = asyncio.create_task(readers.cancel_slow())
    with pytest.raises(Problem) as raised:
        await Sender(declared=10, stalls=True).send(readers)
    assert (raised.value.status, readers.reserved_bytes) == (408, 0)
    watch.cancel()

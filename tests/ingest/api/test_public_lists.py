"""Lists of public articles: cached, read once at a time, limited."""

import asyncio

import pytest

from services.ingest.api import public_lists
from services.ingest.api.public_lists import CACHED_SECONDS, READS_MAX, PublicLists
from shared.http.problems import Problem


async def test_read_is_cached_for_a_moment_and_shared() -> None:
    """Sixty callers cause one read, and the next second another one."""
    now, reads = 0.0, 0

    async def fetch() -> bytes:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return b"x"

    lists = PublicLists(lambda: now)
    assert set(await asyncio.gather(*(lists.read("a", fetch) for _ in range(60)))) == {b"x"}
    assert await lists.read("a", fetch) == b"x"
    assert reads == 1
    now = CACHED_SECONDS
    await lists.read("a", fetch)
    assert reads == 2


async def test_read_beyond_the_limit_waits_and_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some lists are read at once, so that editors find free connections."""
    monkeypatch.setattr(public_lists, "WAIT_SECONDS_MAX", 0.01)
    lists, release = PublicLists(), asyncio.Event()

    async def fetch() -> bytes:
        await release.wait()
        return b"x"

    running = [asyncio.create_task(lists.read(number, fetch)) for number in range(READS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await lists.read("other", fetch)
    assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "2"})
    release.set()
    assert await asyncio.gather(*running) == [b"x"] * READS_MAX


async def test_cached_lists_have_a_bound_of_bytes() -> None:
    """Anybody can ask for a hundred whole articles from any number on: what is cached of them is bounded."""
    now, reads = 0.0, 0

    async def fetch() -> bytes:
        nonlocal reads
        reads += 1
        return bytes(public_lists.CACHED_BYTES_MAX // 4)

    lists = PublicLists(lambda: now)
    for number in range(20):
        await lists.read(number, fetch)
    assert sum(len(content) for _, content in lists._cached.values()) <= public_lists.CACHED_BYTES_MAX
    await lists.read(19, fetch)
    assert reads == 20
    now = CACHED_SECONDS
    await lists.read("another", fetch)
    assert list(lists._cached) == ["another"]
